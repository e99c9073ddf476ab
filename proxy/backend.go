package proxy

import (
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"banyan/modules/kernel/errs"
	"banyan/proxy/routes"
)

// backend outlives tables as long as its configuration stays the same. Its instances
// outlive it, and with them their connections and what is known of their health.
type backend struct {
	routes.Backend
	header  []string     // the value of BackendHeader
	handler http.Handler // in this process
	pool    *pool        // elsewhere
}

func sameBackend(a, b routes.Backend) bool {
	a.Line, b.Line = 0, 0
	return a == b
}

// newBackend makes a backend of the file; instances that it had before stay as they are.
func (p *Router) newBackend(c *routes.Config, b routes.Backend) (*backend, error) {
	made := &backend{Backend: b, header: []string{b.Name}}
	if b.Kind == routes.HTTP {
		var before *pool
		if old := p.backends[b.Name]; old != nil {
			before = old.pool
		}
		made.pool = p.newPool(b, before)
		return made, nil
	}
	if made.handler = p.modules[b.Name]; made.handler == nil {
		return nil, &routes.Error{Problems: []routes.Problem{{
			File: c.File, Line: b.Line, Code: errs.Invalid,
			Text: "backend " + b.Name + " is declared as inproc, but this process has no module of that name: declare it as kind http with a url",
		}}}
	}
	return made, nil
}

// down tells whether no instance is fit to be asked. One that is in this process is never.
func (b *backend) down() bool { return b.pool != nil && b.pool.down() }

// state is what people see.
func (b *backend) state() string {
	switch {
	case b.handler != nil:
		return "in process"
	case b.down():
		return "unhealthy"
	case b.Health.Interval == 0:
		return "unchecked"
	}
	return "healthy"
}

// dismiss lets instances go that no backend has any more. The requests that they have
// finish; p.mu is held.
func (p *Router) dismiss(before, now map[string]*backend) {
	kept := map[*instance]bool{}
	for _, b := range now {
		if b.pool != nil {
			for _, x := range b.pool.instances {
				kept[x] = true
			}
		}
	}
	leaving := p.stillLeaving()
	for name, b := range before {
		if b.pool == nil || now[name] == b {
			continue
		}
		for _, x := range b.pool.instances {
			if !kept[x] {
				leaving = append(leaving, x)
			}
		}
	}
	p.leaving = leaving
	for _, x := range leaving {
		x.leg.close() // idle connections only
	}
}

// stillLeaving forgets instances that have left; p.mu is held.
func (p *Router) stillLeaving() []*instance {
	p.leaving = slices.DeleteFunc(slices.Clone(p.leaving), func(x *instance) bool { return x.underway.Load() == 0 })
	return slices.Clone(p.leaving)
}

// InstanceView is one address of a backend.
type InstanceView struct {
	URL string `json:"url"`
	// State is healthy, unchecked, unhealthy (its checks fail), ejected (requests did),
	// suspect (it would be ejected, but half of them are), starting (it gets less than its
	// share yet) or draining (a reload took it out).
	State    string     `json:"state"`
	Underway int64      `json:"underway"`        // requests
	Until    *time.Time `json:"until,omitempty"` // the end of an ejection
}

// instances shows a backend's instances, and those that leave it; p.mu is held.
func (p *Router) instances(b *backend) []InstanceView {
	if b.pool == nil {
		return nil
	}
	list := make([]InstanceView, 0, len(b.pool.instances))
	for _, x := range b.pool.instances {
		v := InstanceView{URL: x.url, State: b.pool.state(x, b.Health.Interval > 0), Underway: x.underway.Load()}
		if until := x.out.Load(); v.State == stateEjected && until > 0 {
			at := time.Unix(0, until).UTC()
			v.Until = &at
		}
		list = append(list, v)
	}
	for _, x := range p.stillLeaving() {
		if x.backend == b.Name {
			list = append(list, InstanceView{URL: x.url, State: stateDraining, Underway: x.underway.Load()})
		}
	}
	return list
}

func newInstancesDesc() *prometheus.Desc {
	return prometheus.NewDesc("banyan_backend_instances",
		"A backend's instances by state; those that are draining are no longer in the file.", []string{"backend", "state"}, nil)
}

// collectInstances counts instances; each state is shown, with 0 too.
func (c *tableCollector) collectInstances(backends []*backend, leaving []*instance, out chan<- prometheus.Metric) {
	for _, b := range backends {
		if b.pool == nil {
			continue
		}
		count := map[string]int{}
		for _, x := range b.pool.instances {
			count[b.pool.state(x, b.Health.Interval > 0)]++
		}
		for _, x := range leaving {
			if x.backend == b.Name {
				count[stateDraining]++
			}
		}
		for _, state := range []string{stateHealthy, stateUnchecked, stateUnhealthy, stateEjected, stateSuspect, stateStarting, stateDraining} {
			out <- prometheus.MustNewConstMetric(c.instances, prometheus.GaugeValue, float64(count[state]), b.Name, state)
		}
	}
}

// retries counts second and further tries by what came of them.
type retries struct{ answered, failed, refused prometheus.Counter }

func newRetried() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "banyan_retries_total",
		Help: "Requests sent to another instance of a backend after one failed; over-budget: that were not.",
	}, []string{"route", "outcome"})
}

func (m *metrics) retriesOf(route string) retries {
	return retries{
		answered: m.retried.WithLabelValues(route, "answered"),
		failed:   m.retried.WithLabelValues(route, "failed"),
		refused:  m.retried.WithLabelValues(route, "over-budget"),
	}
}
