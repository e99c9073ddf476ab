package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/web"
)

const movableFlights = `version: 1
backends:
  monolith: { kind: inproc, store: monolith }
  flights:  { kind: http, urls: [ "http://%s", "http://%s" ], store: flights, timeout: 10s }
routes:
  - id: flights
    match:
      paths:
        - /v1/flights
        - /v1/flights/{flight_id}
        - /v1/flights/{flight_id}/seat-map
        - /flights
        - /flights/{flight_no}/seat_map
    stateful: { aggregate: [ path:flight_id ], participant: flights, maxWait: 10s, pauseBudget: 5s }
    backends: { monolith: 100%%, flights: 0%% }
`

// TestShiftFlightsUnderLoad hands every flight over to a service with a schema of its own,
// and home again, while customers search and look. Not one request may fail, and every
// search finds what it found before. Flights that are scheduled there can be sold here.
// The service's first address is dead, which nobody may notice.
func TestShiftFlightsUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the programs")
	}
	addr := freeAddr(t)
	routes := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(routes, fmt.Appendf(nil, movableFlights, freeAddr(t), addr), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveIn(t, "--mysql-dsn", dbtest.MySQLDSN(t), "--sample-data", "--routes", routes,
		"--participant-token", "t0ken", "--log-level", "error")
	startExtracted(t, "flights", "--listen", addr, "--mysql-dsn", dbtest.MySQLDSN(t),
		"--home-url", s.url, "--participant-token", "t0ken")
	l := startLooking(t, s.url)
	for i, weight := range []string{"30%", "100%", "0%"} {
		begun := time.Now()
		code, out, stderr := command(t, nil, "routes", "set-weight", "flights", weight, "--reason", "test", "--wait", "--admin", s.admin)
		if code != 0 {
			t.Fatalf("set-weight %s: exit %d: %s%s", weight, code, out, stderr)
		}
		l.await(t, 10)
		t.Logf("%s after %s", weight, time.Since(begun))
		if weight == "30%" { // there is something of both
			l.bothAnswer(t)
		}
		sellNew(t, s, fmt.Sprintf("ZZ90%d", i), weight)
	}
	l.finish(t)
	isEmpty(t, addr)
}

// sellNew schedules a flight, changes its aircraft, and waits until its seats are for sale.
func sellNew(t *testing.T, s served, designator, weight string) {
	t.Helper()
	date := time.Now().UTC().AddDate(0, 0, 5).Format(time.DateOnly)
	_, header, f, err := call(t.Context(), "POST", s.url+"/v1/flights", fmt.Sprintf(`{"designator":%q,"origin":"JFK","destination":"LHR",
		"departure":"%[2]sT09:00","arrival":"%[2]sT21:00","aircraft":"A320","fares":{"ECONOMY":{"amount":"129.90","currency":"USD"}}}`, designator, date),
		"Idempotency-Key", designator)
	id := fmt.Sprint(f["flight_id"])
	if err != nil || id != designator+"-JFK-"+strings.ReplaceAll(date, "-", "") {
		t.Fatalf("at %s, scheduled: %v %v %v", weight, f, header, err)
	}
	want(t, 200, "PATCH", s.url+"/v1/flights/"+id, `{"aircraft":"B789"}`, "If-Match", header.Get("ETag"))
	seats := s.url + "/v1/flights/" + id + "/seats"
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if status, _, _, err := call(t.Context(), "GET", seats, ""); err == nil && status == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("at %s, reservations does not hear of %s", weight, id)
		}
	}
}

// isEmpty wants the extracted service to own nothing.
func isEmpty(t *testing.T, addr string) {
	t.Helper()
	away := handoverhttp.NewClient("http://"+addr, flightsData, "t0ken", web.NewTransport(web.TransportOptions{}))
	status, err := away.Status(t.Context(), nil)
	if err != nil || len(status.Fences) == 0 {
		t.Fatalf("status: %d fences, %v", len(status.Fences), err)
	}
	for _, f := range status.Fences {
		if f.Mode == handover.Active {
			t.Fatalf("bucket %d is not home again: %+v", f.Bucket, f)
		}
	}
}

// looking is customers that search, and look at what they found, without a pause.
type looking struct {
	url       string
	stop      context.CancelFunc
	customers sync.WaitGroup
	rounds    atomic.Int64 // whole searches
	mu        sync.Mutex
	answered  int
	failures  []string
	backends  map[string]int // answers about one flight, by backend
}

// startLooking learns what searches find, and starts the customers.
func startLooking(t *testing.T, url string) *looking {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &looking{url: url, stop: stop, backends: map[string]int{}}
	t.Cleanup(func() { stop(); l.customers.Wait() })
	const sample = "carriers=AA,BA,LH,SQ"
	for _, query := range []string{sample + "&limit=40", sample + "&limit=7&origin=JFK", sample + "&limit=30&sort=price&currency=USD"} {
		found := l.search(query)
		if len(found) < 20 || len(l.failures) > 0 {
			t.Fatalf("%s finds %v; %v", query, found, l.failures)
		}
		l.customers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if again := l.search(query); strings.Join(again, " ") != strings.Join(found, " ") {
					l.fail("%s found %d flights, not %d, or in another order", query, len(again), len(found))
				}
				l.rounds.Add(1)
				pause(ctx, 50*time.Millisecond) // the moves need the machine, too
				for j := range 10 {
					l.look(found[(10*i+j)%len(found)])
				}
			}
		})
	}
	return l
}

// pause keeps a customer from asking all the time.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// search gives all pages of a search.
func (l *looking) search(query string) (ids []string) {
	cursor := ""
	for range 100 {
		page := l.get("/v1/flights?" + query + cursor)
		list, _ := page["flights"].([]any)
		for _, f := range list {
			ids = append(ids, fmt.Sprint(f.(map[string]any)["flight_id"]))
		}
		next, _ := page["next_cursor"].(string)
		if next == "" {
			return ids
		}
		cursor = "&cursor=" + url.QueryEscape(next)
	}
	l.fail("%s has no end", query)
	return nil
}

// look is what a customer does with a flight that was found.
func (l *looking) look(id string) {
	f := l.get("/v1/flights/" + id)
	l.get("/v1/flights/" + id + "/seat-map")
	departure, _ := f["departure"].(map[string]any)
	number, _, _ := strings.Cut(id, "-")
	book := l.get("/flights?flight_no=" + number + "&departure_date_time=" + url.QueryEscape(fmt.Sprint(departure["local"])))
	l.get("/flights/" + id + "/seat_map")
	if f["flight_id"] != id || book["flight_id"] != id {
		l.fail("%s is %v, and in the book's words %v", id, f["flight_id"], book["flight_id"])
	}
}

// get counts an answer that is no 200.
func (l *looking) get(path string) map[string]any {
	status, header, answer, err := call(context.Background(), "GET", l.url+path, "")
	if err != nil || status != 200 {
		l.fail("GET %s: %d %v %v", path, status, answer, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered++
	if strings.HasPrefix(path, "/v1/flights/") {
		l.backends[header.Get("X-Banyan-Backend")]++
	}
	return answer
}

func (l *looking) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, fmt.Sprintf(format, args...))
}

// await lets some more searches end.
func (l *looking) await(t *testing.T, searches int64) {
	t.Helper()
	until := l.rounds.Load() + searches
	for deadline := time.Now().Add(time.Minute); l.rounds.Load() < until; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the customers get no answers")
		}
	}
}

// bothAnswer wants either store to have answered about its flights.
func (l *looking) bothAnswer(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.backends["monolith"] == 0 || l.backends["flights"] == 0 {
		t.Errorf("answers by %v", l.backends)
	}
}

// finish ends the load and holds it to the promise.
func (l *looking) finish(t *testing.T) {
	t.Helper()
	l.stop()
	l.customers.Wait()
	for i, f := range l.failures {
		if i < 10 {
			t.Error(f)
		}
	}
	t.Logf("%d requests, %d searches, %d failures, answered by %v", l.answered, l.rounds.Load(), len(l.failures), l.backends)
}
