package proxyroute_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/routes"
)

// serveAs makes the test binary a server: plain or routed.
const serveAs = "BANYAN_TEST_BENCH_SERVE"

const (
	rounds   = 41
	requests = 5_000 // of a round
	wanted   = 1.05
)

func TestMain(m *testing.M) {
	variant := os.Getenv(serveAs)
	if variant == "" {
		os.Exit(m.Run())
	}
	if err := server(variant == "routed"); err != nil {
		fmt.Fprintln(os.Stderr, "proxyroute:", err)
		os.Exit(1)
	}
}

// flight is an answer as a context gives it.
type flight struct {
	FlightID    string            `json:"flight_id"`
	Designator  string            `json:"designator"`
	Origin      string            `json:"origin"`
	Destination string            `json:"destination"`
	Departure   map[string]string `json:"departure"`
	Arrival     map[string]string `json:"arrival"`
}

// contextHandler is built as a context's is.
func contextHandler() http.Handler {
	r := web.NewRouter()
	r.HandleFunc("/v1/flights/{flight_id}", func(w http.ResponseWriter, r *http.Request) {
		web.JSON(w, http.StatusOK, flight{
			FlightID: r.URL.Path[len("/v1/flights/"):], Designator: "AA34", Origin: "JFK", Destination: "LAX",
			Departure: map[string]string{"local": "2026-11-21T13:20", "tz": "America/New_York", "utc": "2026-11-21T18:20:00Z"},
			Arrival:   map[string]string{"local": "2026-11-21T16:45", "tz": "America/Los_Angeles", "utc": "2026-11-22T00:45:00Z"},
		})
	}).Methods(http.MethodGet)
	return r
}

const routesFile = `version: 1
backends:
  flights: { kind: http, url: "http://127.0.0.1:1", store: monolith }
routes:
  - id: flights-read
    match: { methods: [GET], paths: [/v1/flights, /v1/flights/{flight_id}, /v1/flights/{flight_id}/seat-map] }
    backends: { monolith: 100%, flights: 0% }
    hashOn: [ header:X-Customer-Id, path:flight_id, client-ip ]
  - id: reservations
    match: { paths: [/v1/flights/{flight_id}/holds, /v1/holds/{hold_id}/**] }
    backends: { monolith: 100%, flights: 0% }
`

// server answers until its standard input ends. Each line there asks for the CPU time
// that it has used, in microseconds.
func server(routed bool) error {
	h := contextHandler()
	if routed {
		c, err := routes.Parse("routes.yaml", []byte(routesFile))
		if err != nil {
			return err
		}
		if h, err = proxy.New(context.Background(), proxy.Options{Config: c, Modules: map[string]http.Handler{routes.Monolith: h}}); err != nil {
			return err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: web.Edge{}.Wrap(h), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = srv.Serve(l) }()
	fmt.Println(l.Addr())
	for asks := bufio.NewScanner(os.Stdin); asks.Scan(); {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			return err
		}
		fmt.Println(used.Utime.Nano()/1000 + used.Stime.Nano()/1000)
	}
	return srv.Close()
}

// child is a server under measurement.
type child struct {
	cmd   *exec.Cmd
	ask   io.WriteCloser
	lines *bufio.Scanner
	addr  string
}

func startChild(ctx context.Context, variant string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self)}
	c.cmd.Env = append(os.Environ(), serveAs+"="+variant)
	c.cmd.Stderr = os.Stderr
	if c.ask, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.lines = bufio.NewScanner(out)
	if !c.lines.Scan() {
		return nil, errors.New("the server did not start")
	}
	c.addr = c.lines.Text()
	return c, nil
}

func (c *child) stop() {
	_ = c.ask.Close()
	_ = c.cmd.Wait()
}

func (c *child) cpu() (int64, error) {
	if _, err := io.WriteString(c.ask, "\n"); err != nil {
		return 0, err
	}
	if !c.lines.Scan() {
		return 0, errors.New("the server went away")
	}
	return strconv.ParseInt(c.lines.Text(), 10, 64)
}

// round gives the server's CPU time per request in microseconds.
func (c *child) round(requests int) (float64, error) {
	before, err := c.cpu()
	if err != nil {
		return 0, err
	}
	if err := load(c.addr, requests); err != nil {
		return 0, err
	}
	after, err := c.cpu()
	return float64(after-before) / float64(requests), err
}

const connections = 8

// load sends requests over kept connections, one at a time on each.
func load(addr string, requests int) error {
	failures := make([]error, connections)
	var callers sync.WaitGroup
	for i := range connections {
		callers.Go(func() { failures[i] = caller(addr, requests/connections, i) })
	}
	callers.Wait()
	return errors.Join(failures...)
}

func caller(addr string, requests, n int) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	request := fmt.Appendf(nil, "GET /v1/flights/AA34-JFK-20261121 HTTP/1.1\r\nHost: bench\r\nX-Customer-Id: customer-%d\r\nX-Request-Id: bench\r\n\r\n", n)
	in := bufio.NewReader(conn)
	for range requests {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("the server answered %s", resp.Status)
		}
	}
	return nil
}

// BenchmarkRouting compares the two variants.
func BenchmarkRouting(b *testing.B) {
	var children []*child
	for _, variant := range []string{"plain", "routed"} {
		c, err := startChild(b.Context(), variant)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(c.stop)
		children = append(children, c)
		measure(b, c) // warm up
	}
	var used [2][]float64
	for b.Loop() {
		for round := range rounds {
			for turn := range used {
				i := (round + turn) % 2 // who begins changes
				used[i] = append(used[i], measure(b, children[i]))
			}
		}
	}
	ratio := quartile(used[1]) / quartile(used[0])
	b.ReportMetric(0, "ns/op") // a round is no operation
	b.ReportMetric(quartile(used[0]), "plain-cpu-µs")
	b.ReportMetric(quartile(used[1]), "routed-cpu-µs")
	b.ReportMetric(ratio, "ratio")
	verdict := "reached"
	if ratio > wanted {
		verdict = "MISSED"
	}
	fmt.Printf("\n%-40s %8.3f   wanted <= %-7.2f %s\n", b.Name(), ratio, wanted, verdict)
}

func measure(b *testing.B, c *child) float64 {
	b.Helper()
	cpu, err := c.round(requests)
	if err != nil {
		b.Fatal(err)
	}
	return cpu
}

// quartile is the lower one: whatever disturbs a round makes it dearer, never cheaper.
func quartile(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/4]
}
