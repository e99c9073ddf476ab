package handover

import (
	"context"
	"errors"
	"slices"
	"time"

	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
)

// errGone says that another coordinator has the move now.
var errGone = errors.New("another coordinator has taken the move over")

// settle brings the move to its end: back if it is not committed, forward if it is. It
// tries until the context has ended and the grace is over; what is left then is for
// whoever finds the move stale. why is what the move is given up for.
func (m *mover) settle(ctx context.Context, why string) error {
	ctx, cancel := lingering(ctx, m.c.o.Grace)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := m.settleOnce(ctx, why)
		if err == nil {
			return nil
		}
		if crashed(err) || errors.Is(err, errGone) {
			return err
		}
		m.makeRoom() // this may take long
		m.c.failed(err)
		if attempt == noteAfter {
			_ = m.c.o.Journal.Note(ctx, m.move, err.Error()) // for people only
		}
		if !wait(ctx, backoff(attempt)) {
			return errs.E(errs.Unavailable, "move %d is left %s for another coordinator", m.move.ID, m.move.Phase).Because(err)
		}
		if err := m.look(ctx); err != nil && errors.Is(err, errGone) {
			return err
		}
	}
}

// noteAfter is the number of failures after which the journal says what a move waits for.
const noteAfter = 4

// look reads from the journal how far the move is: a transition's answer may be lost.
func (m *mover) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.c.o.StepTimeout)
	defer cancel()
	now, err := m.c.o.Journal.Move(ctx, m.move.ID)
	if err != nil {
		return err
	}
	if now.Coordinator != m.c.o.ID {
		return errGone
	}
	if now.Phase == Committed || now.Phase == Ended {
		m.parts = now.parts
	}
	if now.Buckets != len(m.buckets) && now.Phase != Ended { // some were left out, and the answer was lost
		if m.buckets, err = m.c.o.Journal.BucketsOf(ctx, now.ID); err != nil {
			return err
		}
	}
	now.changed = m.move.changed
	m.move = now
	return nil
}

func (m *mover) settleOnce(ctx context.Context, why string) error {
	if m.move.Phase == Prep {
		if err := m.transition(ctx, StepAbort, func(ctx context.Context) (Move, error) {
			return m.c.o.Journal.Abort(ctx, m.move, m.c.o.ID, why)
		}); err != nil {
			return err
		}
	}
	switch m.move.Phase {
	case Aborting:
		return m.back(ctx)
	case Committed:
		return m.forward(ctx)
	default:
		return nil
	}
}

// transition carries out a transition of the journal.
func (m *mover) transition(ctx context.Context, s Step, change func(context.Context) (Move, error)) error {
	return m.step(ctx, s, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, m.c.o.StepTimeout)
		defer cancel()
		after, err := change(ctx)
		if err == nil {
			m.move = after
			m.c.publish(after, m.buckets)
		}
		return err
	})
}

// back gives the buckets back to the source, which owned them all the time. A source
// that refuses has not the fences that it acknowledged: nothing that is sent to it will
// change that. The move ends, and the audit refuses the buckets until somebody has
// looked after that store.
func (m *mover) back(ctx context.Context) error {
	why := m.move.Error
	err := m.order(ctx, StepReactivate, m.source, kernel.Reactivate)
	if no := (*refused)(nil); errors.As(err, &no) {
		why = text(err.Error() + "; " + why)
	} else if err != nil {
		return err
	}
	return m.transition(ctx, StepAborted, func(ctx context.Context) (Move, error) {
		return m.c.o.Journal.Aborted(ctx, m.move, m.pause(), why)
	})
}

// forward makes both sides do what was committed: revoke, then grant.
func (m *mover) forward(ctx context.Context) error {
	var err error
	if m.move.Kind == Recovering {
		err = m.recover(ctx)
	} else {
		err = m.revoke(ctx)
		if err == nil {
			err = m.order(ctx, StepActivate, m.target, kernel.Activate)
		}
	}
	if err != nil {
		return err
	}
	if m.free.IsZero() { // the target serves: nobody needs to wait until the journal says so
		m.free = time.Now()
		m.c.publishActive(m.move, m.buckets)
		m.makeRoom()
	}
	return m.transition(ctx, StepFinish, func(ctx context.Context) (Move, error) {
		return m.c.o.Journal.Finish(ctx, m.move, m.pause())
	})
}

// revoke makes the source read no more. A source that has lost even its fence, or says
// that it does not own the buckets, has nothing to be revoked; one that still owns them
// and refuses is waited for.
func (m *mover) revoke(ctx context.Context) error {
	err := m.order(ctx, StepSealSource, m.source, kernel.SealSource)
	no := (*refused)(nil)
	if !errors.As(err, &no) {
		return err
	}
	if slices.ContainsFunc(no.fences, func(f kernel.Fence) bool { return owned(f) || f.Epoch > m.move.Epoch }) {
		return err
	}
	return nil
}

func owned(f kernel.Fence) bool { return f.Mode == kernel.Active || f.Mode == kernel.ReadOnly }

// recover makes the home own what it has: what was sealed when it went away, or what it
// had not handed over yet.
func (m *mover) recover(ctx context.Context) error {
	err := m.order(ctx, StepRecover, m.target, kernel.Recover)
	no := (*refused)(nil)
	if !errors.As(err, &no) {
		return err
	}
	again := mover{c: m.c, move: m.move, took: m.took}
	for _, f := range no.fences {
		if !owned(f) {
			return err
		}
		again.buckets = append(again.buckets, f.Bucket)
	}
	return again.order(ctx, StepReactivate, m.target, kernel.Reactivate)
}

// pause is how long the buckets have been frozen, as far as is known here.
func (m *mover) pause() time.Duration {
	if m.frozen.IsZero() {
		return 0
	}
	if !m.free.IsZero() {
		return m.free.Sub(m.frozen)
	}
	return time.Since(m.frozen)
}
