package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"banyan/proxy"
	"banyan/proxy/routes"
)

// backendAddress is set in the process that plays both sides, so that the CPU time of the
// one that routes is its own.
const backendAddress = "BANYAN_BENCH_BACKEND"

// BenchmarkShadowing is a router before a home over HTTP in another process, without a
// shadow and with one of 10 %. It tells CPU of the router's process per request, the
// callers' part, which is the same in both, included, and p99 as callers see it.
func BenchmarkShadowing(b *testing.B) {
	side := startSide(b)
	for _, percent := range []string{"0%", "10%"} {
		b.Run(percent, func(b *testing.B) { shadowingAt(b, side, percent) })
	}
}

// TestBackendOfBenchmark is no test: it is the process of both sides.
func TestBackendOfBenchmark(_ *testing.T) {
	if os.Getenv(backendAddress) == "" {
		return
	}
	body := `{"flights":[` + strings.Repeat(`{"id":"LH1","price":{"amount":"10","currency":"EUR"}},`, 40) + `{"id":"LH2"}]}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}))
	defer s.Close()
	_, _ = fmt.Fprintln(os.Stdout, s.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark ends
}

func startSide(b *testing.B) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestBackendOfBenchmark$")
	cmd.Env = append(os.Environ(), backendAddress+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	var url string
	if _, err := fmt.Fscanln(out, &url); err != nil {
		b.Fatal(err)
	}
	return url
}

func shadowingAt(b *testing.B, side, percent string) {
	c, err := routes.Parse("routes.yaml", fmt.Appendf(nil, shadowFile, `http, url: "`+side+`"`, side, percent))
	if err != nil {
		b.Fatal(err)
	}
	p, err := proxy.New(b.Context(), proxy.Options{Config: c})
	if err != nil {
		b.Fatal(err)
	}
	go p.Run(b.Context())
	const callers = 8
	var mu sync.Mutex
	var times []time.Duration
	var all sync.WaitGroup
	before := cpu()
	b.ResetTimer()
	for range callers {
		all.Go(func() {
			var own []time.Duration
			for range b.N/callers + 1 {
				r := httptest.NewRequest(http.MethodGet, "/v1/flights", nil)
				began := time.Now()
				p.ServeHTTP(httptest.NewRecorder(), r)
				own = append(own, time.Since(began))
				time.Sleep(500 * time.Microsecond) // below what the machine can do
			}
			mu.Lock()
			defer mu.Unlock()
			times = append(times, own...)
		})
	}
	all.Wait()
	b.StopTimer()
	spent := cpu() - before
	slices.Sort(times)
	b.ReportMetric(float64(spent.Nanoseconds())/float64(len(times)), "cpu-ns/op")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-us")
	runtime.GC()
}

// cpu is the time that this process has computed for.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
