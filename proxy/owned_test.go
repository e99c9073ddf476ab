package proxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	kernel "banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/handover/handovertest"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/canary"
	"banyan/proxy/handover"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// notes is a context whose data moves: lines that are kept by flight.
func notes(store *handovertest.Memory) http.Handler {
	r := mux.NewRouter()
	write := func(w http.ResponseWriter, r *http.Request, flight string, line []byte) {
		if err := store.Write(bucket.Of(flight), line); err != nil {
			web.Fail(w, r, err)
			return
		}
		web.JSON(w, http.StatusCreated, map[string]string{"flight_id": flight})
	}
	r.HandleFunc("/notes/{flight_id}", func(w http.ResponseWriter, r *http.Request) {
		line, _ := io.ReadAll(r.Body)
		write(w, r, mux.Vars(r)["flight_id"], line)
	}).Methods(http.MethodPost)
	r.HandleFunc("/notes", func(w http.ResponseWriter, r *http.Request) {
		line, _ := io.ReadAll(r.Body)
		var note struct {
			FlightID string `json:"flight_id"`
		}
		_ = json.Unmarshal(line, &note)
		write(w, r, note.FlightID, line)
	}).Methods(http.MethodPost)
	read := func(w http.ResponseWriter, r *http.Request) {
		lines, err := store.Read(bucket.Of(mux.Vars(r)["flight_id"]))
		if err != nil {
			web.Fail(w, r, err)
			return
		}
		_, _ = w.Write(bytes.Join(lines, []byte("\n")))
	}
	r.HandleFunc("/notes/{flight_id}", read).Methods(http.MethodGet)
	r.HandleFunc("/unkeyed/{flight_id}", read).Methods(http.MethodGet)
	return r
}

const notesRoutes = `version: 1
backends:
  monolith: { kind: inproc, store: one }
  notes:    { kind: http, url: "%s", store: other, timeout: 2s }
routes:
  - id: notes
    match: { paths: ["/notes/{flight_id}", /notes, "/unkeyed/{x}"] }
    stateful: { aggregate: [ "path:flight_id", "json:flight_id" ], participant: notes, pauseBudget: 10s, maxWait: %s, maxWaiters: %d }
    backends: { monolith: 100%%, notes: 0%% }
`

// split is a system whose notes can be handed over, with any number of routers.
type split struct {
	db         *sqldb.DB
	home, away *handovertest.Memory
	url, file  string
}

func newSplit(t *testing.T, maxWait string, maxWaiters int) *split {
	t.Helper()
	s := &split{db: dbtest.SQLite(t), home: handovertest.NewMemory(), away: handovertest.NewMemory()}
	all := make([]int, bucket.Count)
	for i := range all {
		all[i] = i
	}
	s.home.Own(1, all...)
	service := mux.NewRouter()
	handoverhttp.Mount(service, "notes", s.away, "")
	service.NotFoundHandler = notes(s.away)
	s.url = startBackend(t, service).URL
	s.file = filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(s.file, []byte(fmt.Sprintf(notesRoutes, s.url, maxWait, maxWaiters)), 0o600); err != nil {
		t.Fatal(err)
	}
	storeOn(t, s.db)
	return s
}

// start adds a router.
func (s *split) start(t *testing.T) (*proxy.Router, *front) {
	t.Helper()
	c, err := routes.Load(s.file)
	if err != nil {
		t.Fatal(err)
	}
	router, err := proxy.New(t.Context(), proxy.Options{
		Config: c, Modules: map[string]http.Handler{"monolith": notes(s.home)}, Weights: weights.New(s.db),
		Handover: proxy.Handover{Journal: s.db, Participants: map[string]kernel.Participant{"notes": s.home}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { router.Run(ctx) })
	front := startFront(t, web.RequestIDs(router))
	t.Cleanup(func() { front.Close(); cancel(); done.Wait() })
	return router, front
}

func shift(t *testing.T, router *proxy.Router, to canary.Weight) {
	t.Helper()
	_, err := router.Apply(t.Context(), proxy.Order{
		Route: "notes", Action: proxy.Set, Weights: weights.Weights{"notes": to}, Reason: "test", Actor: "tester",
	})
	if err != nil {
		t.Fatal(err)
	}
}

// owned counts the buckets that a store owns.
func owned(t *testing.T, p kernel.Participant) int {
	t.Helper()
	s, err := p.Status(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range s.Fences {
		if f.Mode == kernel.Active {
			n++
		}
	}
	return n
}

// settle waits until the extracted side owns so many buckets, and the home the others.
func settle(t *testing.T, s *split, buckets int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); owned(t, s.away) != buckets || owned(t, s.home) != bucket.Count-buckets; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d and %d buckets are owned, not %d away", owned(t, s.home), owned(t, s.away), buckets)
		}
	}
}

// send gives status and body.
func send(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// Writers and readers notice nothing of a weight that goes up and down, whichever of two
// routers they ask; everything that was acknowledged is there in the end.
func TestDataMovesWithTheWeight(t *testing.T) {
	s := newSplit(t, "20s", 256)
	first, front := s.start(t)
	_, other := s.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var sent atomic.Int64
	written := make([][]string, 4)
	for c := range written {
		clients.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				url := []string{front.URL, other.URL}[i%2]
				flight := fmt.Sprintf("AA%d-JFK-20261121", i%500)
				line := fmt.Sprintf(`{"flight_id":"%s","line":"%d %d"}`, flight, c, i)
				path := []string{"/notes/" + flight, "/notes"}[i%3%2]
				if status, body := send(t, http.MethodPost, url+path, line); status != http.StatusCreated {
					t.Errorf("write: %d %s", status, body)
					return
				}
				written[c] = append(written[c], line)
				if status, body := send(t, http.MethodGet, url+"/notes/"+flight, ""); status != http.StatusOK || !strings.Contains(body, line) {
					t.Errorf("my write is not in what I read: %d", status)
					return
				}
				sent.Add(2)
			}
		})
	}
	for _, weight := range []canary.Weight{500, 5000, 10000, 2500, 0} {
		shift(t, first, weight)
		settle(t, s, int(weight))
	}
	cancel()
	clients.Wait()
	for _, lines := range written {
		for _, line := range lines {
			var note struct {
				FlightID string `json:"flight_id"`
			}
			_ = json.Unmarshal([]byte(line), &note)
			stored, err := s.home.Read(bucket.Of(note.FlightID))
			if err != nil || !bytes.Contains(bytes.Join(stored, nil), []byte(line)) {
				t.Fatalf("%s is lost (%v)", line, err)
			}
		}
	}
	t.Logf("%d requests", sent.Load())
}

// A request that does not say what it is about is asked of both sides.
func TestRequestWithoutBucket(t *testing.T) {
	s := newSplit(t, "2s", 256)
	router, front := s.start(t)
	const flight = "AA1-JFK-20261121"
	if status, body := send(t, http.MethodPost, front.URL+"/notes/"+flight, `{"line":"one"}`); status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	shift(t, router, canary.Full)
	settle(t, s, bucket.Count)
	if status, body := send(t, http.MethodGet, front.URL+"/unkeyed/"+flight, ""); status != http.StatusOK || body != `{"line":"one"}` {
		t.Errorf("%d %s", status, body)
	}
}

// A bucket that stays frozen keeps writes waiting for maxWait, and no more of them than
// maxWaiters; then they are told to try again, and nothing was done.
func TestWaitingIsBounded(t *testing.T) {
	s := newSplit(t, "300ms", 2)
	_, front := s.start(t)
	const flight = "AA1-JFK-20261121"
	// As a coordinator that died after freezing leaves it, until others take it for dead.
	m, err := handover.NewJournal(s.db, "notes").Begin(t.Context(),
		handover.Batch{Source: "monolith", Target: "notes", Buckets: []int{bucket.Of(flight)}, Reason: "test"}, "dead", 4)
	if err != nil {
		t.Fatal(err)
	}
	if refused, err := s.home.Order(t.Context(), kernel.Order{Op: kernel.Freeze, Epoch: m.Epoch, Buckets: []int{bucket.Of(flight)}}); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	begun := time.Now()
	status, body := send(t, http.MethodPost, front.URL+"/notes/"+flight, `{}`)
	if status != http.StatusServiceUnavailable || time.Since(begun) < 250*time.Millisecond || !strings.Contains(body, "try again") {
		t.Errorf("after %s: %d %s", time.Since(begun), status, body)
	}
	var crowd sync.WaitGroup
	var turnedAway atomic.Int64
	for range 5 {
		crowd.Go(func() {
			status, body := send(t, http.MethodPost, front.URL+"/notes/"+flight, `{}`)
			if status != http.StatusServiceUnavailable {
				t.Errorf("%d %s", status, body)
			}
			if strings.Contains(body, "2 requests wait") {
				turnedAway.Add(1)
			}
		})
	}
	if crowd.Wait(); turnedAway.Load() != 3 {
		t.Errorf("%d of 5 were turned away, with room for 2", turnedAway.Load())
	}
	if status, body := send(t, http.MethodGet, front.URL+"/notes/"+flight, ""); status != http.StatusOK || body != "" {
		t.Errorf("reading goes on, and finds nothing: %d %q", status, body)
	}
	if status, body := send(t, http.MethodPost, front.URL+"/notes/"+flight, strings.Repeat("x", 65<<10)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that cannot be held: %d %s", status, body)
	}
}

// Whoever names no version is not refused because another replica was faster.
func TestOrdersOfTwoReplicas(t *testing.T) {
	s := newSplit(t, "2s", 256)
	first, _ := s.start(t)
	other, _ := s.start(t)
	for i := range 5 {
		shift(t, first, canary.Weight(i))
		shift(t, other, canary.Weight(i+1))
	}
}
