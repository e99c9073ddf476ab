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

// errChanged marks a move that was given up because what was copied before the freeze was
// not what the source had after it.
var errChanged = errors.New("buckets were written while they were copied")

// mostTries bounds how often a batch is moved that is written while it is copied. In the
// last of them everything is copied frozen.
const mostTries = 3

// divide says which buckets are copied before they are frozen: those that nobody wrote to
// while they were copied the last time.
func (m *mover) divide(frozen bool) {
	m.parts, m.copied = make([]int64, len(m.buckets)), make([]kernel.Digest, len(m.buckets))
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	for _, b := range m.buckets {
		if frozen || m.c.busy[b] {
			m.cold = append(m.cold, b)
		} else {
			m.warm = append(m.warm, b)
		}
	}
}

// stir notes that buckets could not be copied while they were in use.
func (c *Coordinator) stir(buckets []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range buckets {
		c.busy[b] = true
	}
}

// calm forgets it.
func (c *Coordinator) calm(buckets []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range buckets {
		delete(c.busy, b)
	}
}

// copyWarm copies what is still in use. Nothing depends on what the source gives then: it is
// as good as what the source has when it is frozen, or it is not used. So an export that
// makes no sense, as one of a store that is being written may, is no more than a reason to
// copy these buckets frozen the next time.
func (m *mover) copyWarm(ctx context.Context) error {
	if len(m.warm) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.c.o.StepTimeout)
	defer cancel()
	if s, ok := m.source.Participant.(kernel.Stamper); ok { // before the copy: see changed
		var err error
		if m.stamps, err = s.Stamps(ctx, 0, m.warm); err != nil {
			return err
		}
	}
	err := m.copy(ctx, 0, m.warm)
	if err == nil {
		err = m.step(ctx, StepDigest, func(ctx context.Context) error { return m.compare(ctx, m.warm) })
		if errors.Is(err, errDiffers) {
			err = errs.E(errs.Conflict, "%v", err).Because(errors.Join(errChanged, err))
		}
	}
	switch errs.CodeOf(err) {
	case errs.Conflict, errs.Invalid, errs.BadGateway, errs.Internal:
		if !crashed(err) {
			m.c.stir(m.warm)
		}
	default: // whoever could not be reached says nothing of the data
	}
	return err
}

// standAlone gives the machine to the pause that begins: until makeRoom nobody else has one,
// and what others copy waits. A move that copies when it is frozen holds nobody up.
func (m *mover) standAlone() {
	if len(m.warm) > 0 {
		m.c.gate.Lock()
		m.alone = true
	}
}

// makeRoom ends standAlone, if it goes on.
func (m *mover) makeRoom() {
	if m.alone {
		m.alone = false
		m.c.gate.Unlock()
	}
}

// copyRest makes sure, now that the source is frozen, that the target has everything.
func (m *mover) copyRest(ctx context.Context) error {
	if len(m.warm) > 0 {
		if err := m.verify(ctx); err != nil {
			return err
		}
	}
	if len(m.cold) > 0 {
		if err := m.copy(ctx, m.move.Epoch, m.cold); err != nil {
			return err
		}
		if err := m.step(ctx, StepDigest, func(ctx context.Context) error { return m.compare(ctx, m.cold) }); err != nil {
			m.mismatch = errors.Is(err, errDiffers)
			return err
		}
	}
	m.records = 0
	for _, d := range m.copied {
		m.records += d.Records
	}
	return nil
}

// verify reads the source, which is frozen. What it has is what was copied, or stays there.
func (m *mover) verify(ctx context.Context) error {
	var changed []int
	err := m.step(ctx, StepVerify, func(ctx context.Context) (err error) {
		changed, err = m.changed(ctx)
		return err
	})
	if err != nil || len(changed) == 0 || mutant.WarmCopyTrusted {
		return err
	}
	m.c.stir(changed)
	why := errs.E(errs.Conflict, "%d of %d buckets, %d among them, were written while they were copied; they are tried again", len(changed), len(m.buckets), changed[0]).
		Because(errChanged)
	if len(changed) == len(m.buckets) {
		return why
	}
	return m.leave(ctx, changed, why)
}

// leave goes on without some buckets, which the source keeps.
func (m *mover) leave(ctx context.Context, changed []int, why error) error {
	return m.step(ctx, StepLeave, func(ctx context.Context) error {
		// Not the pause's deadline: an answer that is cut off would tell nothing.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.c.o.StepTimeout)
		defer cancel()
		rest, left, err := m.c.o.Journal.Leave(ctx, m.move, changed, why.Error())
		if err != nil {
			return err
		}
		m.move = rest
		m.left = &mover{
			c: m.c, move: left, buckets: changed, source: m.source, target: m.target,
			frozen: m.frozen, took: map[Step]time.Duration{},
		}
		m.c.publish(left, changed)
		m.drop(changed)
		return nil
	})
}

// drop forgets what is known of buckets that are not of the move any more.
func (m *mover) drop(gone []int) {
	kept := mover{}
	for i, b := range m.buckets {
		if !slices.Contains(gone, b) {
			kept.buckets = append(kept.buckets, b)
			kept.parts, kept.copied = append(kept.parts, m.parts[i]), append(kept.copied, m.copied[i])
		}
	}
	m.buckets, m.parts, m.copied = kept.buckets, kept.parts, kept.copied
	m.warm, m.stamps = slices.DeleteFunc(m.warm, func(b int) bool { return slices.Contains(gone, b) }), nil
}

// giveBack settles what was left out of a move, beside the move; the function that it gives
// waits for the end of it and tells which buckets are to be tried again.
func (m *mover) giveBack(ctx context.Context) func() []int {
	if m.left == nil {
		return func() []int { return nil }
	}
	left, done := m.left, make(chan error, 1)
	release := m.c.hold(left.move.ID)
	go func() {
		defer release()
		done <- left.settle(ctx, "")
	}()
	return func() []int {
		err := <-done
		if !crashed(err) && m.c.o.Observe != nil {
			m.c.o.Observe(Report{Move: left.move, Err: errChanged, Took: left.took})
		}
		if err != nil {
			return nil // left to others, who give them back
		}
		return left.buckets
	}
}

// changed gives the buckets of which the source has something else than was copied. Where it
// has stamps, one from before the copy and one from after the freeze say that nothing
// changed in between; otherwise all records are read again.
func (m *mover) changed(ctx context.Context) ([]int, error) {
	var changed []int
	if s, ok := m.source.Participant.(kernel.Stamper); ok && len(m.stamps) == len(m.warm) {
		now, err := s.Stamps(ctx, m.move.Epoch, m.warm)
		if err != nil {
			return nil, err
		}
		if len(now) != len(m.warm) {
			return nil, errs.E(errs.BadGateway, "%s gave stamps of %d buckets instead of %d", m.source.Name, len(now), len(m.warm))
		}
		for i, b := range m.warm {
			if now[i] != m.stamps[i] {
				changed = append(changed, b)
			}
		}
		return changed, nil
	}
	now, err := m.digests(ctx, m.source, m.warm)
	if err != nil {
		return nil, err
	}
	for i, b := range m.warm {
		if now[i] != m.copied[m.index(b)] {
			changed = append(changed, b)
		}
	}
	return changed, nil
}

// errDiffers marks that the target has other records than it was sent.
var errDiffers = errors.New("different contents")

// compare reads what the target stored; it must have the records that the source exported.
func (m *mover) compare(ctx context.Context, buckets []int) error {
	stored, err := m.digests(ctx, m.target, buckets)
	if err != nil {
		return err
	}
	for i, b := range buckets {
		if from, to := m.copied[m.index(b)], stored[i]; from != to {
			return errs.E(errs.Conflict, "bucket %d has %d records at %s and %d at %s, with %v", b, from.Records, m.source.Name, to.Records, m.target.Name, errDiffers).
				Because(errDiffers)
		}
	}
	return nil
}

// digests asks a side, whose fences must be of the move's epoch.
func (m *mover) digests(ctx context.Context, of Side, buckets []int) ([]kernel.Digest, error) {
	list, err := of.Participant.Digest(ctx, m.move.Epoch, buckets)
	if err != nil {
		return nil, err
	}
	if len(list) != len(buckets) {
		return nil, errs.E(errs.BadGateway, "%s gave digests of %d buckets instead of %d", of.Name, len(list), len(buckets))
	}
	return list, nil
}
