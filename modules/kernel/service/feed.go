package service

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"banyan/modules/kernel/health"
)

// staleAfter is the lag, in seconds, from which on a copy is worth a warning.
const staleAfter = 10

// Follows shows how far a copy is behind its source: as a metric, and in /health, where
// a late copy is a warning. The service goes on with what it has.
func (s *Service) Follows(source string, lag func() (seconds float64, err error)) {
	s.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "banyan_feed_lag_seconds",
		Help:        "Time since the copy was last known to hold everything its source had.",
		ConstLabels: prometheus.Labels{"source": source},
	}, func() float64 {
		seconds, _ := lag()
		return seconds
	}))
	s.Health.Add(health.Check{Name: source + "-feed:lag", ComponentType: "component", Run: func(context.Context) health.Result {
		seconds, err := lag()
		r := health.Result{Status: health.Pass, Value: seconds, Unit: "s"}
		if err != nil || seconds > staleAfter {
			r.Status, r.Output = health.Warn, "the copy of "+source+" is behind its source; see the service's log"
		}
		return r
	}})
}
