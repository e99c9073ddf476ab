package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"banyan/proxy/routes"
)

// TestPickAllocatesNothing looks inside: the decision alone, for every kind of key.
func TestPickAllocatesNothing(t *testing.T) {
	for _, key := range []string{"header:X-Customer-Id", "path:flight_id", "query:day", "client-ip"} {
		p := routerOf(t, 10, key)
		r := httptest.NewRequest(http.MethodGet, "/v1/r7/AA34-JFK-20261121/seat-map?x=1&day=20261121", nil)
		r.Header.Set("X-Customer-Id", "customer-4711")
		var a *arm
		if n := testing.AllocsPerRun(1000, func() { a, _ = p.table.Load().pick(r) }); n != 0 {
			t.Errorf("%s: %v allocations per decision, want 0", key, n)
		}
		if a == nil || a.backend == nil {
			t.Errorf("%s: nothing was picked", key)
		}
	}
}

func routerOf(tb testing.TB, n int, key string) *Router {
	tb.Helper()
	var file strings.Builder
	file.WriteString("version: 1\nbackends:\n  flights: { kind: http, url: \"http://127.0.0.1:1\", store: monolith }\nroutes:\n")
	for i := range n {
		fmt.Fprintf(&file, "  - { id: r%d, match: { methods: [GET], paths: [/v1/r%d/{flight_id}/seat-map] }, hashOn: [%s], backends: { monolith: 95%%, flights: 5%% } }\n", i, i, key)
	}
	c, err := routes.Parse("routes.yaml", []byte(file.String()))
	if err != nil {
		tb.Fatal(err)
	}
	p, err := New(tb.Context(), Options{Config: c, Modules: map[string]http.Handler{routes.Monolith: http.NotFoundHandler()}})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// TestRanks: plain text before a parameter, a parameter before /**, from the left; a
// method before any; and a way back when the better branch leads nowhere.
func TestRanks(t *testing.T) {
	c, err := routes.Parse("routes.yaml", []byte(`version: 1
routes:
  - { id: exact, match: { paths: [/v1/flights, /] } }
  - { id: one, match: { paths: ["/v1/flights/{id}"] } }
  - { id: new, match: { paths: [/v1/flights/new] } }
  - { id: read, match: { methods: [GET], paths: ["/v1/flights/{id}"] } }
  - { id: map, match: { paths: ["/v1/flights/{id}/seat-map"] } }
  - { id: holds, match: { paths: ["/v1/holds/{id}/**"] } }
  - { id: all, match: { methods: [GET], paths: [/v1/**] } }
`))
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(t.Context(), Options{Config: c, Modules: map[string]http.Handler{routes.Monolith: http.NotFoundHandler()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/v1/flights", "exact"},
		{"POST", "/v1/flights", "exact"},
		{"GET", "/", "exact"},
		{"GET", "/v1/flights/new", "new"},
		{"GET", "/v1/flights/x", "read"},
		{"HEAD", "/v1/flights/x", "read"},
		{"DELETE", "/v1/flights/x", "one"},
		{"GET", "/v1/flights/new/seat-map", "map"},
		{"PUT", "/v1/flights/x/seat-map", "map"},
		{"GET", "/v1/flights/", "all"},
		{"POST", "/v1/flights/", ""},
		{"GET", "/v1/flights/x/y", "all"},
		{"POST", "/v1/holds/h1", "holds"},
		{"POST", "/v1/holds/h1/confirm", "holds"},
		{"POST", "/v1/holds", ""},
		{"GET", "/v1/holds", "all"},
		{"GET", "/v1", "all"},
		{"GET", "/v1/", "all"},
		{"GET", "/v2/flights", ""},
		{"GET", "", ""},
		{"OPTIONS", "*", ""},
		{"GET", "//v1/flights", ""},
		{"GET", "/V1/flights", ""},
		{"BREW", "/v1/flights/x", "one"},
	} {
		got := ""
		if found := p.table.Load().root.find(c.method, c.path); found != nil {
			got = found.route.ID
		}
		if got != c.want {
			t.Errorf("%s %s goes to %q, want %q", c.method, c.path, got, c.want)
		}
	}
}

func TestSegmentsAndQuery(t *testing.T) {
	for i, want := range []string{"v1", "flights", "F1", "", ""} {
		if got := segment("/v1/flights/F1", i); got != want {
			t.Errorf("segment %d is %q, want %q", i, got, want)
		}
	}
	for query, want := range map[string]string{"": "", "day": "", "day=": "", "day=1": "1", "x=2&day=3&day=4": "3", "xday=1": "", "day=a%20b": "a%20b", "&&day=5": "5"} {
		if got := queryValue(query, "day"); got != want {
			t.Errorf("day of %q is %q, want %q", query, got, want)
		}
	}
}

func FuzzFind(f *testing.F) {
	p := routerOf(f, 3, "client-ip")
	f.Add("GET", "/v1/r1/x/seat-map")
	f.Fuzz(func(_ *testing.T, method, path string) {
		if found := p.table.Load().root.find(method, path); found != nil {
			_ = segment(path, 2)
		}
	})
}

// BenchmarkPick compares few routes with many.
func BenchmarkPick(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := routerOf(b, n, "header:X-Customer-Id")
			r := httptest.NewRequest(http.MethodGet, "/v1/r7/AA34-JFK-20261121/seat-map", nil)
			r.Header.Set("X-Customer-Id", "customer-4711")
			for b.Loop() {
				p.table.Load().pick(r)
			}
		})
	}
}
