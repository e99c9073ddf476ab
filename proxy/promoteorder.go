package proxy

import (
	"context"
	"fmt"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/proxy/analysis"
	"banyan/proxy/canary"
	"banyan/proxy/promotion"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// PromoteOrder lets a route climb the steps of its analysis.
type PromoteOrder struct {
	Ask
	Backend string // "" for the only one beside the home
	DryRun  bool
}

// PromotionView is how a route's promotion stands, or its last one ended, or, on a dry
// run, would go.
type PromotionView struct {
	State    promotion.State    `json:"state"` // planned on a dry run
	Backend  string             `json:"backend"`
	Weight   canary.Weight      `json:"weight"` // that it should have now
	Step     int                `json:"step"`   // from 1
	Steps    []canary.Weight    `json:"steps"`
	Looks    int                `json:"looks"` // at this step
	Since    time.Time          `json:"since"` // the step's
	Verdict  analysis.Verdict   `json:"verdict"`
	Metrics  []analysis.Finding `json:"metrics"` // at the last look
	Sentence string             `json:"sentence"`
	Actor    string             `json:"actor"`
	Reason   string             `json:"reason"`
	Started  time.Time          `json:"started_at"`
	Changed  time.Time          `json:"changed_at"`
	Interval string             `json:"interval"`
	Driver   string             `json:"driver"` // replica that drives it or did, "" before the first
	Lately   []ArmView          `json:"lately"` // this replica's last minute
}

// Planned is the state of a promotion that was only asked about.
const Planned promotion.State = "planned"

// ArmView is what this replica saw a backend do in the last minute.
type ArmView struct {
	Backend  string  `json:"backend"`
	Requests int     `json:"requests"`
	Client   uint64  `json:"client_errors"`  // 4xx
	Server   uint64  `json:"server_errors"`  // 5xx by the backend
	Gateway  uint64  `json:"gateway_errors"` // no answer, or none in time
	Torn     uint64  `json:"torn"`
	Gone     uint64  `json:"gone"` // the caller left
	P50      float64 `json:"p50_ms"`
	P90      float64 `json:"p90_ms"`
	P99      float64 `json:"p99_ms"`
}

// Promote begins a promotion at the first step above the backend's weight; it goes on by
// itself. errs: those of a change; Invalid for a route without analysis; Unsafe when the
// last step would be refused; PreconditionFailed when one goes on already, or there is no
// step left.
func (p *Router) Promote(ctx context.Context, o PromoteOrder) (PromotionView, error) {
	r, row, err := p.promotable(o)
	if err != nil {
		return PromotionView{}, err
	}
	name, err := r.promoted(o.Backend)
	if err != nil {
		return PromotionView{}, err
	}
	steps, step := r.Analysis.Steps, 0
	for step < len(steps) && steps[step] <= r.weights[name] {
		step++
	}
	if step == len(steps) {
		return PromotionView{}, errs.E(errs.PreconditionFailed, "%s has %s of route %s already, and the last step is %s", name, r.weights[name], r.ID, steps[step-1])
	}
	last := Order{Route: r.ID, Action: Set, Weights: weights.Weights{name: steps[len(steps)-1]}, DryRun: true}
	if _, err := p.Apply(ctx, last); err != nil {
		return PromotionView{}, err
	}
	begun := promotion.Row{
		Route: r.ID, State: promotion.Running, Backend: name, Fingerprint: r.Fingerprint, Weight: steps[step], Step: step, Seen: row.Version,
		Sentence: fmt.Sprintf("going to %s for %s: %s", steps[step], o.Actor, o.Reason), Actor: o.Actor, Reason: o.Reason,
	}
	if o.DryRun {
		begun.State, begun.Sentence = Planned, fmt.Sprintf("would begin at %s, from %s", steps[step], r.weights[name])
		return p.promotionView(r, begun), nil
	}
	if now, err := p.Promotion(ctx, r.ID); err != nil {
		return PromotionView{}, err
	} else if now != nil && !now.State.Ended() {
		return PromotionView{}, promotion.GoesOn(r.ID, now.State)
	}
	about := fmt.Sprintf("%s, from %s to %s in %d steps", name, r.weights[name], steps[len(steps)-1], len(steps)-step)
	if err := p.note(ctx, o.Ask, r, row, "promote", about); err != nil {
		return PromotionView{}, err
	}
	if err := p.promoter.store.Begin(ctx, begun); err != nil {
		return PromotionView{}, err
	}
	v, err := p.Promotion(ctx, r.ID)
	if err != nil {
		return PromotionView{}, err
	}
	return *v, nil
}

// promotable gives the route of an order that can be promoted.
func (p *Router) promotable(o PromoteOrder) (*route, weights.Row, error) {
	if o.Reason == "" && !o.DryRun {
		return nil, weights.Row{}, errs.E(errs.Invalid, "a change needs a reason; it is kept in the audit log").With("field", "reason")
	}
	if len(o.Reason) > weights.MaxReason/2 {
		return nil, weights.Row{}, errs.E(errs.Invalid, "the reason of a promotion is longer than %d bytes", weights.MaxReason/2).With("field", "reason")
	}
	r, row := p.standing(o.Route)
	switch {
	case r == nil:
		return nil, row, notFound(o.Route)
	case o.IfVersion != "" && o.IfVersion != version(r, row):
		return nil, row, errs.E(errs.PreconditionFailed, "route %s is at version %s now, not %s; look at it again before changing it", o.Route, version(r, row), o.IfVersion).With("version", version(r, row))
	case r.Analysis == nil:
		return nil, row, errs.E(errs.Invalid, "route %s has no analysis; write one in routes.yaml that says by which steps and metrics it climbs", r.ID)
	case p.promoter == nil:
		return nil, row, errs.E(errs.Unavailable, "this router keeps no run-time weights, so it cannot promote routes")
	}
	return r, row, nil
}

// promoted gives the backend that is to climb.
func (r *route) promoted(name string) (string, error) {
	switch {
	case r.mover != nil && (name == "" || name == r.mover.settings.away):
		return r.mover.settings.away, nil
	case name == "" && len(r.Shares) == 2:
		return r.Shares[1].Backend, nil
	case name == "":
		return "", errs.E(errs.Invalid, "route %s has %d backends beside %s; name the one to promote", r.ID, len(r.Shares)-1, routes.Monolith).With("field", "backend")
	}
	if _, ok := r.weights[name]; !ok || name == routes.Monolith || r.mover != nil {
		return "", errs.E(errs.Invalid, "route %s has no backend %s that could be promoted", r.ID, name).With("field", "backend")
	}
	return name, nil
}

// Promotion tells how a route's promotion stands, nil if it never had one. errs:
// NotFound, Unavailable.
func (p *Router) Promotion(ctx context.Context, id string) (*PromotionView, error) {
	r, _ := p.standing(id)
	if r == nil {
		return nil, notFound(id)
	}
	if r.Analysis == nil || p.promoter == nil {
		return nil, nil //nolint:nilnil // most routes have none
	}
	rows, err := p.promoter.store.All(ctx)
	if err != nil {
		return nil, err
	}
	row, known := rows[id]
	if !known {
		return nil, nil //nolint:nilnil // it was never promoted
	}
	v := p.promotionView(r, row)
	return &v, nil
}

func (p *Router) promotionView(r *route, row promotion.Row) PromotionView {
	v := PromotionView{
		State: row.State, Backend: row.Backend, Weight: row.Weight, Step: row.Step + 1, Steps: r.Analysis.Steps, Looks: row.Looks,
		Since: time.UnixMicro(row.StepAt).UTC(), Verdict: analysis.Decide(row.Findings), Metrics: row.Findings, Sentence: row.Sentence,
		Actor: row.Actor, Reason: row.Reason, Started: time.UnixMicro(row.StartedAt).UTC(), Changed: time.UnixMicro(row.ChangedAt).UTC(),
		Interval: r.Analysis.Interval.String(), Driver: row.Holder, Lately: []ArmView{},
	}
	if row.Looks == 0 { // what was found is of the step before
		v.Verdict = analysis.Inconclusive
	}
	if v.Metrics == nil {
		v.Metrics = []analysis.Finding{}
	}
	c := (*p.promoter.counted.Load())[r.ID]
	if c == nil {
		return v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range r.Shares {
		if arm := c.arms[s.Backend]; arm != nil {
			v.Lately = append(v.Lately, armView(s.Backend, c.windows[s.Backend].Since(arm.Read())))
		}
	}
	return v
}

func armView(name string, s *analysis.Sample) ArmView {
	return ArmView{
		Backend: name, Requests: s.Requests(), Client: s.Classes[analysis.Client], Server: s.Classes[analysis.Server],
		Gateway: s.Classes[analysis.Gateway], Torn: s.Classes[analysis.Torn], Gone: s.Classes[analysis.Gone],
		P50: milliseconds(s.Quantile(0.5)), P90: milliseconds(s.Quantile(0.9)), P99: milliseconds(s.Quantile(0.99)),
	}
}

// notePromoted writes the end of a promotion, which changes no weight, to the audit log.
func (p *Router) notePromoted(ctx context.Context, id, sentence string) error {
	r, w := p.standing(id)
	if r == nil {
		return nil
	}
	return p.store.Log(ctx, weights.Change{
		Route: id, Action: string(promotion.Promoted), From: r.weights, To: r.weights, IfVersion: w.Version,
		Actor: promoterActor, Reason: short(sentence, weights.MaxReason),
	})
}

// short cuts a text to n bytes, at a character.
func short(s string, n int) string {
	for len(s) > n {
		n--
		if s[n]&0xc0 != 0x80 {
			return s[:n]
		}
	}
	return s
}
