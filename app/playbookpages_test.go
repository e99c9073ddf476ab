package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/proxy/playbook"
)

// running starts a service that a test stops and starts again; start waits until it is
// healthy, stop until it has ended by itself.
type running struct {
	binary string
	cmd    *exec.Cmd
	stderr output
}

func buildService(t *testing.T, name string) *running {
	t.Helper()
	r := &running{binary: filepath.Join(t.TempDir(), name)}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", r.binary, "../extracted/"+name).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if r.cmd != nil {
			_ = r.cmd.Process.Kill()
			_ = r.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("%s:\n%s", name, r.stderr.String())
		}
	})
	return r
}

func (r *running) start(t *testing.T, args ...string) {
	t.Helper()
	r.cmd = exec.CommandContext(context.Background(), r.binary, append(args, "--log-level", "error")...)
	r.cmd.Env = []string{"HOME=" + os.Getenv("HOME")}
	r.cmd.Stdout, r.cmd.Stderr = &r.stderr, &r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the service is healthy", func() bool {
		status, _, _, err := call(t.Context(), "GET", "http://"+args[1]+"/health", "")
		return err == nil && status == 200
	})
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = r.cmd.Wait()
	r.cmd = nil
}

// bothKinds is a route over one store, and one that moves its data.
const bothKinds = `version: 1
backends:
  monolith:     { kind: inproc, store: monolith }
  flights:      { kind: http, url: "http://%s", store: monolith, health: { path: /health, interval: 200ms }, timeout: 10s }
  reservations: { kind: http, url: "http://%s", store: reservations, health: { path: /health, interval: 200ms }, timeout: 10s }
routes:
  - id: flights-read
    match: { methods: [GET], paths: [/v1/flights, "/v1/flights/{flight_id}", "/v1/flights/{flight_id}/seat-map"] }
    backends: { monolith: 70%%, flights: 30%% }
    hashOn: [ header:X-Customer-Id, client-ip ]
  - id: reservations
    match:
      paths:
        - /v1/flights/{flight_id}/holds
        - /v1/flights/{flight_id}/reservations
        - /v1/flights/{flight_id}/seats
        - /v1/holds/{hold_id}/**
        - /v1/reservations/{reservation_id}/**
    stateful: { aggregate: [ path:flight_id, id:hold_id, id:reservation_id, json:flight_id ], participant: reservations, pauseBudget: 5s, maxWait: 20s, retain: %s }
    backends: { monolith: %d%%, reservations: %d%% }
`

// town is a monolith with both services, and customers.
type town struct {
	served
	operator
	*load
	flight       string
	routes       string // file
	addr         [2]string
	dsn, redis   string
	flights      *running
	reservations *running
}

// newTown starts the programs, hands a share of the reservations over, and lets customers
// book a flight that is away.
func newTown(t *testing.T) *town {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds the programs")
	}
	c := &town{dsn: dbtest.MySQLDSN(t), redis: dbtest.RedisAddr(t), addr: [2]string{freeAddr(t), freeAddr(t)}}
	c.routes = filepath.Join(t.TempDir(), "routes.yaml")
	c.write(t, "24h", 0)
	c.served = serveIn(t, "--mysql-dsn", c.dsn, "--sample-data", "--routes", c.routes, "--log-level", "error")
	aFlight(t, c.served)
	c.flights, c.reservations = buildService(t, "flights"), buildService(t, "reservations")
	c.startFlights(t)
	c.startReservations(t)
	c.operator = newOperator(t, c.served)
	c.shift(t, "4%")
	c.flight = c.aFlightAway(t)
	c.load = startLoad(t, c.url, c.flight)
	c.await(t, 50)
	return c
}

// aFlightAway gives a flight that is sold at the service.
func (c *town) aFlightAway(t *testing.T) string {
	t.Helper()
	cursor := ""
	for range 5 {
		page := want(t, 200, "GET", c.url+"/v1/flights?limit=200"+cursor, "")
		for _, f := range page["flights"].([]any) {
			id := f.(map[string]any)["flight_id"].(string)
			status, header, _, err := call(t.Context(), "GET", c.url+"/v1/flights/"+id+"/seats", "")
			if err == nil && status == 200 && header.Get("X-Banyan-Backend") == "reservations" {
				return id
			}
		}
		cursor = "&cursor=" + url.QueryEscape(fmt.Sprint(page["next_cursor"]))
	}
	t.Fatal("not one of 1000 flights is away")
	return ""
}

// write replaces the routes file in one step.
func (c *town) write(t *testing.T, retain string, percent int) {
	t.Helper()
	text := fmt.Appendf(nil, bothKinds, c.addr[0], c.addr[1], retain, 100-percent, percent)
	if err := os.WriteFile(c.routes+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(c.routes+".new", c.routes); err != nil {
		t.Fatal(err)
	}
}

func (c *town) startFlights(t *testing.T) {
	c.flights.start(t, "--listen", c.addr[0], "--mysql-dsn", c.dsn)
}

// startReservations starts the service on a store of its own that is empty.
func (c *town) startReservations(t *testing.T) {
	c.reservations.start(t, "--listen", c.addr[1], "--redis-addr", c.redis, "--redis-namespace", dbtest.Namespace(), "--flights-url", c.url, "--router", c.url)
}

// shift sets the share of reservations that is away.
func (c *town) shift(t *testing.T, weight string) {
	t.Helper()
	code, _, stderr := command(t, []string{"BANYAN_ADMIN=" + c.admin}, "routes", "set-weight", "reservations", weight, "--reason", "test", "--wait")
	if code != 0 {
		t.Fatalf("set-weight %s: exit %d: %s", weight, code, stderr)
	}
}

// at wants a route's weights.
func (c *town) at(t *testing.T, route, backend, weight string) {
	t.Helper()
	v := want(t, 200, "GET", c.admin+"/admin/v1/routes/"+route, "")
	got := v["weights"].(map[string]any)["effective"].(map[string]any)[backend]
	if fmt.Sprint(got) != weight {
		t.Errorf("route %s has %s of its weight at %s, not %s", route, got, backend, weight)
	}
}

// TestPlaybooks runs pages from start to end against real programs on MariaDB and Redis
// while customers book: not one request may fail.
func TestPlaybooks(t *testing.T) {
	c := newTown(t)
	for _, p := range []struct {
		name string
		test func(*testing.T)
	}{
		{"roll-back", c.rollBack}, {"drain-a-service", c.drain}, {"replace-the-store", c.replaceStore}, {"retire-the-monoliths-part", c.retire},
	} {
		if !t.Run(p.name, p.test) {
			return
		}
	}
	c.finish(t, c.url, c.flight, "monolith", "flights", "reservations")
}

// rollBack runs the page on a route of either kind, and the ways back.
func (c *town) rollBack(t *testing.T) {
	for route, backend := range map[string]string{"flights-read": "flights", "reservations": "reservations"} {
		before := map[string]string{"flights-read": "30%", "reservations": "4%"}[route]
		run, _ := c.playbook(t, 0, "run", page("roll-back"), "--set", "ROUTE="+route, "--reason", "test")
		c.await(t, 50)
		if run.State != playbook.Done || run.Variables["WAS"] != before || run.Reason != "test" {
			t.Errorf("the run is %+v", run)
		}
		c.at(t, route, "monolith", "100%")
		c.playbook(t, 0, "resume", run.ID, "--way-back")
		c.await(t, 50)
		c.at(t, route, backend, before)
	}
}

// drain takes a service out and puts it back; what a person does is done here.
func (c *town) drain(t *testing.T) {
	run, said := c.playbook(t, 3, "run", page("drain-a-service"), "--set", "ROUTE=flights-read")
	if !strings.Contains(said, "SIGTERM") {
		t.Errorf("it does not say what to do: %s", said)
	}
	c.at(t, "flights-read", "monolith", "100%")
	c.flights.stop(t)
	c.await(t, 100)
	c.startFlights(t)
	run, _ = c.playbook(t, 0, "resume", run.ID, "--yes")
	c.await(t, 100)
	c.at(t, "flights-read", "flights", "30%")
	if run.Attempt != 2 || run.State != playbook.Done {
		t.Errorf("the run is %+v", run)
	}
}

// replaceStore exchanges one Redis for an empty one.
func (c *town) replaceStore(t *testing.T) {
	run, _ := c.playbook(t, 3, "run", page("replace-the-store"))
	c.reservations.stop(t)
	c.await(t, 100)
	c.startReservations(t)
	c.playbook(t, 0, "resume", run.ID, "--yes")
	c.await(t, 100)
	c.at(t, "reservations", "reservations", "4%")
}

// retire lets the monolith forget what it no longer answers.
func (c *town) retire(t *testing.T) {
	c.playbook(t, 3, "run", page("retire-the-monoliths-part")) // it is not at 100 % yet
	c.shift(t, "100%")
	run, _ := c.playbook(t, 3, "run", page("retire-the-monoliths-part"), "--anew")
	if !run.Has("1") {
		t.Errorf("it stops before it waits for the file: %+v", run)
	}
	c.write(t, "2s", 100)
	c.playbook(t, 0, "resume", run.ID, "--yes")
	c.await(t, 100)
	c.at(t, "reservations", "monolith", "0%")
}
