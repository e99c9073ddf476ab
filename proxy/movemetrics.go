package proxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"banyan/proxy/handover"
)

// moveMetrics are those of the handover; no label names a flight, bucket or customer.
type moveMetrics struct {
	moves      *prometheus.CounterVec
	pause      prometheus.Histogram
	steps      *prometheus.HistogramVec
	mismatches prometheus.Counter
}

func newMoveMetrics() moveMetrics {
	return moveMetrics{
		moves: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "banyan_moves_total", Help: "Moves of buckets that ended, by how; a move has many buckets.",
		}, []string{"route", "direction", "outcome"}),
		pause: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "banyan_move_pause_seconds",
			Help:    "Time for which a move kept writes waiting.",
			Buckets: []float64{.002, .005, .01, .02, .03, .05, .075, .1, .2, .5, 1, 2},
		}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "banyan_move_duration_seconds",
			Help:    "Time that each step of a move took.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5},
		}, []string{"phase"}),
		mismatches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "banyan_verify_mismatches_total", Help: "Moves given up because source and target disagreed about what was copied.",
		}),
	}
}

func (m *moveMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.moves, m.pause, m.steps, m.mismatches}
}

// moved gives what a route's coordinator tells of every move that ended.
func (m *moveMetrics) moved(route, home string) func(handover.Report) {
	return func(r handover.Report) {
		direction, outcome := "forward", string(r.Move.Outcome)
		if r.Move.Target == home {
			direction = "back"
		}
		if outcome == "" {
			outcome = "left" // to another coordinator
		}
		m.moves.WithLabelValues(route, direction, outcome).Inc()
		if r.Move.Pause > 0 {
			m.pause.Observe(r.Move.Pause.Seconds())
		}
		for step, took := range r.Took {
			m.steps.WithLabelValues(string(step)).Observe(took.Seconds())
		}
		if r.Mismatch {
			m.mismatches.Inc()
		}
	}
}

// collect shows where a stateful route's buckets are and who waits for them.
func (c *tableCollector) collect(m *mover, out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(c.waiters, float64(m.waiting.Load()), m.route)
	type state struct{ owner, mode string }
	counts := map[state]int{}
	s := m.owners.Snapshot()
	for i := range s.Buckets {
		place, mode := m.owners.Owner(i), "active"
		switch {
		case place.Refused:
			mode = "refused"
		case place.Moving:
			mode = "moving"
		}
		counts[state{place.Owner, mode}]++
	}
	for of, n := range counts {
		gauge(c.buckets, float64(n), m.route, of.owner, of.mode)
	}
	for violation, n := range m.coordinator.LastAudit().Counts {
		gauge(c.violations, float64(n), m.route, string(violation))
	}
}
