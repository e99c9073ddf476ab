package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	migrations "banyan/migrations/proxy"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/canary"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// named answers with its name, the method and path, and the body it got.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = fmt.Fprintf(w, "%s %s %s %s", name, r.Method, r.URL.RequestURI(), body)
	})
}

// startBackend serves until the test ends, or until it is closed.
func startBackend(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// config writes a routes.yaml with a backend flights that shares the monolith's store.
func config(url, rest string) string {
	return fmt.Sprintf(`version: 1
backends:
  monolith: { kind: inproc, store: shared }
  flights:  { kind: http, url: "%s", store: shared, health: { path: /health, interval: 250ms }, timeout: 2s }
  apart:    { kind: http, url: "%s", store: own, timeout: 2s }
routes:
%s`, url, url, rest)
}

func flightsRoute(weight canary.Weight) string {
	return fmt.Sprintf(`  - id: flights
    match: { paths: [/v1/flights, "/v1/flights/{flight_id}"] }
    backends: { monolith: %s, flights: %s, apart: 0%% }
    hashOn: [ header:X-Customer-Id, path:flight_id ]
`, canary.Full-weight, weight)
}

// world is a router at work.
type world struct {
	t      *testing.T
	router *proxy.Router
	front  *front
	file   string
	log    *lockedBuffer
	stop   func()
}

func start(t *testing.T, file string, store *weights.Store) *world {
	t.Helper()
	path := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return startFile(t, path, store)
}

func startFile(t *testing.T, path string, store *weights.Store) *world {
	t.Helper()
	c, err := routes.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, file: path, log: &lockedBuffer{}}
	log := logrus.New()
	log.SetOutput(w.log)
	w.router, err = proxy.New(t.Context(), proxy.Options{
		Config: c, Modules: map[string]http.Handler{"monolith": named("monolith")}, Weights: store, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.router.Run(ctx); close(done) }()
	w.front = startFront(t, web.RequestIDs(w.router))
	var once sync.Once
	w.stop = func() { once.Do(func() { w.front.Close(); cancel(); <-done }) }
	t.Cleanup(w.stop)
	return w
}

// write replaces the file as an editor does.
func (w *world) write(file string) {
	w.t.Helper()
	if err := os.WriteFile(w.file, []byte(file), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) set(backend string, share canary.Weight) {
	w.t.Helper()
	_, err := w.router.Apply(w.t.Context(), proxy.Order{
		Route: "flights", Action: proxy.Set, Weights: weights.Weights{backend: share}, Reason: "test", Actor: "tester",
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// effective is the weight of the backend flights.
func (w *world) effective() canary.Weight {
	w.t.Helper()
	v, err := w.router.Route("flights")
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Weights.Effective["flights"]
}

// get asks as a customer and gives backend and status.
func (w *world) get(customer int) (string, int) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.front.URL+"/v1/flights", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-Customer-Id", fmt.Sprint("customer-", customer))
	resp, err := w.front.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get(proxy.BackendHeader), resp.StatusCode
}

// shares asks as n customers and counts the backends; every answer must be a 200.
func (w *world) shares(n int) map[string]int {
	w.t.Helper()
	count := map[string]int{}
	for i := range n {
		backend, status := w.get(i)
		if status != http.StatusOK {
			w.t.Fatalf("customer %d got %d from %s", i, status, backend)
		}
		count[backend]++
	}
	return count
}

// eventually waits for at most five seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func storeOn(t *testing.T, db *sqldb.DB) *weights.Store {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	return weights.New(db)
}

func sqliteStore(t *testing.T) *weights.Store {
	t.Helper()
	return storeOn(t, dbtest.SQLite(t))
}

// load sends GETs and POSTs from several callers until stopped; it counts failures.
type load struct {
	sent, failed atomic.Int64
	first        atomic.Pointer[string]
	stop         func()
}

func (w *world) load(methods ...string) *load {
	l := &load{}
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: 10 * time.Second}
	var callers sync.WaitGroup
	for c := range 6 {
		callers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				l.one(client, w.front.URL, methods[i%len(methods)], c*1_000_000+i)
			}
		})
	}
	var once sync.Once
	l.stop = func() { once.Do(func() { cancel(); callers.Wait(); client.CloseIdleConnections() }) }
	w.t.Cleanup(l.stop)
	return l
}

func (l *load) one(client *http.Client, url, method string, customer int) {
	var body io.Reader
	if method == http.MethodPost {
		body = bytes.NewReader([]byte("hello"))
	}
	r, _ := http.NewRequestWithContext(context.Background(), method, url+"/v1/flights", body)
	r.Header.Set("X-Customer-Id", fmt.Sprint(customer))
	l.sent.Add(1)
	resp, err := client.Do(r)
	if err == nil {
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		want := resp.Header.Get(proxy.BackendHeader) + " " + method + " /v1/flights "
		if method == http.MethodPost {
			want += "hello"
		}
		if resp.StatusCode == http.StatusOK && string(text) == want {
			return
		}
		err = fmt.Errorf("%s: %s, want %q", resp.Status, text, want)
	}
	l.failed.Add(1)
	text := err.Error()
	l.first.CompareAndSwap(nil, &text)
}

// none ends the load and fails the test if any request failed.
func (l *load) none(t *testing.T) {
	t.Helper()
	l.stop()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, the first: %s", n, l.sent.Load(), *l.first.Load())
	}
	t.Logf("%d requests, %d failed", l.sent.Load(), l.failed.Load())
}

// lockedBuffer is a log that tests can read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// deadAddress is an address where nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}
