package proxy

import (
	"context"
	"strings"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/proxy/canary"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// View is a route as people and programs see it.
type View struct {
	ID       string        `json:"id"`
	Version  string        `json:"version"` // also the ETag
	Home     string        `json:"home"`
	Methods  []string      `json:"methods,omitempty"` // absent: any
	Paths    []string      `json:"paths"`
	HashOn   []string      `json:"hash_on"`
	Stateful bool          `json:"stateful"`
	Weights  WeightsView   `json:"weights"`
	Backends []BackendView `json:"backends"`
	Runtime  *RuntimeView  `json:"runtime,omitempty"` // last set at run time, in force or not
	// MovesView is added by whoever asks Moving; absent if the route has no data that moves.
	*MovesView
	// Promotion is added by whoever asks Promotion; absent if the route never had one.
	Promotion *PromotionView `json:"promotion,omitempty"`
}

// WeightsView shows both sources and which one won.
type WeightsView struct {
	File      weights.Weights `json:"file"`
	Runtime   weights.Weights `json:"runtime"` // null when nothing set at run time is in force
	Effective weights.Weights `json:"effective"`
}

// BackendView is a backend of a route.
type BackendView struct {
	Name   string        `json:"name"`
	Kind   routes.Kind   `json:"kind"`
	Store  string        `json:"store"`
	Health string        `json:"health"` // in process, unchecked, healthy or unhealthy
	Weight canary.Weight `json:"weight"`
	// Instances are those of a backend elsewhere, and such as a reload took out that still
	// have requests.
	Instances []InstanceView `json:"instances,omitempty"`
}

// RuntimeView tells who set weights at run time, and why.
type RuntimeView struct {
	InForce   bool            `json:"in_force"`
	Weights   weights.Weights `json:"weights"`
	Actor     string          `json:"actor"`
	Reason    string          `json:"reason"`
	ChangedAt time.Time       `json:"changed_at"`
}

// ConfigView tells which file is in force, and what is wrong with a newer one.
type ConfigView struct {
	File     string   `json:"file"` // "" for none: everything to the monolith
	Digest   string   `json:"digest"`
	Valid    bool     `json:"valid"`    // false: the file on disk is refused
	Problems []string `json:"problems"` // why
	Warnings []string `json:"warnings"`
}

// Routes gives every route, in the file's order, with the state of the file.
func (p *Router) Routes() ([]View, ConfigView) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.table.Load()
	list := make([]View, len(t.routes))
	for i, r := range t.routes {
		list[i] = p.view(r)
	}
	c := ConfigView{File: t.config.File, Digest: t.config.Digest, Valid: p.problem == nil, Problems: []string{}, Warnings: []string{}}
	if p.problem != nil {
		c.Problems = routes.Explain(p.problem)
	}
	c.Warnings = append(c.Warnings, t.config.Warnings...)
	return list, c
}

// Route gives one route. errs: NotFound.
func (p *Router) Route(id string) (View, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.table.Load().byID[id]
	if r == nil {
		return View{}, notFound(id)
	}
	return p.view(r), nil
}

// Backend gives the instances of a backend elsewhere, nil if there is none.
func (p *Router) Backend(name string) []InstanceView {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b := p.backends[name]; b != nil {
		return p.instances(b)
	}
	return nil
}

// Audit gives at most limit changes older than before, newest first. errs: Unavailable.
func (p *Router) Audit(ctx context.Context, route string, before int64, limit int) ([]weights.Entry, error) {
	if p.store == nil {
		return nil, errs.E(errs.Unavailable, "this router keeps no audit log")
	}
	return p.store.Audit(ctx, route, before, limit)
}

func (p *Router) view(r *route) View {
	row, set := p.rows[r.ID]
	v := View{
		ID: r.ID, Version: version(r, row), Home: routes.Monolith, Methods: r.Methods, Paths: r.Paths,
		Stateful: r.Stateful != nil,
		Weights:  WeightsView{File: r.Weights(), Effective: r.weights},
	}
	if r.row != nil {
		v.Weights.Runtime = r.row.Weights
	}
	for _, k := range r.HashOn {
		v.HashOn = append(v.HashOn, k.String())
	}
	for i := range r.arms {
		b := r.arms[i].backend
		v.Backends = append(v.Backends, BackendView{b.Name, b.Kind, b.Store, b.state(), r.arms[i].weight, p.instances(b)})
	}
	if set {
		v.Runtime = &RuntimeView{
			InForce: r.row != nil, Weights: row.Weights, Actor: strings.ToValidUTF8(row.Actor, "?"),
			Reason: row.Reason, ChangedAt: time.UnixMicro(row.ChangedAt).UTC(),
		}
	}
	return v
}
