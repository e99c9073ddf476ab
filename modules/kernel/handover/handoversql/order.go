package handoversql

import (
	"context"
	"database/sql"
	"slices"

	"banyan/modules/kernel/handover"
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
func (p participant) Order(ctx context.Context, o handover.Order) ([]handover.Fence, error) {
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
func (p participant) order(ctx context.Context, o handover.Order, seqs map[int]int64, buckets []int) (orders, error) {
	var done orders
	err := p.do(ctx, func(tx *sqldb.Tx) error {
		done = orders{}
		have, err := p.lock(ctx, tx, buckets)
		if err != nil {
			return err
		}
		var wipe []int
		for _, b := range buckets {
			next, effect, ok := handover.Next(have[b], o.Op, o.Epoch, seqs[b])
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

// wipeOn deletes more of what an order has found too much for one transaction. A fence
// that somebody else has moved meanwhile is as good as refused.
func (p participant) wipeOn(ctx context.Context, o handover.Order, before orders) (orders, error) {
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
func (p participant) lock(ctx context.Context, tx *sqldb.Tx, buckets []int) (map[int]handover.Fence, error) {
	fences := make(map[int]handover.Fence, len(buckets))
	if len(buckets) == 0 {
		return fences, nil
	}
	for _, b := range buckets {
		fences[b] = handover.Fence{Bucket: b}
	}
	in, args := In("bucket", buckets)
	query := "SELECT bucket,epoch,mode,seq FROM fences WHERE route=? AND " + in + " ORDER BY bucket"
	if p.db.Dialect() == sqldb.MySQL { // SQLite needs no lock: it has one writer
		query += " FOR UPDATE"
	}
	return fences, tx.Run(ctx, sqldb.Q(func(rows *sql.Rows) error {
		f, err := ScanFence(rows)
		fences[f.Bucket] = f
		return err
	}, query, append([]any{p.route}, args...)...))
}

// put writes the fences that were moved. One that was absent was not locked: if it has
// come into being meanwhile, all is done anew.
func (p participant) put(ctx context.Context, tx *sqldb.Tx, have map[int]handover.Fence, to []handover.Fence) error {
	d := p.db.Dialect()
	const columns = " INTO fences(route,bucket,epoch,mode,seq) VALUES "
	fresh := &Rows{Head: d.InsertIgnore() + columns, Width: 5}
	moved := &Rows{Head: "INSERT" + columns, Width: 5, Tail: d.Upsert("route,bucket", "epoch", "mode", "seq")}
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
	if err := tx.Run(ctx, moved.Stmts(d)...); err != nil {
		return err
	}
	return p.data.Moved(ctx, tx, have, changed)
}

// wipe deletes what the store has of buckets, a bounded number of rows, and tells whether
// there may be more.
func (p participant) wipe(ctx context.Context, tx *sqldb.Tx, buckets []int) (more bool, err error) {
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
