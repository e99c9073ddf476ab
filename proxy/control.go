package proxy

import (
	"context"
	"fmt"

	"banyan/modules/kernel/errs"
	"banyan/proxy/canary"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// Order is a change of a route's weights that someone asks for.
type Order struct {
	Route     string
	Action    Action
	Weights   weights.Weights // Set: what to change; what is not named the home gives or takes
	Backend   string          // Flip: where to, when the route has several; "" for the only one
	IfVersion string          // refuse unless the route's version is this; "" for whatever it is
	Reason    string
	Actor     string
	RequestID string
	DryRun    bool
}

// Action names what an Order does.
type Action string

// The actions.
const (
	Set      Action = "set"
	Flip     Action = "flip"     // all to the other backend, or all back home
	Rollback Action = "rollback" // all to the home
	Pause    Action = "pause"    // weights as they are, but no data is moved until any other order
	Resume   Action = "resume"
)

// Outcome is what an Order did, or, on a dry run, would do.
type Outcome struct {
	Route  string          `json:"route"`
	From   weights.Weights `json:"from"`
	To     weights.Weights `json:"to"`
	Moves  canary.Weight   `json:"moves"` // share of the callers that another backend now serves
	DryRun bool            `json:"dry_run"`
}

// Apply carries an order out: it is in the database, and in force here, when Apply
// returns; other replicas follow within half a second. errs: NotFound, Invalid, Unsafe,
// PreconditionFailed, Unavailable.
func (p *Router) Apply(ctx context.Context, o Order) (Outcome, error) {
	if o.Reason == "" && !o.DryRun {
		return Outcome{}, errs.E(errs.Invalid, "a change needs a reason; it is kept in the audit log").With("field", "reason")
	}
	if len(o.Reason) > weights.MaxReason {
		return Outcome{}, errs.E(errs.Invalid, "the reason is longer than %d bytes", weights.MaxReason).With("field", "reason")
	}
	for try := 1; ; try++ {
		out, err := p.applyOnce(ctx, o)
		if errs.CodeOf(err) != errs.PreconditionFailed || o.IfVersion != "" || try == maxApplies {
			return out, err
		}
		if err := p.refresh(ctx); err != nil { // another replica was faster; who names no version does not mind
			return Outcome{}, err
		}
	}
}

// maxApplies bounds how often an order is tried when other replicas change the route too.
const maxApplies = 5

func (p *Router) applyOnce(ctx context.Context, o Order) (Outcome, error) {
	p.mu.Lock()
	table, rows := p.table.Load(), p.rows
	p.mu.Unlock()
	r := table.byID[o.Route]
	if r == nil {
		return Outcome{}, notFound(o.Route)
	}
	row := rows[o.Route]
	if o.IfVersion != "" && o.IfVersion != version(r, row) {
		return Outcome{}, errs.E(errs.PreconditionFailed, "route %s is at version %s now, not %s; look at it again before changing it", o.Route, version(r, row), o.IfVersion).With("version", version(r, row))
	}
	to, err := r.target(o)
	if err != nil {
		return Outcome{}, err
	}
	if err := table.config.CheckWeights(r.Route, to); err != nil {
		return Outcome{}, err
	}
	out := Outcome{Route: o.Route, From: r.weights, To: to, Moves: moved(r, to), DryRun: o.DryRun}
	if o.DryRun {
		return out, nil
	}
	if p.store == nil {
		return Outcome{}, errs.E(errs.Unavailable, "this router keeps no run-time weights; change routes.yaml instead")
	}
	err = p.store.Set(ctx, weights.Change{
		Route: o.Route, Action: string(o.Action), From: r.weights, To: to, Fingerprint: r.Fingerprint,
		IfVersion: row.Version, Pause: o.Action == Pause, Actor: o.Actor, Reason: o.Reason, RequestID: o.RequestID,
	})
	if err != nil {
		return Outcome{}, err
	}
	if err := p.refresh(ctx); err != nil { // it is committed: the next poll takes it over
		p.log.WithError(err).WithField("route", o.Route).Warn("weights were set but could not be read back")
	}
	return out, nil
}

func notFound(id string) error {
	return errs.E(errs.NotFound, "there is no route %s; see the list of routes", id)
}

// target gives the weights that an order wants, all of the route's backends in it.
func (r *route) target(o Order) (weights.Weights, error) {
	to := weights.Weights{}
	for name := range r.weights {
		to[name] = canary.None
	}
	switch o.Action {
	case Rollback:
		to[routes.Monolith] = canary.Full
	case Flip:
		other, err := r.flipTo(o.Backend)
		if err != nil {
			return nil, err
		}
		to[other] = canary.Full
	case Pause, Resume:
		if r.mover == nil && r.Analysis == nil {
			return nil, errs.E(errs.Invalid, "route %s has neither data that moves nor an analysis that could be paused", r.ID)
		}
		return r.weights, nil
	case Set:
		return r.merge(o.Weights)
	}
	return to, nil
}

// flipTo gives the backend that gets everything: the other one, or the home when the
// other one has everything already.
func (r *route) flipTo(name string) (string, error) {
	if name == "" {
		if len(r.Shares) != 2 {
			return "", errs.E(errs.Invalid, "route %s has %d backends beside %s; name the one to flip to", r.ID, len(r.Shares)-1, routes.Monolith).With("field", "backend")
		}
		name = r.Shares[1].Backend
	}
	w, ok := r.weights[name]
	if !ok {
		return "", errs.E(errs.Invalid, "route %s has no backend %s", r.ID, name).With("field", "backend")
	}
	if w == canary.Full {
		return routes.Monolith, nil
	}
	return name, nil
}

// merge lays new weights over the present ones; the home gets the rest unless named.
func (r *route) merge(changes weights.Weights) (weights.Weights, error) {
	if len(changes) == 0 {
		return nil, errs.E(errs.Invalid, "weights is empty; write such as {\"weights\":{\"flights\":\"5%%\"}}").With("field", "weights")
	}
	to, away := weights.Weights{}, canary.None
	for name, w := range r.weights {
		if changed, ok := changes[name]; ok {
			w = changed
		}
		to[name] = w
		if name != routes.Monolith {
			away += w
		}
	}
	for name, w := range changes {
		to[name] = w // one that is not the route's is refused by CheckWeights
	}
	if _, named := changes[routes.Monolith]; !named {
		if away > canary.Full {
			return nil, errs.E(errs.Invalid, "the weights beside %s would sum to %s; they may sum to 100%% at most", routes.Monolith, away).With("field", "weights")
		}
		to[routes.Monolith] = canary.Full - away
	}
	return to, nil
}

// moved counts the positions that change their backend.
func moved(r *route, to weights.Weights) canary.Weight {
	names, shares := make([]string, len(r.arms)), make([]canary.Weight, len(r.arms))
	for i := range r.arms {
		names[i] = r.arms[i].backend.Name
		shares[i] = to[names[i]]
	}
	after, n := canary.NewSplit(names, shares), canary.None
	for position := range canary.Positions {
		if after.Choose(position) != r.split.Choose(position) {
			n++
		}
	}
	return n
}

// version changes with the run-time weights and with the file's route; it is the ETag.
func version(r *route, row weights.Row) string {
	return fmt.Sprintf("%d-%.8s", row.Version, r.Fingerprint)
}
