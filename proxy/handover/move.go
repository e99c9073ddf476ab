package handover

import (
	"context"
	"errors"
	"slices"
	"time"

	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/mutant"
)

// mover is a move under way here.
type mover struct {
	c              *Coordinator
	move           Move
	buckets        []int // in their order
	source, target Side
	frozen, free   time.Time        // when the pause began and ended; zero: it did not, or not here
	follows        map[string]int64 // what the target was seen to know of others' data
	warm, cold     []int            // buckets to copy before they are frozen, and after that
	copied         []kernel.Digest  // of what the source gave, by bucket
	stamps         []string         // of warm, from before the copy; nil if the source has none
	left           *mover           // buckets that are not of the move any more
	leaving        func() []int     // see giveBack
	alone          bool             // see standAlone
	records        int64
	parts          []int64 // of each bucket
	took           map[Step]time.Duration
	mismatch       bool
}

// Move moves a batch and returns when it is settled, one way or the other. Its error says
// why nothing was moved; errs.Unsafe if the target must not become owner. Where the
// context ends first, the move is settled within the grace, or left to others. Buckets that
// were written while they were copied are moved again, as a move of their own; the last
// one is told.
func (c *Coordinator) Move(ctx context.Context, b Batch) (Move, error) {
	for try := 1; ; try++ {
		m, again, err := c.moveOnce(ctx, b, c.o.CopyFrozen || try == mostTries)
		if len(again) == 0 || try == mostTries || ctx.Err() != nil {
			return m, err
		}
		b.Buckets = again
	}
}

// moveOnce is Move without another try; it gives the buckets that need one.
func (c *Coordinator) moveOnce(ctx context.Context, b Batch, frozen bool) (_ Move, again []int, _ error) {
	m := &mover{c: c, buckets: slices.Sorted(slices.Values(b.Buckets)), took: map[Step]time.Duration{}}
	m.divide(frozen)
	err := m.admit(ctx, b)
	if err == nil {
		err = m.step(ctx, StepBegin, func(ctx context.Context) (err error) {
			m.move, err = c.o.Journal.Begin(ctx, Batch{b.Source, b.Target, m.buckets, b.Reason}, c.o.ID, c.o.MaxMoves)
			return err
		})
	}
	if err != nil {
		return m.move, nil, err
	}
	defer c.hold(m.move.ID)()
	c.publish(m.move, m.buckets)
	err = m.carry(ctx)
	m.learn(err)
	if !crashed(err) && c.o.Observe != nil {
		c.o.Observe(Report{Move: m.move, Err: err, Took: m.took, Mismatch: m.mismatch})
	}
	if m.leaving != nil {
		again = m.leaving()
	}
	if errors.Is(err, errChanged) && m.move.Outcome == Aborted {
		again = append(again, m.buckets...)
	}
	return m.move, again, err
}

// learn tells the pace how long the buckets were frozen.
func (m *mover) learn(err error) {
	p := m.c.paceOf(m.target.Name)
	switch {
	case err == nil && m.move.Outcome == Moved:
		p.moved(len(m.buckets), m.records, m.move.Pause, m.took[StepCopy], m.c.o.PauseBudget)
		m.c.calm(m.buckets)
	case errors.Is(err, errLate):
		p.gaveUp(len(m.buckets))
	}
}

// carry goes on with a move that is being prepared, until it is settled.
func (m *mover) carry(ctx context.Context) error {
	defer m.makeRoom()
	err := m.prepare(ctx)
	if crashed(err) {
		return err
	}
	if err == nil {
		return m.settle(ctx, "")
	}
	if unsettled := m.settle(ctx, err.Error()); unsettled != nil {
		return errors.Join(err, unsettled)
	}
	if m.move.Outcome == Moved {
		return nil // the commit's answer was lost, not the commit
	}
	return err
}

// step carries a step out and keeps how long it took.
func (m *mover) step(ctx context.Context, s Step, call func(context.Context) error) error {
	began := time.Now()
	err := m.c.do(ctx, s, call)
	m.took[s] += time.Since(began)
	return err
}

// admit finds the sides of a batch, and refuses a target that may lose data.
func (m *mover) admit(ctx context.Context, b Batch) (err error) {
	if len(b.Buckets) == 0 {
		return errs.E(errs.Invalid, "a move needs buckets")
	}
	if m.source, err = m.c.side(b.Source); err != nil {
		return err
	}
	if m.target, err = m.c.side(b.Target); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, m.c.o.StepTimeout)
	defer cancel()
	status, err := m.target.Participant.Status(ctx, m.buckets[:1])
	if err != nil {
		return err
	}
	if !status.Durable && !m.c.o.AcceptDataLoss {
		return errs.E(errs.Unsafe, "%s may lose what it has acknowledged, so it must not own data: make its store durable, or accept data loss", m.target.Name)
	}
	if m.target.Name == m.c.o.Home.Name {
		// Sealing empties the home's copy, all that is left when the source is gone: see Rescue.
		_, err = m.source.Participant.Status(ctx, m.buckets[:1])
	}
	return err
}

// untilCommit is the share of the pause's budget, in percent, in which a move must be
// committed: what follows cannot be given up.
const untilCommit = 70

// prepare does everything up to the commit. After an error nothing is sent again in this
// epoch.
func (m *mover) prepare(ctx context.Context) error {
	if err := m.order(ctx, StepSeal, m.target, kernel.Seal); err != nil {
		return err
	}
	// What the target does not know yet it may learn before anybody has to wait.
	if err := m.follow(ctx, m.c.o.StepTimeout); err != nil {
		return err
	}
	if err := m.copyWarm(ctx); err != nil {
		return err
	}
	m.standAlone()
	m.c.publishFrozen(m.move, m.buckets)
	m.frozen = time.Now()
	paused, cancel := context.WithDeadline(ctx, m.frozen.Add(m.c.o.PauseBudget*untilCommit/100))
	defer cancel()
	if err := m.order(paused, StepFreeze, m.source, kernel.Freeze); err != nil {
		return m.late(paused, err)
	}
	if mutant.TimerUnfreezes {
		again := kernel.Order{Op: kernel.Reactivate, Epoch: m.move.Epoch + 1, Buckets: m.buckets}
		time.AfterFunc(m.c.o.PauseBudget, func() { _, _ = m.source.Participant.Order(context.WithoutCancel(ctx), again) })
	}
	if err := m.step(paused, StepFollow, func(ctx context.Context) error { return m.follow(ctx, m.c.o.PauseBudget) }); err != nil {
		return m.late(paused, err)
	}
	err := m.copyRest(paused)
	if m.left != nil {
		m.leaving = m.giveBack(ctx)
	}
	if err != nil {
		return m.late(paused, err)
	}
	if paused.Err() != nil {
		return m.late(paused, paused.Err())
	}
	return m.commit(ctx)
}

// commit gives the buckets to the target.
func (m *mover) commit(ctx context.Context) error {
	return m.step(ctx, StepCommit, func(ctx context.Context) error {
		// Not the pause's deadline: an answer that is cut off would tell nothing.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.c.o.StepTimeout)
		defer cancel()
		after, err := m.c.o.Journal.Commit(ctx, m.move, m.records, m.parts)
		if err == nil {
			m.move = after
			m.c.publish(m.move, m.buckets)
		}
		return err
	})
}

// errLate marks a move that was given up because its pause became too long.
var errLate = errors.New("the pause reached its budget")

// late says that it was the pause's budget that ended a step, if it was.
func (m *mover) late(paused context.Context, err error) error {
	if !crashed(err) && errors.Is(context.Cause(paused), context.DeadlineExceeded) {
		return errs.E(errs.Unavailable, "%v (%s) before the move was committed", errLate, m.c.o.PauseBudget).Because(errors.Join(errLate, err))
	}
	return err
}

// order gives one order to one side; a refusal is an error.
func (m *mover) order(ctx context.Context, s Step, to Side, op kernel.Op) error {
	return m.step(ctx, s, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, m.c.o.StepTimeout)
		defer cancel()
		o := kernel.Order{Op: op, Epoch: m.move.Epoch, Buckets: m.buckets}
		if op == kernel.Activate {
			o.Seqs = m.parts
		}
		refused, err := to.Participant.Order(ctx, o)
		if err != nil {
			return err
		}
		return refusal(to.Name, string(op), refused)
	})
}

// refused is an answer of a store that will not become another one by asking again.
type refused struct{ fences []kernel.Fence }

func (r *refused) Error() string { return "refused" }

// refusal makes an error of the fences that were not moved, nil if there are none.
func refusal(side, what string, fences []kernel.Fence) error {
	if len(fences) == 0 {
		return nil
	}
	f := fences[0]
	mode := f.Mode
	if mode == kernel.Absent {
		mode = "absent"
	}
	return errs.E(errs.Conflict, "%s refused %s of %d buckets; bucket %d is %s there in epoch %d with %d parts", side, what, len(fences), f.Bucket, mode, f.Epoch, f.Seq).
		Because(&refused{fences})
}

// follow waits until the target knows at least as much of others' data as the source.
func (m *mover) follow(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for attempt := 1; ; attempt++ {
		from, err := m.source.Participant.Status(ctx, m.buckets[:1])
		if err != nil {
			return err
		}
		if m.follows != nil && behind(from.Follows, m.follows) == "" {
			return nil // what it knew it still knows
		}
		to, err := m.target.Participant.Status(ctx, m.buckets[:1])
		if err != nil {
			return err
		}
		m.follows = to.Follows
		name := behind(from.Follows, to.Follows)
		if name == "" {
			return nil
		}
		if !wait(ctx, min(backoff(attempt), 100*time.Millisecond)) {
			return errs.E(errs.Unavailable, "%s knows %s up to %d only, %s up to %d: it must catch up first", m.target.Name, name, to.Follows[name], m.source.Name, from.Follows[name])
		}
	}
}

// behind names a source of which both know something, and the target less; "" if none.
func behind(from, to map[string]int64) string {
	for name, at := range from {
		if has, both := to[name]; both && has < at {
			return name
		}
	}
	return ""
}
