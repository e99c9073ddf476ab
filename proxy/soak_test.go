package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What TestSoakBackend, the process that TestSoak kills, is told.
const (
	soakListen  = "BANYAN_TEST_SOAK_LISTEN"
	soakJournal = "BANYAN_TEST_SOAK_JOURNAL"
	// soakTime makes TestSoak longer, such as 10m.
	soakTime = "BANYAN_TEST_SOAK"
)

// TestSoakBackend is no test but a backend in a process of its own: it writes the body of
// each POST into its journal before it answers.
func TestSoakBackend(t *testing.T) {
	address := os.Getenv(soakListen)
	if address == "" {
		return
	}
	journal, err := os.OpenFile(os.Getenv(soakJournal), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			id, _ := io.ReadAll(r.Body)
			_, _ = journal.Write(append(id, '\n')) // one write, so that lines do not mix
		}
		_, _ = io.WriteString(w, "ok")
	})}
	_ = srv.Serve(l)
}

// soaked is a backend process.
type soaked struct {
	t                *testing.T
	address, journal string
	process          *exec.Cmd
}

func (s *soaked) start() {
	s.t.Helper()
	s.process = exec.CommandContext(context.Background(),
		os.Args[0], "-test.run=^TestSoakBackend$")
	s.process.Env = append(os.Environ(), soakListen+"="+s.address, soakJournal+"="+s.journal)
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// kill ends the process without warning, by its own id.
func (s *soaked) kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// ledger is what the callers of a soak know.
type ledger struct {
	mu            sync.Mutex
	sure, unsure  []string // ids of POSTs that were answered, and that broke off
	reads, failed atomic.Int64
	first         atomic.Pointer[string]
}

func (l *ledger) fail(format string, args ...any) {
	l.failed.Add(1)
	text := fmt.Sprintf(format, args...)
	l.first.CompareAndSwap(nil, &text)
}

// one sends a read, or a write that must happen once or, if the backend broke off, at
// most once; the router says so by its code.
func (l *ledger) one(client *http.Client, url, id string, write bool) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if write {
		method, body = http.MethodPost, strings.NewReader(id)
	}
	r, _ := http.NewRequestWithContext(context.Background(), method, url+"/x", body)
	resp, err := client.Do(r)
	if err != nil {
		l.fail("%s: %v", method, err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err == nil && resp.StatusCode == http.StatusOK && string(text) == "ok" && !write:
		l.reads.Add(1)
	case err == nil && resp.StatusCode == http.StatusOK && string(text) == "ok":
		l.mu.Lock()
		l.sure = append(l.sure, id)
		l.mu.Unlock()
	case write && resp.StatusCode == http.StatusBadGateway:
		l.mu.Lock()
		l.unsure = append(l.unsure, id)
		l.mu.Unlock()
	default:
		l.fail("%s: %s %s %v", method, resp.Status, text, err)
	}
}

// TestSoak kills one or two of three backend processes with signal 9, again and again,
// starts them again, and reloads every second, under load. No read may fail, and no write that was
// not on its way to the one that was killed; none is carried out twice.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs for ten seconds")
	}
	lasts := 8 * time.Second
	if d, err := time.ParseDuration(os.Getenv(soakTime)); err == nil {
		lasts = d
	}
	backends, urls := soakBackends(t)
	settings := "health: { path: /health, interval: 250ms }, outlier: { failures: 3, base: 200ms, max: 1s }, slowStart: "
	w := start(t, foreign(settings+"100ms", urls...), nil)
	healthy := func() bool { return soakStates(w) == "healthy healthy healthy" }
	for _, s := range backends {
		eventually(t, "the backend listens", func() bool { return s.answers() })
	}
	l := &ledger{}
	ctx, stop := context.WithTimeout(t.Context(), lasts)
	defer stop()
	var callers sync.WaitGroup
	for c := range 6 {
		callers.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
			defer client.CloseIdleConnections()
			for i := 0; ctx.Err() == nil; i++ {
				l.one(client, w.front.URL, fmt.Sprintf("%d-%d", c, i), i%3 == 0)
			}
		})
	}
	kills, reloads := 0, 0
	for ctx.Err() == nil {
		dead := backends[:1+rand.IntN(2)]
		for _, s := range dead {
			s.kill()
			kills++
		}
		time.Sleep(300 * time.Millisecond)
		for _, s := range dead {
			s.start()
		}
		rand.Shuffle(len(backends), func(i, j int) { backends[i], backends[j] = backends[j], backends[i] })
		for ctx.Err() == nil && !healthy() { // without load nothing clears a suspect
			time.Sleep(5 * time.Millisecond)
		}
		reloads++
		w.router.Reload(t.Context(), w.file, []byte(foreign(settings+fmt.Sprintf("%dms", 100+reloads%2), urls...)))
	}
	callers.Wait()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d requests failed, the first: %s", n, *l.first.Load())
	}
	l.judge(t, backends)
	t.Logf("%d reads, %d writes, %d writes broke off, %d kills, %d reloads", l.reads.Load(), len(l.sure), len(l.unsure), kills, reloads)
}

// soakBackends starts three processes, on ports that outgoing connections do not take
// while one of them is down.
func soakBackends(t *testing.T) (backends []*soaked, urls []string) {
	t.Helper()
	dir := t.TempDir()
	for n := range 3 {
		s := &soaked{t: t, address: quietAddress(t), journal: filepath.Join(dir, fmt.Sprint("journal-", n))}
		s.start()
		t.Cleanup(s.kill)
		backends, urls = append(backends, s), append(urls, "http://"+s.address)
	}
	return backends, urls
}

func quietAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(9_000))
		if l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("there is no free port between 10000 and 19000")
	return ""
}

// answers tells whether the process serves.
func (s *soaked) answers() bool {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	r, _ := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.address, nil)
	resp, err := client.Do(r)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err == nil
}

// soakStates is the states of the home's instances.
func soakStates(w *world) string {
	var states []string
	for _, i := range w.router.Backend("monolith") {
		states = append(states, i.State)
	}
	return strings.Join(states, " ")
}

// judge compares what was answered with what was carried out.
func (l *ledger) judge(t *testing.T, backends []*soaked) {
	t.Helper()
	done := map[string]int{}
	for _, s := range backends {
		text, err := os.ReadFile(s.journal)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range bytes.Fields(text) {
			done[string(id)]++
		}
	}
	for id, n := range done {
		if n > 1 {
			t.Errorf("the write %s was carried out %d times", id, n)
		}
	}
	for _, id := range l.sure {
		if done[id] != 1 {
			t.Errorf("the write %s was answered but carried out %d times", id, done[id])
		}
	}
}
