package handover

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"banyan/modules/kernel/errs"
)

// Recover settles moves whose coordinator has not been heard of for the time that the
// options name, and returns when it has settled or lost them. Moves that are under way
// here are left alone.
func (c *Coordinator) Recover(ctx context.Context) error {
	stale, err := c.stale(ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, m := range stale {
		group.Go(func() {
			if failed := c.takeOver(ctx, m, ""); failed != nil && !isLost(failed) {
				mu.Lock()
				defer mu.Unlock()
				err = errors.Join(err, failed)
			}
		})
	}
	group.Wait()
	return err
}

// stale gives the stale moves that are not under way here.
func (c *Coordinator) stale(ctx context.Context) ([]Move, error) {
	list, err := c.o.Journal.Stale(ctx, c.o.StaleAfter)
	c.mu.Lock()
	defer c.mu.Unlock()
	others := list[:0]
	for _, m := range list {
		if !c.mine[m.ID] {
			others = append(others, m)
		}
	}
	return others, err
}

// Abort gives up a move that is not committed yet, whoever carries it out: for people.
// errs: NotFound, PreconditionFailed when it is too late or somebody else was faster.
func (c *Coordinator) Abort(ctx context.Context, id int64, reason string) error {
	m, err := c.o.Journal.Move(ctx, id)
	if err != nil {
		return err
	}
	if m.Phase != Prep && m.Phase != Aborting {
		return lost("move %d is %s: it is too late to give it up", id, m.Phase)
	}
	return c.takeOver(ctx, m, reason)
}

// takeOver makes a move one's own by compare-and-set and settles it: back with a new
// epoch, or forward in its own.
func (c *Coordinator) takeOver(ctx context.Context, move Move, why string) error {
	m := &mover{c: c, move: move, parts: move.parts, took: map[Step]time.Duration{}}
	var err error
	if m.source, err = c.side(move.Source); err != nil {
		return err
	}
	if m.target, err = c.side(move.Target); err != nil {
		return err
	}
	if m.buckets, err = c.o.Journal.BucketsOf(ctx, move.ID); err != nil {
		return err
	}
	if len(m.buckets) != move.Buckets {
		return lost("move %d has ended meanwhile", move.ID)
	}
	if why == "" {
		why = fmt.Sprintf("coordinator %s has not been heard of", move.Coordinator)
	}
	defer c.hold(move.ID)()
	err = m.transition(ctx, StepAbort, func(ctx context.Context) (Move, error) {
		if move.Phase == Committed {
			return c.o.Journal.Adopt(ctx, move, c.o.ID)
		}
		return c.o.Journal.Abort(ctx, move, c.o.ID, why)
	})
	if err != nil {
		return err
	}
	err = m.settle(ctx, why)
	if errors.Is(err, errGone) {
		return lost("move %d was taken over by another coordinator", move.ID)
	}
	if !crashed(err) && c.o.Observe != nil {
		report := Report{Move: m.move, Err: err, Took: m.took}
		if err == nil && m.move.Outcome == Aborted {
			report.Err = errs.E(errs.Unavailable, "%s", m.move.Error)
		}
		c.o.Observe(report)
	}
	return err
}
