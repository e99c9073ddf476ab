package handover

import (
	"context"
	"slices"
	"time"

	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
)

// Rescued is what Rescue did.
type Rescued struct {
	Buckets int    `json:"buckets"`
	Moves   []Move `json:"moves"`
}

// Rescue makes the home own everything that the extracted side owns, or should have
// revoked, because that side is gone for good: somebody who knows says so, and why. What
// was written there since the buckets left the home is lost, unless it was copied back
// already; the moves' rows say "recovered". Nothing is done while that side answers and
// still owns any of it (errs.Unsafe): lower the weight instead. Moves that are not
// committed and whose source is the home are left to Recover.
func (c *Coordinator) Rescue(ctx context.Context, reason string) (Rescued, error) {
	if reason == "" {
		return Rescued{}, errs.E(errs.Invalid, "a rescue needs a reason; it is kept in the journal").With("field", "reason")
	}
	if err := c.owner.Refresh(ctx); err != nil {
		return Rescued{}, err
	}
	open, err := c.o.Journal.Open(ctx)
	if err != nil {
		return Rescued{}, err
	}
	todo, err := c.wrecks(c.owner.Snapshot(), open)
	if err != nil {
		return Rescued{}, err
	}
	if err := c.dead(ctx, todo); err != nil {
		return Rescued{}, err
	}
	var done Rescued
	for _, w := range todo {
		m, err := c.rescue(ctx, w, reason)
		if err != nil {
			return done, err
		}
		done.Buckets += m.Buckets
		done.Moves = append(done.Moves, m)
	}
	return done, nil
}

// wreck is a number of buckets that one rescue concerns.
type wreck struct {
	from    Move // the zero Move: they are idle
	buckets []int
}

// wrecks finds what is owned by the extracted side, and what waits for its revocation.
func (c *Coordinator) wrecks(s *Snapshot, open []Move) ([]wreck, error) {
	away := c.o.Away.Name
	idle, byMove := []int{}, map[int64][]int{}
	for number, b := range s.Buckets {
		if b.Phase != Idle {
			byMove[b.Move] = append(byMove[b.Move], number)
		} else if s.Names[b.Owner] == away {
			idle = append(idle, number)
		}
	}
	var list []wreck
	for chunk := range slices.Chunk(idle, kernel.MaxBuckets) {
		list = append(list, wreck{buckets: chunk})
	}
	for _, m := range open {
		owner := m.Source
		if m.Phase == Committed {
			owner = m.Target
		}
		if owner != away && (m.Phase != Committed || m.Source != away || m.Kind == Recovering) {
			continue
		}
		if len(byMove[m.ID]) != m.Buckets {
			return nil, lost("move %d has changed meanwhile; try again", m.ID)
		}
		list = append(list, wreck{m, byMove[m.ID]})
	}
	return list, nil
}

// dead refuses to believe it of a side that answers and owns some of the buckets.
func (c *Coordinator) dead(ctx context.Context, list []wreck) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.StepTimeout)
	defer cancel()
	fences, err := fencesOf(ctx, c.o.Away, nil)
	if err != nil {
		return nil //nolint:nilerr // it does not answer, as was said
	}
	for _, w := range list {
		if owns(fences, w.buckets) {
			return errs.E(errs.Unsafe, "%s answers and owns buckets still: move them back by lowering the weight, or stop it for good first", c.o.Away.Name)
		}
	}
	return nil
}

// rescue gives one wreck to the home, first in the journal, then in its store.
func (c *Coordinator) rescue(ctx context.Context, w wreck, reason string) (Move, error) {
	m := &mover{c: c, buckets: w.buckets, source: c.o.Away, target: c.o.Home, took: map[Step]time.Duration{}}
	err := m.transition(ctx, StepCommit, func(ctx context.Context) (Move, error) {
		return c.o.Journal.Rescue(ctx, Batch{c.o.Away.Name, c.o.Home.Name, w.buckets, reason}, w.from, c.o.ID)
	})
	if err != nil {
		return Move{}, err
	}
	defer c.hold(m.move.ID)()
	err = m.settle(ctx, "")
	if err == nil && c.o.Observe != nil {
		c.o.Observe(Report{Move: m.move, Took: m.took})
	}
	return m.move, err
}

// owns tells whether a participant that answers still owns one of the buckets.
func owns(fences []kernel.Fence, buckets []int) bool {
	return slices.ContainsFunc(buckets, func(b int) bool { return owned(fences[b]) })
}
