package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"banyan/proxy"
	"banyan/proxy/canary"
	"banyan/proxy/routes"
)

// TestReloadUnderLoad: the file changes all the time, good and bad, and no request fails.
func TestReloadUnderLoad(t *testing.T) {
	far := startBackend(t, named("flights"))
	w := start(t, config(far.URL, flightsRoute(0)), sqliteStore(t))
	l := w.load(http.MethodGet, http.MethodPost)
	for _, share := range []canary.Weight{2500, 10000, 0, 5000} {
		w.write(config(far.URL, flightsRoute(share)))
		eventually(t, "the file is in force", func() bool { return w.effective() == share })
		w.write("version: 1\nroutes: nonsense")
		eventually(t, "the bad file is seen", func() bool { _, c := w.router.Routes(); return !c.Valid })
		if w.effective() != share {
			t.Errorf("a bad file changed the weight to %s", w.effective())
		}
	}
	l.none(t)
}

// TestBadFileIsLoud, and a later good one heals it.
func TestBadFileIsLoud(t *testing.T) {
	far := startBackend(t, named("flights"))
	w := start(t, config(far.URL, flightsRoute(2500)), nil)
	unsafe := strings.Replace(config(far.URL, flightsRoute(2500)), "apart: 0%", "apart: 1%", 1)
	w.write(strings.Replace(unsafe, "monolith: 75%", "monolith: 74%", 1))
	eventually(t, "the list says so", func() bool {
		_, c := w.router.Routes()
		return !c.Valid && len(c.Problems) == 1 && strings.Contains(c.Problems[0], "the data would stay behind")
	})
	eventually(t, "the log says so", func() bool { return strings.Contains(w.log.String(), "the new routes file is refused") })
	w.write(config(far.URL, flightsRoute(5000)))
	eventually(t, "a good file heals it", func() bool { _, c := w.router.Routes(); return c.Valid && w.effective() == 5000 })
}

// TestReloadIsQuick: at most half a second, a steady second look included.
func TestReloadIsQuick(t *testing.T) {
	far := startBackend(t, named("flights"))
	w := start(t, config(far.URL, flightsRoute(0)), nil)
	began := time.Now()
	w.write(config(far.URL, flightsRoute(100)))
	eventually(t, "the file is in force", func() bool { return w.effective() == 100 })
	if took := time.Since(began); took > 600*time.Millisecond {
		t.Errorf("a reload took %s", took)
	}
}

// TestNewBackend: a reload moves traffic to another address; the old one gets no more.
func TestNewBackend(t *testing.T) {
	one, two := startBackend(t, named("flights")), startBackend(t, named("flights"))
	w := start(t, config(one.URL, flightsRoute(10000)), nil)
	l := w.load(http.MethodGet)
	w.write(config(two.URL, flightsRoute(10000)))
	eventually(t, "the new address is in force", func() bool {
		v, err := w.router.Route("flights")
		return err == nil && v.Backends[1].Health == "healthy" && w.log.String() != ""
	})
	time.Sleep(100 * time.Millisecond) // requests that began before the reload end at the old one
	one.Close()
	time.Sleep(100 * time.Millisecond)
	l.none(t)
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	c, err := routes.Parse("routes.yaml", []byte(config("http://127.0.0.1:1", flightsRoute(2500))))
	if err != nil {
		t.Fatal(err)
	}
	p, err := proxy.New(t.Context(), proxy.Options{
		Config: c, Modules: map[string]http.Handler{"monolith": named("monolith")}, Registry: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: p.Transport()}).Get("http://x/elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	page := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`banyan_route_weight_ratio{backend="apart",kind="actual",route="flights"} 0`,
		`banyan_route_weight_ratio{backend="flights",kind="desired",route="flights"} 0.25`,
		`banyan_route_weight_ratio{backend="flights",kind="actual",route="flights"} 0.25`,
		`banyan_route_weight_ratio{backend="monolith",kind="actual",route="default"} 1`,
		`banyan_route_requests_total{backend="monolith",route="default"} 1`,
		`banyan_route_requests_total{backend="flights",route="flights"} 0`,
		`banyan_routes_config_valid 1`,
		`banyan_backend_healthy{backend="flights"} 1`,
	} {
		if !strings.Contains(page.Body.String(), line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
}
