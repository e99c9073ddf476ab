package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"banyan/proxy"
	"banyan/proxy/routes"
)

// told keeps what an observer hears.
type told []proxy.Exchange

func (n *told) Observe(x *proxy.Exchange) { *n = append(*n, *x) }

// TestObserver checks what is told of exchanges here, elsewhere, with a backend that
// is gone, and torn off by a panic.
func TestObserver(t *testing.T) {
	away := startBackend(t, named("flights"))
	gone := startBackend(t, named("apart"))
	gone.Close()
	file := strings.Replace(config(away.URL, flightsRoute(10000)+`  - id: gone
    match: { paths: [/gone] }
    backends: { lost: 100%, monolith: 0% }
`), "routes:", "  lost: { kind: http, url: \""+gone.URL+"\", store: shared }\nroutes:", 1)
	c, err := routes.Parse("routes.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	home := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/torn" {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	})
	seen := &told{}
	router, err := proxy.New(t.Context(), proxy.Options{
		Config: c, Modules: map[string]http.Handler{"monolith": home}, Observers: []proxy.Observer{seen},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []proxy.Exchange{
		{Route: routes.DefaultID, Backend: "monolith", Status: http.StatusTeapot, In: 4, Out: 15},
		{Route: "flights", Pattern: "/v1/flights/{flight_id}", Backend: "flights", Status: http.StatusOK, Out: 26},
		{Route: "gone", Pattern: "/gone", Backend: "monolith", Failed: "lost", Status: http.StatusTeapot, Out: 15},
		{Route: routes.DefaultID, Backend: "monolith", Torn: true},
	} {
		*seen = nil
		path := map[string]string{"flights": "/v1/flights/7", "gone": "/gone"}[want.Route]
		body := io.Reader(http.NoBody)
		switch {
		case want.In > 0:
			path, body = "/", strings.NewReader("tea?")
		case want.Status == 0:
			path = "/torn"
		}
		func() {
			defer func() { _ = recover() }()
			router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, body))
		}()
		if len(*seen) != 1 {
			t.Fatalf("%s: told of %d exchanges", path, len(*seen))
		}
		got := (*seen)[0]
		if got.Request.URL.Path != path || got.Took <= 0 || got.Began.IsZero() {
			t.Errorf("%s: told of %s, %s from %s", path, got.Request.URL.Path, got.Took, got.Began)
		}
		got.Request, got.Took, got.Began = nil, 0, want.Began
		if got != want {
			t.Errorf("%s: told %+v, want %+v", path, got, want)
		}
	}
}

// TestObserverOfShadowed: that the home gave no answer, and another backend did, is told
// also of a request whose answer is kept for comparison.
func TestObserverOfShadowed(t *testing.T) {
	alive, gone := startBackend(t, named("flights")), startBackend(t, named("monolith"))
	gone.Close()
	file := fmt.Sprintf(`version: 1
backends:
  monolith: { kind: http, url: "%s", store: shared }
  flights:  { kind: http, url: "%s", store: shared }
routes:
  - id: flights
    match: { methods: [GET], paths: [/v1/flights] }
    backends: { monolith: 99.99%%, flights: 0.01%% }
    shadow: { backend: flights, percent: 100%% }
`, gone.URL, alive.URL)
	c, err := routes.Parse("routes.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	seen := &told{}
	router, err := proxy.New(t.Context(), proxy.Options{Config: c, Observers: []proxy.Observer{seen}})
	if err != nil {
		t.Fatal(err)
	}
	router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/flights", nil))
	if x := (*seen)[0]; len(*seen) != 1 || x.Failed != "monolith" || x.Backend != "flights" {
		t.Errorf("told %+v", *seen)
	}
}
