package proxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"banyan/proxy/canary"
	"banyan/proxy/routes"
	"banyan/proxy/shadow"
	"banyan/proxy/weights"
)

// table is everything a decision reads. It never changes once it is in use.
type table struct {
	config *routes.Config
	root   *node
	routes []*route // in the file's order
	rest   *route   // whatever matches none
	byID   map[string]*route
}

// route is a route of the file with the weights in force.
type route struct {
	routes.Route
	weights map[string]canary.Weight
	row     *weights.Row // run-time weights in force, nil when the file's are
	shifted bool         // some backend other than the home has a weight
	seed    uint64
	split   canary.Split
	arms    []arm         // the home first
	mover   *mover        // nil unless the data moves with the traffic
	shadow  *shadow.Route // nil unless copies are compared
}

// arm is a backend on a route.
type arm struct {
	backend  *backend
	weight   canary.Weight
	requests prometheus.Counter
	retries  retries
	others   []*arm // backends that may stand in: same store, and the home or a weight
}

// adopt builds a table from a configuration and the run-time weights and puts it in
// force, with the movers prepared for it. On an error everything stays as it was.
func (p *Router) adopt(c *routes.Config, rows map[string]weights.Row, movers map[string]*mover) error {
	backends := make(map[string]*backend, len(c.Backends))
	for _, b := range c.Backends {
		if old := p.backends[b.Name]; old != nil && sameBackend(old.Backend, b) {
			backends[b.Name] = old
			continue
		}
		made, err := p.newBackend(c, b)
		if err != nil {
			return err
		}
		backends[b.Name] = made
	}
	t := &table{config: c, root: &node{}, byID: map[string]*route{}}
	t.rest = p.newRoute(routes.Route{
		ID:     routes.DefaultID,
		Shares: []routes.Share{{Backend: routes.Monolith, Weight: canary.Full}},
	}, nil, backends)
	for _, r := range c.Routes {
		compiled := p.newRoute(r, p.inForce(c, r, rows), backends)
		compiled.mover = movers[r.ID]
		t.routes = append(t.routes, compiled)
		t.byID[r.ID] = compiled
		if err := t.root.add(compiled); err != nil {
			return err
		}
	}
	p.shadow(t, backends)
	p.dismiss(p.backends, backends)
	p.config, p.rows, p.backends, p.movers = c, rows, backends, movers
	p.promoter.adopt(t)
	p.table.Store(t)
	p.poke()
	return nil
}

// inForce gives the run-time weights that win over the file's, nil if there are none:
// they must have been set for this very version of the file's route.
func (p *Router) inForce(c *routes.Config, r routes.Route, rows map[string]weights.Row) *weights.Row {
	row, ok := rows[r.ID]
	if !ok || row.Retired || row.Fingerprint != r.Fingerprint {
		return nil
	}
	if err := c.CheckWeights(r, row.Weights); err != nil {
		p.log.WithError(err).WithField("route", r.ID).Error("the run-time weights are refused; the file's are in force")
		return nil
	}
	return &row
}

func (p *Router) newRoute(r routes.Route, row *weights.Row, backends map[string]*backend) *route {
	compiled := &route{Route: r, row: row, seed: canary.Seed(r.ID), weights: r.Weights()}
	if row != nil {
		for name := range compiled.weights {
			compiled.weights[name] = row.Weights[name]
		}
	}
	names := make([]string, len(r.Shares))
	shares := make([]canary.Weight, len(r.Shares))
	compiled.arms = make([]arm, len(r.Shares))
	for i, s := range r.Shares {
		names[i], shares[i] = s.Backend, compiled.weights[s.Backend]
		compiled.shifted = compiled.shifted || (i > 0 && shares[i] > 0)
		compiled.arms[i] = arm{
			backend: backends[s.Backend], weight: shares[i],
			requests: p.metrics.requests.WithLabelValues(r.ID, s.Backend),
			retries:  p.metrics.retriesOf(r.ID),
		}
	}
	compiled.split = canary.NewSplit(names, shares)
	for i := range compiled.arms {
		compiled.arms[i].others = compiled.standIns(i)
	}
	return compiled
}

// standIns of an arm: those that serve the same declared store. A weight of 0 is none,
// also then; only the home may always be asked.
func (r *route) standIns(of int) []*arm {
	var list []*arm
	store := r.arms[of].backend.Store
	for i := range r.arms {
		other := &r.arms[i]
		if i != of && store != "" && other.backend.Store == store && (i == 0 || other.weight > 0) {
			list = append(list, other)
		}
	}
	return list
}
