package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
)

// TestShiftUnderLoad runs the three programs over one MariaDB and moves every route from
// 0 to 100 % and back, by command and by file, while customers search and book. Not one
// request may fail, and what was booked is what is taken.
func TestShiftUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the three programs")
	}
	dsn := dbtest.MySQLDSN(t)
	flightsAddr, reservationsAddr := freeAddr(t), freeAddr(t)
	routes := filepath.Join(t.TempDir(), "routes.yaml")
	writeRoutes(t, routes, flightsAddr, reservationsAddr, 0)
	s := serveIn(t, "--mysql-dsn", dsn, "--sample-data", "--routes", routes, "--log-level", "error")
	flight := aFlight(t, s)
	startExtracted(t, "flights", "--listen", flightsAddr, "--mysql-dsn", dsn)
	startExtracted(t, "reservations", "--listen", reservationsAddr, "--mysql-dsn", dsn)

	load := startLoad(t, s.url, flight)
	for _, route := range []string{"flights-read", "reservations"} {
		for _, weight := range []string{"1%", "25%", "100%", "40%", "0%"} {
			code, _, stderr := command(t, nil, "routes", "set-weight", route, weight, "--reason", "test", "--admin", s.admin)
			if code != 0 {
				t.Fatalf("set-weight %s %s: exit %d: %s", route, weight, code, stderr)
			}
			load.await(t, 150)
		}
	}
	writeRoutes(t, routes, flightsAddr, reservationsAddr, 50)
	load.await(t, 600)
	writeRoutes(t, routes, flightsAddr, reservationsAddr, 0)
	load.await(t, 300)
	load.finish(t, s.url, flight, "monolith", "flights", "reservations")
}

const routesFile = `version: 1
backends:
  monolith:     { kind: inproc, store: monolith }
  flights:      { kind: http, url: "http://%s", store: monolith, health: { path: /health, interval: 200ms }, timeout: 10s }
  reservations: { kind: http, url: "http://%s", store: monolith, health: { path: /health, interval: 200ms }, timeout: 10s }
routes:
  - id: flights-read
    match: { methods: [GET], paths: [/v1/flights, "/v1/flights/{flight_id}", "/v1/flights/{flight_id}/seat-map"] }
    backends: { monolith: %d%%, flights: %d%% }
    hashOn: [ header:X-Customer-Id, client-ip ]
  - id: reservations
    match: { paths: ["/v1/flights/{flight_id}/holds", "/v1/flights/{flight_id}/seats", "/v1/holds/{hold_id}/**", "/v1/reservations/{id}/**"] }
    backends: { monolith: %d%%, reservations: %d%% }
    hashOn: [ header:X-Customer-Id, client-ip ]
`

// writeRoutes replaces the file in one step, as an editor or a mount does.
func writeRoutes(t *testing.T, path, flights, reservations string, percent int) {
	t.Helper()
	text := fmt.Sprintf(routesFile, flights, reservations, 100-percent, percent, 100-percent, percent)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// freeAddr finds a port below those that the system gives to connections, one of which
// might take it before the service listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(9_000))
		if l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	t.Fatal("there is no free port between 10000 and 19000")
	return ""
}

// startExtracted builds and runs an extracted service until the test's end.
func startExtracted(t *testing.T, name string, args ...string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../extracted/"+name).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var stderr output
	cmd := exec.CommandContext(context.Background(), binary, append(args, "--log-level", "error")...)
	cmd.Env = []string{"HOME=" + os.Getenv("HOME")}
	cmd.Stdout, cmd.Stderr = &stderr, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", name, stderr.String())
		}
	})
	url := "http://" + args[1] + "/health"
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if status, _, _, err := call(t.Context(), "GET", url, ""); err == nil && status == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not start:\n%s", name, stderr.String())
		}
	}
}

// load is customers that search and book without a pause.
type load struct {
	stop      context.CancelFunc
	customers sync.WaitGroup
	answered  atomic.Int64
	mu        sync.Mutex
	failures  []string
	backends  map[string]int    // answers by backend
	booked    map[string]string // reservation by seat
}

func startLoad(t *testing.T, url, flight string) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop, backends: map[string]int{}, booked: map[string]string{}}
	t.Cleanup(func() { stop(); l.customers.Wait() })
	for n, column := range []string{"A", "C", "D", "F"} {
		l.customers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				l.shop(url, flight, fmt.Sprintf("%d%s", 10+i%20, column), fmt.Sprintf("c%d-%d", n, i))
			}
		})
	}
	return l
}

// shop is one customer's visit: search, look, hold, confirm, and every other time cancel.
func (l *load) shop(url, flight, seat, customer string) {
	id := []string{"X-Customer-Id", customer}
	l.ask("GET", url+"/v1/flights?origin=JFK&limit=5", "", 200, id...)
	l.ask("GET", url+"/v1/flights/"+flight, "", 200, id...)
	held := l.ask("POST", url+"/v1/flights/"+flight+"/holds", fmt.Sprintf(`{"seats":[%q],"customer_id":%q}`, seat, customer),
		201, append(id, "Idempotency-Key", "h"+customer)...)
	if held["code"] == "seat_taken" || held["code"] == "seat_unknown" {
		return
	}
	booked := l.ask("POST", fmt.Sprintf("%s/v1/holds/%s/confirm", url, held["hold_id"]), "", 200,
		append(id, "X-Hold-Token", fmt.Sprint(held["token"]), "Idempotency-Key", "c"+customer)...)
	reservation := fmt.Sprint(booked["reservation_id"])
	l.mu.Lock()
	l.booked[seat] = reservation
	l.mu.Unlock()
	if strings.HasSuffix(customer, "0") {
		return // keeps the seat
	}
	l.ask("DELETE", url+"/v1/reservations/"+reservation, "", 200, id...)
	l.mu.Lock()
	delete(l.booked, seat)
	l.mu.Unlock()
}

// ask counts an answer that is neither the one wanted nor a seat that is not to be had.
func (l *load) ask(method, url, body string, status int, header ...string) map[string]any {
	got, head, answer, err := call(context.Background(), method, url, body, header...)
	l.answered.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backends[head.Get("X-Banyan-Backend")]++
	fine := answer["code"] == "seat_taken" || answer["code"] == "seat_unknown"
	if err != nil || (got != status && !fine) {
		l.failures = append(l.failures, fmt.Sprintf("%s %s: %d %v %v", method, url, got, answer, err))
	}
	return answer
}

// await lets some more requests be answered.
func (l *load) await(t *testing.T, requests int64) {
	t.Helper()
	until := l.answered.Load() + requests
	for deadline := time.Now().Add(time.Minute); l.answered.Load() < until; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the customers get no answers")
		}
	}
}

// finish ends the load and holds it to the promise; each of the backends has answered.
func (l *load) finish(t *testing.T, url, flight string, backends ...string) {
	t.Helper()
	l.stop()
	l.customers.Wait()
	for i, f := range l.failures {
		if i < 10 {
			t.Error(f)
		}
	}
	t.Logf("%d requests, %d failed, answered by %v; %d seats sold", l.answered.Load(), len(l.failures), l.backends, len(l.booked))
	for _, name := range backends {
		if l.backends[name] == 0 {
			t.Errorf("nothing was answered by %s", name)
		}
	}
	states, _ := want(t, 200, "GET", url+"/v1/flights/"+flight+"/seats", "")["seats"].(map[string]any)
	if len(states) != len(l.booked) || len(l.booked) == 0 {
		t.Errorf("%d seats are taken, %d were sold", len(states), len(l.booked))
	}
	for seat, reservation := range l.booked {
		r := want(t, 200, "GET", url+"/v1/reservations/"+reservation, "")
		if states[seat] != "RESERVED" || fmt.Sprint(r["seats"]) != "["+seat+"]" {
			t.Errorf("seat %s of %s is %v, %v", seat, reservation, states[seat], r)
		}
	}
}
