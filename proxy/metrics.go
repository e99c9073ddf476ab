package proxy

import (
	"errors"
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"banyan/proxy/canary"
)

// metrics are the router's; their names are a contract.
type metrics struct {
	requests *prometheus.CounterVec
	retried  *prometheus.CounterVec
	calls    *prometheus.HistogramVec
	reloads  *prometheus.CounterVec
	polls    prometheus.Counter
	moveMetrics
}

func newMetrics(registry prometheus.Registerer, p *Router) (*metrics, error) {
	m := &metrics{
		moveMetrics: newMoveMetrics(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "banyan_route_requests_total",
			Help: "Requests handed to a backend, by route; one that failed over counts for both backends.",
		}, []string{"route", "backend"}),
		retried: newRetried(),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_client_request_duration_seconds",
			Help:    "Time from sending a request to a backend to the head of its answer; code 0 is no answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"http_request_method", "server_address", "http_response_status_code"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "banyan_routes_reloads_total",
			Help: "New versions of routes.yaml, by whether they were put in force.",
		}, []string{"outcome"}),
		polls: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "banyan_route_weights_poll_errors_total",
			Help: "Failed reads of the run-time weights; the last known ones stay in force.",
		}),
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range append(m.collectors(), m.requests, m.retried, m.calls, m.reloads, m.polls, newTableCollector(p)) {
		if err := registry.Register(c); err != nil {
			var already prometheus.AlreadyRegisteredError
			if errors.As(err, &already) {
				return nil, fmt.Errorf("proxy: a metric is registered already; give each router a registry of its own: %w", err)
			}
			return nil, fmt.Errorf("proxy: %w", err)
		}
	}
	return m, nil
}

// tableCollector reads the table in force when it is scraped, so that what is shown
// never lags behind and routes that are gone leave nothing behind.
type tableCollector struct {
	router                 *Router
	weight, healthy, valid *prometheus.Desc
	// of stateful routes
	buckets, waiters, violations *prometheus.Desc
	instances                    *prometheus.Desc
}

func newTableCollector(p *Router) *tableCollector {
	return &tableCollector{
		router: p,
		weight: prometheus.NewDesc("banyan_route_weight_ratio",
			"A backend's weight on a route, 0 to 1; desired is what was asked for, actual what requests meet.",
			[]string{"route", "backend", "kind"}, nil),
		healthy: prometheus.NewDesc("banyan_backend_healthy",
			"1 while a backend's health checks pass, or when it has none.", []string{"backend"}, nil),
		valid: prometheus.NewDesc("banyan_routes_config_valid",
			"0 while the routes.yaml on disk is refused and the one before it is in force.", nil, nil),
		buckets: prometheus.NewDesc("banyan_bucket_state",
			"Buckets of a stateful route by owner and by what the router may do with them.", []string{"route", "owner", "mode"}, nil),
		waiters: prometheus.NewDesc("banyan_waiters",
			"Requests that wait for a bucket that is being moved.", []string{"route"}, nil),
		instances: newInstancesDesc(),
		violations: prometheus.NewDesc("banyan_audit_violations_total",
			"Buckets that the last audit found to be otherwise than the journal says.", []string{"route", "invariant"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *tableCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.weight
	out <- c.healthy
	out <- c.valid
	out <- c.buckets
	out <- c.waiters
	out <- c.violations
	out <- c.instances
}

// Collect implements prometheus.Collector.
func (c *tableCollector) Collect(out chan<- prometheus.Metric) {
	c.router.mu.Lock()
	t, problem := c.router.table.Load(), c.router.problem
	backends := make([]*backend, 0, len(c.router.backends))
	for _, b := range c.router.backends {
		backends = append(backends, b)
	}
	leaving := c.router.stillLeaving()
	c.router.mu.Unlock()
	c.collectInstances(backends, leaving, out)
	out <- prometheus.MustNewConstMetric(c.valid, prometheus.GaugeValue, oneIf(problem == nil))
	for _, b := range backends {
		out <- prometheus.MustNewConstMetric(c.healthy, prometheus.GaugeValue, oneIf(!b.down()), b.Name)
	}
	if t == nil {
		return
	}
	for _, r := range append([]*route{t.rest}, t.routes...) {
		for i := range r.arms {
			desired := r.arms[i].weight
			out <- prometheus.MustNewConstMetric(c.weight, prometheus.GaugeValue, desired.Ratio(), r.ID, r.arms[i].backend.Name, "desired")
			out <- prometheus.MustNewConstMetric(c.weight, prometheus.GaugeValue, r.actual(i).Ratio(), r.ID, r.arms[i].backend.Name, "actual")
		}
		if r.mover != nil {
			c.collect(r.mover, out)
		}
	}
}

// actual is the share that an arm has: of the callers, or of the buckets.
func (r *route) actual(i int) canary.Weight {
	if r.mover == nil {
		return r.arms[i].weight
	}
	away := r.mover.actual()
	switch {
	case i == 0:
		return canary.Full - away
	case r.arms[i].backend.Name == r.mover.settings.away:
		return away
	}
	return canary.None
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func silent() logrus.FieldLogger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}
