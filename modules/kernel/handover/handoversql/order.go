package handoversql

import (
	"context"
	"slices"

	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/kernel/sqldb"
)

// WipeAtOnce bounds the rows that a transaction deletes from a table.
const WipeAtOnce = 5000

// wiping is the part number of a bucket that is sealed but not empty yet: no first part
// follows it, and nobody can activate it.
const wiping = -1

// orders is what was done to some buckets.
type orders struct {
	moved   []handover.Fence
	refused []handover.Fence
	more    bool // data is left that must be wiped
}

// Order implements handover.Participant.
func (p participant[P]) Order(ctx context.Context, o handover.Order) ([]handover.Fence, error) {
	if err := handover.CheckOrder(o); err != nil {
		return nil, err
	}
	if err := p.ready(ctx); err != nil {
		return nil, err
	}
	seqs := map[int]int64{}
	for i, seq := range o.Seqs {
		seqs[o.Buckets[i]] = seq
	}
	var refused []handover.Fence
	for chunk := range slices.Chunk(slices.Sorted(slices.Values(o.Buckets)), AtOnce) {
		done, err := p.order(ctx, o, seqs, chunk)
		for err == nil && done.more {
			done, err = p.wipeOn(ctx, o, done)
		}
		if err != nil {
			return nil, err
		}
		refused = append(refused, done.refused...)
	}
	return refused, nil
}

// order moves the fences of some buckets, ascending, in one transaction. A bucket with
// much data is left sealed as wiping.
func (p participant[P]) order(ctx context.Context, o handover.Order, seqs map[int]int64, buckets []int) (orders, error) {
	var done orders
	err := p.do(ctx, func(tx *sqldb.Tx) error {
		done = orders{}
		have, err := p.lock(ctx, tx, buckets)
		if err != nil {
			return err
		}
		var wipe []int
		for _, b := range buckets {
			next, effect, ok := follow(have[b], o.Op, o.Epoch, seqs[b])
			if !ok {
				done.refused = append(done.refused, have[b])
				continue
			}
			done.moved = append(done.moved, next)
			if effect == handover.Wipe {
				wipe = append(wipe, b)
			}
		}
		if done.more, err = p.wipe(ctx, tx, wipe); err != nil {
			return err
		}
		if done.more && o.Op == handover.Seal {
			for i := range done.moved {
				done.moved[i].Seq = wiping
			}
		}
		return p.put(ctx, tx, have, done.moved)
	})
	return done, err
}

// follow is handover.Next.
func follow(f handover.Fence, op handover.Op, epoch, seq int64) (handover.Fence, handover.Effect, bool) {
	if mutant.ActivateWithoutEpoch && op == handover.Activate {
		epoch = f.Epoch
	}
	next, effect, ok := handover.Next(f, op, epoch, seq)
	if mutant.BothSidesActive && op == handover.SealSource && f.Mode != handover.Sealed {
		next.Mode = handover.Active
	}
	return next, effect, ok
}

// wipeOn deletes more of what an order has found too much for one transaction. A fence
// that somebody else has moved meanwhile is as good as refused.
func (p participant[P]) wipeOn(ctx context.Context, o handover.Order, before orders) (orders, error) {
	var done orders
	buckets := make([]int, len(before.moved))
	for i, f := range before.moved {
		buckets[i] = f.Bucket
	}
	err := p.do(ctx, func(tx *sqldb.Tx) error {
		done = orders{refused: slices.Clone(before.refused)}
		have, err := p.lock(ctx, tx, buckets)
		if err != nil {
			return err
		}
		var wipe []int
		for _, f := range before.moved {
			if have[f.Bucket] != f {
				done.refused = append(done.refused, have[f.Bucket])
				continue
			}
			done.moved = append(done.moved, f)
			wipe = append(wipe, f.Bucket)
		}
		done.more, err = p.wipe(ctx, tx, wipe)
		if err != nil || done.more || o.Op != handover.Seal {
			return err
		}
		for i := range done.moved {
			done.moved[i].Seq = 0
		}
		return p.put(ctx, tx, have, done.moved)
	})
	return done, err
}

// lock reads fences and keeps them as they are until the commit, after the writes under
// way. Buckets must ascend: whoever locks several does so in this order.
func (p participant[P]) lock(ctx context.Context, tx *sqldb.Tx, buckets []int) (map[int]handover.Fence, error) {
	fences := make(map[int]handover.Fence, len(buckets))
	if len(buckets) == 0 {
		return fences, nil
	}
	for _, b := range buckets {
		fences[b] = handover.Fence{Bucket: b}
	}
	return fences, tx.Run(ctx, Lock(p.db.Dialect(), p.route, buckets, func(f handover.Fence) { fences[f.Bucket] = f }))
}

// put writes the fences that were moved. One that was absent was not locked: if it has
// come into being meanwhile, all is done anew.
func (p participant[P]) put(ctx context.Context, tx *sqldb.Tx, have map[int]handover.Fence, to []handover.Fence) error {
	d := p.db.Dialect()
	const columns = " INTO fences(route,bucket,epoch,mode,seq) VALUES"
	marks := sqldb.Marks(1, 5)
	fresh := &Rows{Head: d.InsertIgnore() + columns, Marks: marks}
	moved := &Rows{Head: "INSERT" + columns, Marks: marks, Tail: d.Upsert("route,bucket", "epoch", "mode", "seq")}
	var changed []handover.Fence
	for _, f := range to {
		switch have[f.Bucket] {
		case f:
			continue
		case handover.Fence{Bucket: f.Bucket}:
			fresh.Add(p.route, f.Bucket, f.Epoch, string(f.Mode), f.Seq)
		default:
			moved.Add(p.route, f.Bucket, f.Epoch, string(f.Mode), f.Seq)
		}
		changed = append(changed, f)
	}
	batch := fresh.Stmts(d)
	affected := make([]int64, len(batch))
	for i := range batch {
		batch[i].Affected = &affected[i]
	}
	if err := tx.Run(ctx, batch...); err != nil {
		return err
	}
	made := int64(0)
	for _, n := range affected {
		made += n
	}
	if made != int64(fresh.Len()) {
		return errRaced
	}
	if err := tx.Run(ctx, moved.Stmts(d)...); err != nil || p.hooks.Moved == nil {
		return err
	}
	return p.hooks.Moved(ctx, tx, have, changed)
}

// wipe deletes what the store has of buckets, a bounded number of rows, and tells whether
// there may be more.
func (p participant[P]) wipe(ctx context.Context, tx *sqldb.Tx, buckets []int) (more bool, err error) {
	if len(buckets) == 0 {
		return false, nil
	}
	batch := p.data.Wipes(buckets, WipeAtOnce)
	gone := make([]int64, len(batch))
	for i := range batch {
		batch[i].Affected = &gone[i]
	}
	err = tx.Run(ctx, batch...)
	return slices.Max(gone) >= WipeAtOnce, err
}
