package handover

import (
	"context"
	"slices"
	"time"

	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
)

// RescueOrder is somebody's word that the extracted side is gone for good.
type RescueOrder struct {
	Reason string
	// AcceptLost agrees to lose all of the buckets that the home holds no copy of.
	AcceptLost bool
	// DryRun finds out what a rescue would do, and does nothing.
	DryRun bool
}

// Rescued is what Rescue did, or would do.
type Rescued struct {
	Buckets int    `json:"buckets"`
	Lost    []int  `json:"lost"` // of those, the ones that the home has no complete copy of
	Moves   []Move `json:"moves"`
}

// Rescue makes the home own everything that the extracted side owns, or should have
// revoked, because that side is gone for good: somebody who knows says so, and why. The
// moves' rows say "recovered". Nothing is done while that side answers and still owns any
// of it (errs.Unsafe): lower the weight instead. Moves that are not committed and whose
// source is the home are left to Recover.
//
// What is lost depends on the home's copy of a bucket. Until it is purged, the copy is
// what the home gave away, and only what was written since is lost; a move home that is
// committed has brought even that. But the copy is gone once the retain time is over, and
// as soon as a move home begins, which empties the target before it copies, also if it is
// given up later. Then everything in the bucket is lost, whatever its age: such buckets
// are refused (errs.Unsafe, "lost" names some) unless the order accepts it.
func (c *Coordinator) Rescue(ctx context.Context, o RescueOrder) (Rescued, error) {
	if o.Reason == "" && !o.DryRun {
		return Rescued{}, errs.E(errs.Invalid, "a rescue needs a reason; it is kept in the journal").With("field", "reason")
	}
	done, todo, err := c.survey(ctx)
	if err != nil {
		return done, err
	}
	if n := len(done.Lost); n > 0 && !o.AcceptLost {
		return done, errs.E(errs.Unsafe, "%s has no complete copy of %d of %d buckets, so all of their bookings would be lost: they were purged there, or a move home has emptied them", c.o.Home.Name, n, done.Buckets).
			With("lost", done.Lost[:min(n, maxFindings)])
	}
	if o.DryRun {
		return done, nil
	}
	done.Buckets = 0
	for _, w := range todo {
		m, err := c.rescue(ctx, w, o.Reason)
		if err != nil {
			return done, err
		}
		done.Buckets += m.Buckets
		done.Moves = append(done.Moves, m)
	}
	return done, nil
}

// survey tells what a rescue would do.
func (c *Coordinator) survey(ctx context.Context) (Rescued, []wreck, error) {
	found := Rescued{Lost: []int{}, Moves: []Move{}}
	if err := c.owner.Refresh(ctx); err != nil {
		return found, nil, err
	}
	open, err := c.o.Journal.Open(ctx)
	if err != nil {
		return found, nil, err
	}
	s := c.owner.Snapshot()
	todo, err := c.wrecks(s, open)
	if err != nil {
		return found, nil, err
	}
	if err := c.dead(ctx, todo); err != nil {
		return found, nil, err
	}
	for _, w := range todo {
		found.Buckets += len(w.buckets)
	}
	found.Lost, err = c.uncopied(ctx, s, todo)
	return found, todo, err
}

// uncopied gives the buckets that the home has no complete copy of, in their order. One at
// rest is there if the home sealed it in the epoch of its last move, and was not to
// forget it yet; a move home that was given up has left an older epoch.
func (c *Coordinator) uncopied(ctx context.Context, s *Snapshot, list []wreck) ([]int, error) {
	all := []int{}
	kept, err := c.o.Journal.Kept(ctx, c.o.Home.Name, c.keeps())
	if err != nil {
		return all, err
	}
	held := map[int]bool{}
	for _, b := range kept {
		held[b] = true
	}
	fences, err := fencesOf(ctx, c.o.Home)
	if err != nil {
		return all, err
	}
	for _, w := range list {
		for _, b := range w.buckets {
			f := fences[b]
			complete := w.from.Phase == Committed ||
				w.from.ID == 0 && held[b] && f.Mode == kernel.Sealed && f.Epoch == s.Buckets[b].Epoch
			if !complete {
				all = append(all, b)
			}
		}
	}
	slices.Sort(all)
	return all, nil
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
	fences, err := fencesOf(ctx, c.o.Away)
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
