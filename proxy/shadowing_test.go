package proxy_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"banyan/proxy"
	"banyan/proxy/routes"
	"banyan/proxy/shadow"
)

// ticking is a backend whose every answer has another time in it.
type ticking struct {
	name   string
	price  string
	calls  atomic.Int64
	copies atomic.Int64
	last   atomic.Pointer[http.Header] // of the latest copy
	hold   chan struct{}               // nil, or copies wait for it
}

func (a *ticking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := a.calls.Add(1)
	if r.Header.Get(shadow.Header) != "" {
		a.copies.Add(1)
		head := r.Header.Clone()
		a.last.Store(&head)
		if a.hold != nil {
			<-a.hold
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", `"1"`)
	text := fmt.Sprintf(`{"generated_at":"%s %d","flights":[{"id":"LH1","price":{"amount":"%s"}},{"id":"LH2","price":{"amount":"9"}}],`+
		`"session_token":"tok-%s-hush","contact":"ann%s@hush.example","seats":{"12C":"%s"}}`, a.name, n, a.price, a.name, a.name, a.name)
	if r.URL.Query().Get("big") != "" {
		text = strings.Repeat("x", 200<<10)
	}
	if r.URL.Query().Get("zip") == "" {
		_, _ = io.WriteString(w, text)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
}

const shadowFile = `version: 1
backends:
  monolith: { kind: %s, store: s }
  away: { kind: http, url: "%s", store: s, timeout: 1s }
routes:
  - id: reads
    match: { methods: [GET, HEAD], paths: [/v1/flights, "/v1/flights/{flight_id}"] }
    backends: { monolith: 100%%, away: 0%% }
    shadow: { backend: away, percent: %s, maxBody: 64KiB, ignore: [$.seats] }
`

// shadowed runs a router that shadows, before a home here or elsewhere.
func shadowed(t *testing.T, home http.Handler, overHTTP bool, away, percent string) (*proxy.Router, *front, *prometheus.Registry) {
	t.Helper()
	kind, modules := "inproc", map[string]http.Handler{"monolith": home}
	if overHTTP {
		kind, modules = `http, url: "`+startBackend(t, home).URL+`"`, nil
	}
	c, err := routes.Parse("routes.yaml", fmt.Appendf(nil, shadowFile, kind, away, percent))
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	p, err := proxy.New(t.Context(), proxy.Options{Config: c, Modules: modules, Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	front := startFront(t, p)
	t.Cleanup(func() { front.Close(); cancel(); <-done })
	return p, front, registry
}

// ask sends a GET as a customer with secrets, and gives status and body.
func ask(t *testing.T, url string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", "sid=hush")
	r.Header.Set("Authorization", "Bearer hush")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func report(t *testing.T, p *proxy.Router) shadow.Report {
	t.Helper()
	list, err := p.Shadow().Report("reads", 20)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d reports, %v", len(list), err)
	}
	return list[0]
}

// TestShadowFinds: a planted difference ranks first, planted noise does not, no secret
// is shown, and clients get what they would get without.
func TestShadowFinds(t *testing.T) {
	for name, overHTTP := range map[string]bool{"home in process": false, "home over HTTP": true} {
		t.Run(name, func(t *testing.T) {
			home, away := &ticking{name: "old", price: "10"}, &ticking{name: "new", price: "11"}
			p, front, registry := shadowed(t, home, overHTTP, startBackend(t, away).URL, "100%")
			const requests = 60
			for i := range requests {
				query := []string{"", "?zip=1"}[i%2]
				status, body := ask(t, front.URL+"/v1/flights"+query, "X-Banyan-Extra", "kept")
				if status != http.StatusOK || !strings.Contains(body, `"amount":"10"`) {
					t.Fatalf("the client got %d %s", status, body)
				}
				eventually(t, "it is compared", func() bool { return report(t, p).Raw.Compared == int64(i+1) })
			}
			eventually(t, "the old side was asked again", func() bool { return report(t, p).Noise.Compared > 0 })
			r := report(t, p)
			fields := map[string]shadow.Field{}
			for _, f := range r.Fields {
				fields[f.Path] = f
			}
			price, token := fields["$.flights[*].price.amount"], fields["$.session_token"]
			if price.Raw != requests || price.Noise != 0 || price.Excess != 1 || len(price.Samples) != 1 ||
				price.Samples[0] != (shadow.Sample{Old: `"10"`, New: `"11"`}) {
				t.Errorf("the planted difference: %+v", price)
			}
			noise := fields["$.generated_at"]
			if noise.Noise != r.Noise.Compared || noise.Excess != 0 || r.Fields[len(r.Fields)-1].Path != noise.Path {
				t.Errorf("the planted noise, of %d comparisons: %+v", r.Noise.Compared, noise)
			}
			if token.Raw != requests || token.Samples[0] != (shadow.Sample{Old: "(masked)", New: "(masked)"}) {
				t.Errorf("the token: %+v", token)
			}
			if text := fmt.Sprintf("%+v", r); strings.Contains(text, "hush") {
				t.Errorf("a secret is shown: %s", text)
			}
			if len(fields) != 4 || r.Outcomes["different"] != requests {
				t.Errorf("%d fields, outcomes %v: the ignored one should be left out", len(fields), r.Outcomes)
			}
			head := *away.last.Load()
			if head.Get("Cookie") != "sid=hush" || head.Get("Authorization") != "Bearer hush" || head.Get("X-Banyan-Extra") != "kept" ||
				(overHTTP && head.Get("X-Forwarded-For") == "") {
				t.Errorf("a copy is not as the original: %v", head)
			}
			page := httptest.NewRecorder()
			promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			for _, line := range []string{
				fmt.Sprintf(`banyan_shadow_requests_total{outcome="different",route="reads"} %d`, requests),
				fmt.Sprintf(`banyan_diff_total{kind="raw",route="reads"} %d`, requests),
				`banyan_diff_total{kind="noise",route="reads"} `,
			} {
				if !strings.Contains(page.Body.String(), line) {
					t.Errorf("the metrics lack %s", line)
				}
			}
		})
	}
}

// TestShadowChangesNothing: whatever becomes of the copies, clients get the same.
func TestShadowChangesNothing(t *testing.T) {
	stuck := &ticking{name: "new", hold: make(chan struct{})}
	slow := startBackend(t, stuck)
	t.Cleanup(func() { close(stuck.hold) }) // before the server is closed
	for name, away := range map[string]string{"none": "", "dead": deadAddress(t), "stuck": slow.URL} {
		t.Run(name, func(t *testing.T) {
			percent := "100%"
			if away == "" {
				away, percent = deadAddress(t), "0%"
			}
			p, front, _ := shadowed(t, &ticking{name: "old", price: "10"}, false, away, percent)
			for i := range 400 { // more than the queue holds
				status, body := ask(t, front.URL+"/v1/flights/LH1")
				if want := fmt.Sprintf(`{"generated_at":"old %d",`, i+1); status != http.StatusOK || !strings.HasPrefix(body, want) {
					t.Fatalf("request %d: %d %s, want %s…", i, status, body, want)
				}
			}
			if status, body := ask(t, front.URL+"/v1/flights?big=1"); status != http.StatusOK || len(body) != 200<<10 {
				t.Errorf("a large answer: %d, %d bytes", status, len(body))
			}
			switch name {
			case "none":
				if list, err := p.Shadow().Report("", 1); err != nil || len(list) != 0 {
					t.Errorf("0%% is none, but there is %v, %v", list, err)
				}
			case "dead":
				eventually(t, "copies failed", func() bool { return report(t, p).Outcomes["failed"] > 0 })
			case "stuck":
				eventually(t, "copies were dropped", func() bool { return report(t, p).Outcomes["dropped"] > 0 })
				if n := stuck.copies.Load(); n > 64 {
					t.Errorf("%d copies at once", n)
				}
			}
		})
	}
}

// TestShadowNotCopied lists what is not copied, or not compared.
func TestShadowNotCopied(t *testing.T) {
	home, away := &ticking{name: "old"}, &ticking{name: "new"}
	p, front, _ := shadowed(t, home, false, startBackend(t, away).URL, "100%")
	for _, header := range [][]string{{shadow.Header, "1"}, {"Connection", "Upgrade", "Upgrade", "x"}} {
		ask(t, front.URL+"/v1/flights", header...)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+"/v1/flights", strings.NewReader("{}"))
	if resp, err := http.DefaultClient.Do(r); err == nil {
		_ = resp.Body.Close()
	}
	ask(t, front.URL+"/elsewhere")
	ask(t, front.URL+"/v1/flights?big=1")
	eventually(t, "the large one is counted", func() bool { return report(t, p).Outcomes["too_large"] == 1 })
	ask(t, front.URL+"/v1/flights")
	eventually(t, "one is compared", func() bool { return report(t, p).Raw.Compared == 1 })
	if n := away.calls.Load(); n != 1 {
		t.Errorf("%d copies were sent, want 1", n)
	}
}

// TestShadowTorn: an answer that breaks off is not compared, and its copy is not sent.
func TestShadowTorn(t *testing.T) {
	away := &ticking{name: "new"}
	torn := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	for name, overHTTP := range map[string]bool{"in process": false, "over HTTP": true} {
		t.Run(name, func(t *testing.T) {
			p, front, _ := shadowed(t, torn, overHTTP, startBackend(t, away).URL, "100%")
			resp, err := http.DefaultClient.Get(front.URL + "/v1/flights")
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			if err == nil {
				t.Error("the client was not told that the answer broke off")
			}
			time.Sleep(20 * time.Millisecond)
			if r := report(t, p); len(r.Outcomes) != 0 || away.calls.Load() != 0 {
				t.Errorf("outcomes %v, %d copies", r.Outcomes, away.calls.Load())
			}
		})
	}
}

// TestShadowTornAway: an answer of the new side that breaks off is a failure of it.
func TestShadowTornAway(t *testing.T) {
	away := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	p, front, _ := shadowed(t, named("monolith"), true, startBackend(t, away).URL, "100%")
	ask(t, front.URL+"/v1/flights")
	eventually(t, "it is counted", func() bool { return report(t, p).Outcomes["failed"] == 1 })
}

// TestShadowShare: the share is what was asked for, and a reload keeps the counts unless
// the route changes.
func TestShadowShare(t *testing.T) {
	away := startBackend(t, named("monolith"))
	file := fmt.Sprintf(shadowFile, "inproc", away.URL, "20%")
	w := start(t, file, nil)
	const requests = 2000
	for i := range requests {
		ask(t, w.front.URL+"/v1/flights")
		if i%50 == 0 { // the queue must not run over
			time.Sleep(time.Millisecond)
		}
	}
	all := func() (n int64) {
		for _, c := range report(t, w.router).Outcomes {
			n += c
		}
		return n
	}
	// The standard deviation is 18: five of them.
	eventually(t, "all are compared", func() bool { return all() > 310 })
	if n := all(); n > 490 {
		t.Errorf("%d of %d requests were copied, want 20%%", n, requests)
	}
	if r := report(t, w.router); r.Outcomes["different"] != 0 || r.Noise.Compared == 0 {
		t.Errorf("equal sides: %+v", r)
	}
	since := report(t, w.router).Since
	w.write(file + "# a comment\n")
	eventually(t, "the file is read", func() bool { _, c := w.router.Routes(); return c.Digest != digestOf(file) })
	if got := report(t, w.router); got.Since != since {
		t.Error("a comment in the file made the counts be forgotten")
	}
	w.write(strings.Replace(file, "percent: 20%", "percent: 10%", 1))
	eventually(t, "a change begins anew", func() bool { return report(t, w.router).Since != since })
}

func digestOf(file string) string { return routes.Digest([]byte(file)) }

// TestShadowOfAFailover: when another backend answered in the home's place, there is
// nothing to compare.
func TestShadowOfAFailover(t *testing.T) {
	away := startBackend(t, &ticking{name: "new"})
	file := strings.Replace(fmt.Sprintf(shadowFile, `http, url: "`+deadAddress(t)+`"`, away.URL, "100%"), "monolith: 100%, away: 0%", "monolith: 99%, away: 1%", 1)
	w := start(t, file, nil)
	for range 20 {
		if status, body := ask(t, w.front.URL+"/v1/flights"); status != http.StatusOK || !strings.Contains(body, `"new`) {
			t.Fatalf("the client got %d %s", status, body)
		}
	}
	time.Sleep(20 * time.Millisecond)
	if r := report(t, w.router); len(r.Outcomes) != 0 {
		t.Errorf("outcomes %v", r.Outcomes)
	}
}
