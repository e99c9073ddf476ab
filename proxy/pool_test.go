package proxy_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"banyan/proxy"
	"banyan/proxy/canary"
	"banyan/proxy/routes"
)

// pooled writes a routes.yaml whose route flights goes, by weight, to instances.
func pooled(weight canary.Weight, settings string, urls ...string) string {
	return fmt.Sprintf(`version: 1
backends:
  monolith: { kind: inproc, store: shared }
  flights:  { kind: http, urls: ["%s"], store: shared, timeout: 10s, %s }
  apart:    { kind: http, url: "http://127.0.0.1:1", store: own }
routes:
%s`, strings.Join(urls, `", "`), settings, flightsRoute(weight))
}

// foreign has the instances as the home, and nothing that could stand in.
func foreign(settings string, urls ...string) string {
	return fmt.Sprintf("version: 1\nbackends:\n  monolith: { kind: http, urls: [\"%s\"], timeout: 10s, %s }\n", strings.Join(urls, `", "`), settings)
}

// holding serves a backend that keeps every request until it may go on.
type holding struct {
	*httptest.Server
	begun atomic.Int64
	goOn  chan struct{}
}

func hold(t *testing.T) *holding {
	t.Helper()
	h := &holding{goOn: make(chan struct{})}
	h.Server = startBackend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.begun.Add(1)
		select {
		case <-h.goOn:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "done")
	}))
	return h
}

// ask sends a request and gives its status, 0 for none, when it has ended.
func (w *world) ask(method, path string) int {
	r, _ := http.NewRequestWithContext(w.t.Context(), method, w.front.URL+path, nil)
	resp, err := w.front.Client().Do(r)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// instances shows the instances of the backend with the route's weights.
func (w *world) instances(backend string) map[string]proxy.InstanceView {
	w.t.Helper()
	list, _ := w.router.Routes()
	found := map[string]proxy.InstanceView{}
	for _, v := range list {
		for _, b := range v.Backends {
			for _, i := range b.Instances {
				if b.Name == backend {
					found[i.URL] = i
				}
			}
		}
	}
	return found
}

// TestLeastLoaded: what is under way decides, so six slow requests end up three and three.
func TestLeastLoaded(t *testing.T) {
	one, two := hold(t), hold(t)
	w := start(t, pooled(canary.Full, "slowStart: 0s", one.URL, two.URL), nil)
	var callers sync.WaitGroup
	for n := range int64(6) {
		callers.Go(func() {
			if status := w.ask("GET", "/v1/flights"); status != 200 {
				t.Errorf("status %d", status)
			}
		})
		eventually(t, "the request arrives", func() bool { return one.begun.Load()+two.begun.Load() == n+1 })
	}
	if one.begun.Load() != 3 || two.begun.Load() != 3 {
		t.Errorf("%d and %d requests, want three each", one.begun.Load(), two.begun.Load())
	}
	if v := w.instances("flights")[one.URL]; v.Underway != 3 || v.State != "unchecked" {
		t.Errorf("the first instance is shown as %+v", v)
	}
	close(one.goOn)
	close(two.goOn)
	callers.Wait()
}

// breaking closes every connection instead of answering while it is broken.
type breaking struct {
	*httptest.Server
	broken, hits atomic.Int64
}

func breaker(t *testing.T) *breaking {
	t.Helper()
	b := &breaking{}
	b.Server = startBackend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			b.hits.Add(1)
		}
		if b.broken.Load() == 0 {
			named("flights").ServeHTTP(w, r)
			return
		}
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}))
	return b
}

// TestEjection: an instance that breaks off is left out after three in a row, and no read
// fails meanwhile.
func TestEjection(t *testing.T) {
	good, bad := breaker(t), breaker(t)
	bad.broken.Store(1)
	w := start(t, pooled(canary.Full, "outlier: { failures: 3, base: 10m, max: 10m }", good.URL, bad.URL), nil)
	for i := range 60 {
		if backend, status := w.get(i); status != 200 || backend != "flights" {
			t.Fatalf("request %d: %d from %s", i, status, backend)
		}
	}
	if n := bad.hits.Load(); n != 3 {
		t.Errorf("the bad instance was asked %d times, want 3", n)
	}
	v := w.instances("flights")[bad.URL]
	if v.State != "ejected" || v.Until == nil || time.Until(*v.Until) > 10*time.Minute || time.Until(*v.Until) < 7*time.Minute {
		t.Errorf("it is shown as %+v", v)
	}
	if !strings.Contains(w.log.String(), "gets no requests for") {
		t.Error("the log says nothing")
	}
	third := startBackend(t, named("flights"))
	w.router.Reload(t.Context(), w.file, []byte(pooled(canary.Full, "slowStart: 1s", good.URL, bad.URL, third.URL)))
	if got := w.instances("flights"); got[bad.URL].State != "ejected" || got[third.URL].State != "starting" || got[good.URL].State != "unchecked" {
		t.Errorf("after a reload with one instance more they are %+v", got)
	}
}

// refusing answers every request with a status.
func refusing(t *testing.T, status int) (url string, hits *atomic.Int64) {
	t.Helper()
	hits = &atomic.Int64{}
	return startBackend(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.WriteHeader(status)
	})).URL, hits
}

// TestGatewayErrors: an instance that answers 502, 503 or 504 again and again is left out;
// one whose application fails with 500, or refuses with 429, is not.
func TestGatewayErrors(t *testing.T) {
	for status, ejected := range map[int]bool{502: true, 503: true, 504: true, 500: false, 505: false, 501: false, 429: false} {
		good := startBackend(t, named("flights"))
		bad, hits := refusing(t, status)
		w := start(t, pooled(canary.Full, "slowStart: 0s, outlier: { gatewayErrors: 4, base: 10m, max: 10m }", good.URL, bad), nil)
		passed := int64(0)
		for i := range 100 {
			if _, got := w.get(i); got == status {
				passed++
			}
		}
		if passed != hits.Load() {
			t.Errorf("%d: %d of %d answers were passed on", status, passed, hits.Load())
		}
		if is := w.instances("flights")[bad].State == "ejected"; is != ejected || ejected != (hits.Load() == 4) {
			t.Errorf("%d: ejected is %t, after %d answers", status, is, hits.Load())
		}
		if ejected != strings.Contains(w.log.String(), fmt.Sprintf("it answered %d", status)) {
			t.Errorf("%d: the log says %s", status, w.log)
		}
	}
}

// TestGatewayErrorsEverywhere: where all instances answer so, at most half are ejected,
// and the application's word is passed on.
func TestGatewayErrorsEverywhere(t *testing.T) {
	for n, most := range map[int]int{1: 0, 2: 1, 3: 1} {
		var urls []string
		for range n {
			url, _ := refusing(t, http.StatusServiceUnavailable)
			urls = append(urls, url)
		}
		w := start(t, foreign("outlier: { gatewayErrors: 1, base: 10m, max: 10m }", urls...), nil)
		for range 40 {
			if status := w.ask("GET", "/x"); status != http.StatusServiceUnavailable {
				t.Fatalf("status %d", status)
			}
		}
		if got := strings.Count(soakStates(w), "ejected"); got != most {
			t.Errorf("%d of %d are ejected, want %d", got, n, most)
		}
	}
}

// TestEjectionEnds: an instance whose time is over comes back slowly.
func TestEjectionEnds(t *testing.T) {
	good, bad := breaker(t), breaker(t)
	bad.broken.Store(1)
	w := start(t, pooled(canary.Full, "outlier: { failures: 3, base: 100ms, max: 100ms }, slowStart: 10m", good.URL, bad.URL), nil)
	eventually(t, "it is ejected", func() bool { w.get(1); return strings.Contains(w.log.String(), "gets no requests for") })
	bad.broken.Store(0)
	eventually(t, "it comes back", func() bool { return w.instances("flights")[bad.URL].State == "starting" })
	failed := bad.hits.Load()
	eventually(t, "it is asked again", func() bool { w.get(1); return bad.hits.Load() > failed })
	goodBefore, badBefore := good.hits.Load(), bad.hits.Load()
	for i := range 400 {
		w.get(i)
	}
	// A tenth of the choices have it in, and half of those, as the loads are equal.
	if share := float64(bad.hits.Load()-badBefore) / float64(good.hits.Load()-goodBefore); share > 0.2 {
		t.Errorf("while it starts it gets %.2f of what the other gets", share)
	}
}

// TestHalfRule: when all are bad at most half are ejected, and the only one never is.
func TestHalfRule(t *testing.T) {
	for n, most := range map[int]int{1: 0, 2: 1, 3: 1, 4: 2} {
		var urls []string
		for range n {
			b := breaker(t)
			b.broken.Store(1)
			urls = append(urls, b.URL)
		}
		w := start(t, pooled(canary.Full, "outlier: { failures: 1, base: 10m, max: 10m }", urls...), nil)
		for i := range 40 {
			w.get(i)
		}
		ejected := 0
		for _, v := range w.instances("flights") {
			if v.State == "ejected" {
				ejected++
			}
		}
		if ejected != most {
			t.Errorf("%d of %d are ejected, want %d", ejected, n, most)
		}
	}
}

// TestEjectedInstanceReturns: one that was ejected, and then answers where the other one
// fails, takes its place at once: the other one is hardly asked any more.
func TestEjectedInstanceReturns(t *testing.T) {
	first, second := breaker(t), breaker(t)
	first.broken.Store(1)
	w := start(t, pooled(canary.Full, "outlier: { failures: 1, base: 10m, max: 10m }", first.URL, second.URL), nil)
	ask := func() {
		for i := range 30 {
			if _, status := w.get(i); status != 200 {
				t.Fatalf("request %d: %d", i, status)
			}
		}
	}
	ask()
	first.broken.Store(0)
	second.broken.Store(1)
	before := second.hits.Load()
	ask()
	if v, n := w.instances("flights"), second.hits.Load()-before; v[first.URL].State == "ejected" || n > 10 {
		t.Errorf("the second was asked %d times more of 30; they are %+v", n, v)
	}
}

// TestRetryBudget: a backend whose instances all die does not get every request four
// times; and what may have happened is not sent twice at all.
func TestRetryBudget(t *testing.T) {
	var urls []string
	var all []*breaking
	for range 4 {
		b := breaker(t)
		b.broken.Store(1)
		all, urls = append(all, b), append(urls, b.URL)
	}
	hits := func() (n int64) {
		for _, b := range all {
			n += b.hits.Load()
		}
		return n
	}
	w := start(t, foreign("outlier: { failures: 0 }", urls...), nil)
	const requests = 400
	began := time.Now()
	for range requests {
		if status := w.ask("GET", "/x"); status != http.StatusBadGateway {
			t.Fatalf("status %d", status)
		}
	}
	budget := int64(requests/5+100) + int64(10*time.Since(began).Seconds()) + 1
	if retries := hits() - requests; retries > budget || retries < 100 {
		t.Errorf("%d retries for %d requests, want 100 to %d", retries, requests, budget)
	}
	time.Sleep(300 * time.Millisecond) // which earns retries that a POST must not use
	before := hits()
	for range 5 {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.front.URL+"/x", strings.NewReader("once"))
		resp, err := w.front.Client().Do(r)
		if err != nil || resp.StatusCode != http.StatusBadGateway {
			t.Fatalf("%v %v", resp, err)
		}
		_ = resp.Body.Close()
	}
	if n := hits() - before; n != 5 {
		t.Errorf("five POSTs were sent %d times", n)
	}
}

// TestInstancesMoveNoCohort: other instances, the same callers, and run-time weights stay.
func TestInstancesMoveNoCohort(t *testing.T) {
	one, two := startBackend(t, named("flights")), startBackend(t, named("flights"))
	w := start(t, pooled(0, "slowStart: 1s", one.URL), sqliteStore(t))
	w.set("flights", 3700)
	const customers = 200
	before := make([]string, customers)
	for i := range customers {
		before[i], _ = w.get(i)
	}
	for _, urls := range [][]string{{one.URL, two.URL}, {two.URL, one.URL}, {two.URL}} {
		w.router.Reload(t.Context(), w.file, []byte(pooled(0, "slowStart: 1s", urls...)))
		if got := len(w.instances("flights")); got != len(urls) {
			t.Fatalf("%d instances, want %d", got, len(urls))
		}
		for i := range customers {
			if now, status := w.get(i); now != before[i] || status != 200 {
				t.Fatalf("customer %d went from %s to %s (%d)", i, before[i], now, status)
			}
		}
		if w.effective() != 3700 {
			t.Errorf("the weight set at run time is %s now", w.effective())
		}
	}
}

// TestLeavingInstance: one that a reload takes out finishes what it has, gets nothing
// new, and is shown until then.
func TestLeavingInstance(t *testing.T) {
	old := hold(t)
	fresh := startBackend(t, named("flights"))
	w := start(t, pooled(canary.Full, "slowStart: 0s", old.URL), nil)
	answered := make(chan int, 1)
	go func() { answered <- w.ask("GET", "/v1/flights") }()
	eventually(t, "the request arrives", func() bool { return old.begun.Load() == 1 })
	w.router.Reload(t.Context(), w.file, []byte(pooled(canary.Full, "slowStart: 0s", fresh.URL)))
	if v := w.instances("flights")[old.URL]; v.State != "draining" || v.Underway != 1 {
		t.Errorf("it is shown as %+v", v)
	}
	for i := range 20 {
		if _, status := w.get(i); status != 200 {
			t.Errorf("status %d", status)
		}
	}
	close(old.goOn)
	if status := <-answered; status != 200 || old.begun.Load() != 1 {
		t.Errorf("status %d after %d requests", status, old.begun.Load())
	}
	eventually(t, "it is gone", func() bool { return len(w.instances("flights")) == 1 })
}

// TestInstanceHealth: each is checked by itself.
func TestInstanceHealth(t *testing.T) {
	good, bad := breaker(t), breaker(t)
	w := start(t, pooled(canary.Full, "health: { path: /health, interval: 50ms }, outlier: { failures: 0 }, slowStart: 0s", good.URL, bad.URL), nil)
	bad.broken.Store(1)
	eventually(t, "it is unhealthy", func() bool { return w.instances("flights")[bad.URL].State == "unhealthy" })
	if v, err := w.router.Route("flights"); err != nil || v.Backends[1].Health != "healthy" {
		t.Errorf("the backend as a whole is %+v %v", v.Backends, err)
	}
	before := bad.hits.Load()
	for i := range 40 {
		w.get(i)
	}
	if n := bad.hits.Load() - before; n != 0 {
		t.Errorf("while it is unhealthy it is asked %d times of 40", n)
	}
	bad.broken.Store(0)
	eventually(t, "it is healthy again", func() bool { return w.instances("flights")[bad.URL].State == "healthy" })
	w.router.Reload(t.Context(), w.file, []byte(pooled(canary.Full, "slowStart: 0s", good.URL, bad.URL)))
	eventually(t, "nothing is checked", func() bool { return w.instances("flights")[bad.URL].State == "unchecked" })
}

func TestInstanceMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	c, err := routes.Parse("routes.yaml", []byte(foreign("outlier: { failures: 1, base: 1h, max: 1h }", deadAddress(t), deadAddress(t))))
	if err != nil {
		t.Fatal(err)
	}
	p, err := proxy.New(t.Context(), proxy.Options{Config: c, Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	p.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/x", strings.NewReader("never sent")))
	if answer.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", answer.Code)
	}
	page := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`banyan_backend_instances{backend="monolith",state="ejected"} 1`,
		`banyan_backend_instances{backend="monolith",state="suspect"} 1`,
		`banyan_backend_instances{backend="monolith",state="draining"} 0`,
		`banyan_retries_total{outcome="failed",route="default"} 1`,
		`banyan_retries_total{outcome="answered",route="default"} 0`,
		`banyan_retries_total{outcome="over-budget",route="default"} 0`,
	} {
		if !strings.Contains(page.Body.String(), line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
}
