package web

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what every listener counts. Labels come from bounded sets: known methods,
// route templates and statuses.
type Metrics struct {
	seconds *prometheus.HistogramVec
	replays prometheus.Counter
	status  [600]string
	mu      sync.Mutex // for a new map of those found
	found   atomic.Pointer[map[labels]prometheus.Observer]
}

// labels of a request.
type labels struct {
	method, route string
	status        int
}

// NewMetrics registers the metrics; it panics if the registry has them already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_server_request_duration_seconds",
			Help:    "Time from the end of a request's header to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"http_request_method", "http_route", "http_response_status_code"}),
		replays: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "banyan_idempotent_replays_total",
			Help: "Answers that were stored for an earlier request with the same Idempotency-Key.",
		}),
	}
	m.found.Store(&map[labels]prometheus.Observer{})
	for i := range m.status {
		m.status[i] = strconv.Itoa(i)
	}
	reg.MustRegister(m.seconds, m.replays)
	return m
}

// Measure observes every request. Requests that match no route share one label.
func (m *Metrics) Measure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, r := begin(w, r)
		defer func() {
			route := x.route
			if route == "" {
				route = "none"
			}
			status := min(max(x.answered(), 0), len(m.status)-1)
			m.observer(labels{knownMethod(r.Method), route, status}).Observe(time.Since(x.began).Seconds())
			if len(x.Header()["Idempotency-Replayed"]) > 0 {
				m.replays.Inc()
			}
		}()
		next.ServeHTTP(x, r)
	})
}

// observer finds the one with these labels, which costs more by the library than all
// else that is measured. Labels are few, so a map that is made anew for each is cheap.
func (m *Metrics) observer(of labels) prometheus.Observer {
	if o := (*m.found.Load())[of]; o != nil {
		return o
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	more := maps.Clone(*m.found.Load())
	more[of] = m.seconds.WithLabelValues(of.method, of.route, m.status[of.status])
	m.found.Store(&more)
	return more[of]
}

// knownMethod bounds the label, with OpenTelemetry's name for all others.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	return "_OTHER"
}
