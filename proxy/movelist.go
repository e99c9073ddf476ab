package proxy

import (
	"context"
	"slices"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/proxy/handover"
)

// MoveView is a move of buckets as people and programs see it.
type MoveView struct {
	ID          string           `json:"id"` // route and number, such as reservations-17
	Route       string           `json:"route"`
	Epoch       int64            `json:"epoch"`
	Kind        handover.Kind    `json:"kind"`
	Phase       string           `json:"phase"`
	Outcome     handover.Outcome `json:"outcome"` // "" while it goes on
	Source      string           `json:"source"`
	Target      string           `json:"target"`
	Buckets     int              `json:"buckets"`
	Records     int64            `json:"records"`
	Pause       float64          `json:"pause_ms"` // 0 if another coordinator ended it
	StartedAt   time.Time        `json:"started_at"`
	EndedAt     *time.Time       `json:"ended_at"` // null while it goes on
	Coordinator string           `json:"coordinator"`
	Reason      string           `json:"reason"`
	Error       string           `json:"error"` // why it was given up, or what it waits for
}

func moveView(route string, m handover.Move) MoveView {
	v := MoveView{
		ID: moveName(route, m.ID), Route: route, Epoch: m.Epoch, Kind: m.Kind, Phase: m.Phase.String(), Outcome: m.Outcome,
		Source: m.Source, Target: m.Target, Buckets: m.Buckets, Records: m.Records, Pause: milliseconds(m.Pause),
		StartedAt: time.UnixMicro(m.StartedAt).UTC(), Coordinator: m.Coordinator, Reason: m.Reason, Error: m.Error,
	}
	if m.EndedAt > 0 {
		ended := time.UnixMicro(m.EndedAt).UTC()
		v.EndedAt = &ended
	}
	return v
}

// Moves gives at most limit moves, newest first: of one route, older than a number of it
// unless that is 0, or of all routes. errs: NotFound, Invalid, Unavailable.
func (p *Router) Moves(ctx context.Context, route string, before int64, limit int) ([]MoveView, error) {
	ids := []string{route}
	if route == "" {
		ids = nil
		for _, r := range p.table.Load().routes {
			if r.mover != nil {
				ids = append(ids, r.ID)
			}
		}
	}
	list := []MoveView{}
	for _, id := range ids {
		r, err := p.stateful(id)
		if err != nil {
			return nil, err
		}
		moves, err := r.mover.coordinator.Journal().Moves(ctx, before, limit)
		if err != nil {
			return nil, err
		}
		for _, m := range moves {
			list = append(list, moveView(id, m))
		}
	}
	if len(ids) > 1 {
		slices.SortStableFunc(list, func(a, b MoveView) int { return b.StartedAt.Compare(a.StartedAt) })
	}
	return list[:min(len(list), limit)], nil
}

// AbortMove gives up a move that is not committed yet, and returns when its source owns
// the buckets again. Ask.Route is taken from the name. errs: those of a change;
// PreconditionFailed when it is too late.
func (p *Router) AbortMove(ctx context.Context, name string, a Ask) (MoveView, error) {
	var id int64
	var err error
	if a.Route, id, err = ParseMove(name); err != nil {
		return MoveView{}, err
	}
	r, row, err := p.ask(a)
	if err != nil {
		return MoveView{}, err
	}
	c := r.mover.coordinator
	m, err := c.Journal().Move(ctx, id)
	if err == nil && m.Phase != handover.Prep && m.Phase != handover.Aborting {
		err = errs.E(errs.PreconditionFailed, "move %s is %s: it is too late to give it up; change the weight back instead", name, m.Phase)
	}
	if err == nil {
		err = p.note(ctx, a, r, row, "abort", "move "+name)
	}
	if err == nil {
		err = c.Abort(ctx, id, a.Reason)
	}
	if err == nil {
		m, err = c.Journal().Move(ctx, id)
	}
	if err != nil {
		return MoveView{}, err
	}
	return moveView(a.Route, m), nil
}

// VerifyView is what a comparison of both sides found.
type VerifyView struct {
	Route string `json:"route"`
	Move  string `json:"move,omitempty"` // that alone was looked at
	OK    bool   `json:"ok"`             // no differences and no violations
	handover.Verified
	Audit handover.AuditReport `json:"audit"` // of the whole route
}

// Verify compares the records of both sides of a route, and the fences of both with the
// journal. errs: NotFound, Invalid, and what the stores answer.
func (p *Router) Verify(ctx context.Context, id string) (VerifyView, error) {
	r, err := p.stateful(id)
	if err != nil {
		return VerifyView{}, err
	}
	return r.mover.verify(ctx, VerifyView{Route: id}, nil)
}

// VerifyMove compares the records of the buckets that a move took, as long as no other
// move took them since. errs: those of Verify.
func (p *Router) VerifyMove(ctx context.Context, name string) (VerifyView, error) {
	id, number, err := ParseMove(name)
	if err != nil {
		return VerifyView{}, err
	}
	r, err := p.stateful(id)
	if err != nil {
		return VerifyView{}, err
	}
	m, err := r.mover.coordinator.Journal().Move(ctx, number)
	if err != nil {
		return VerifyView{}, err
	}
	if err := r.mover.owners.Refresh(ctx); err != nil {
		return VerifyView{}, err
	}
	var buckets []int
	s := r.mover.owners.Snapshot()
	for b := range s.Buckets {
		if s.Buckets[b].Epoch == m.Epoch {
			buckets = append(buckets, b)
		}
	}
	if len(buckets) == 0 {
		return VerifyView{}, errs.E(errs.PreconditionFailed, "the buckets of move %s have moved again since; verify the whole route instead", name)
	}
	return r.mover.verify(ctx, VerifyView{Route: id, Move: name}, buckets)
}

func (m *mover) verify(ctx context.Context, v VerifyView, buckets []int) (VerifyView, error) {
	var err error
	if v.Verified, err = m.coordinator.Verify(ctx, buckets); err != nil {
		return v, err
	}
	v.Audit, err = m.coordinator.Audit(ctx)
	v.OK = len(v.Differences) == 0 && len(v.Audit.Counts) == 0
	return v, err
}
