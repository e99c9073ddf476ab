package store

import (
	"context"
	"slices"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/sqldb"
)

// sweepAtOnce bounds what a sweep looks at, of each kind.
const sweepAtOnce = 200

// keepEvents is how long outgoing events stay for whoever reads them.
const keepEvents = 24 * time.Hour

// Sweep implements Keeper. What it finds it judges again under the lock of the flight,
// or of the fence: a bucket that is being moved must not change.
func (s *SQL) Sweep(ctx context.Context) (int, error) {
	var now int64
	if err := s.db.Reader().GetContext(ctx, &now, "SELECT "+s.db.Dialect().NowMicros()); err != nil {
		return 0, sqldb.Fail(err)
	}
	var ids []string
	if err := s.db.Reader().SelectContext(ctx, &ids, "SELECT hold_id FROM holds WHERE sweep_at<=?"+
		writable("CAST(SUBSTR(hold_id,2,4) AS SIGNED)")+" ORDER BY sweep_at LIMIT ?", now, Route, sweepAtOnce); err != nil {
		return 0, sqldb.Fail(err)
	}
	gone := 0
	for _, id := range ids {
		n, err := s.sweepHold(ctx, id)
		if err != nil {
			return gone, err
		}
		gone += n
	}
	for _, old := range []aged{
		{"idempotency", now - idempotency.Keep.Microseconds()},
		{"events", now - keepEvents.Microseconds()},
	} {
		n, err := s.sweepAged(ctx, old)
		if err != nil {
			return gone, err
		}
		gone += n
	}
	return gone, nil
}

// writable is a condition: the fence of the bucket is active. It only keeps a moved
// bucket's rows from filling the sweeper's hands; whether it may write it learns later.
func writable(b string) string {
	return " AND EXISTS (SELECT 1 FROM fences fe WHERE fe.route=? AND fe.bucket=" + b + " AND fe.mode='" + ModeActive + "')"
}

// sweepHold frees the seats of an expired hold, or forgets one that ended a day ago.
func (s *SQL) sweepHold(ctx context.Context, id string) (int, error) {
	b, err := bucket.Parse(bucket.HoldPrefix, id)
	if err != nil {
		return 0, nil //nolint:nilerr // not ours to judge: rows are written with checked ids
	}
	sub := Subject{Bucket: b, HoldID: id}
	gone := 0
	err = s.db.Do(ctx, func(tx *sqldb.Tx) error {
		gone = 0
		q := newSnapshot(s.db.Dialect(), sub, false)
		if err := tx.Run(ctx, append(s.locks(sub), sqldb.Q(q.scan, q.query(), q.args...))...); err != nil {
			return err
		}
		st, err := q.state(ModeActive)
		if err != nil || st.Hold == nil || st.Hold.ExpiresAt > st.Now {
			return nil //nolint:nilerr // the bucket is elsewhere or on its way: nothing to do
		}
		forget := st.Hold.ExpiresAt + idempotency.Keep.Microseconds()
		if forget <= st.Now {
			gone = 1
			tx.Finally(sqldb.S("DELETE FROM holds WHERE hold_id=?", id))
		} else {
			tx.Finally(sqldb.S("UPDATE holds SET sweep_at=? WHERE hold_id=?", forget, id))
		}
		for seat, r := range st.Seats {
			if r.Kind == Held && r.Ref == id && !r.Taken(st.Now) {
				gone++
				tx.Finally(sqldb.S("DELETE FROM seats WHERE bucket=? AND flight_id=? AND seat=?", b, st.Hold.FlightID, seat))
			}
		}
		return nil
	})
	return gone, err
}

// aged names rows of a table that are too old.
type aged struct {
	table  string
	before int64
}

// sweepAged deletes old rows of buckets whose fence is active and held so.
func (s *SQL) sweepAged(ctx context.Context, a aged) (int, error) {
	var found []int
	if err := s.db.Reader().SelectContext(ctx, &found, "SELECT bucket FROM "+a.table+" t WHERE created_at<=?"+
		writable("t.bucket")+" ORDER BY created_at LIMIT ?", a.before, Route, sweepAtOnce); err != nil {
		return 0, sqldb.Fail(err)
	}
	slices.Sort(found)
	gone := 0
	for _, b := range slices.Compact(found) {
		var n int64
		err := s.db.Do(ctx, func(tx *sqldb.Tx) error {
			n = 0
			q := newSnapshot(s.db.Dialect(), Subject{Bucket: b}, false)
			if err := tx.Run(ctx, append(s.locks(q.sub), sqldb.Q(q.scan, q.query(), q.args...))...); err != nil {
				return err
			}
			if _, err := q.state(ModeActive); err != nil {
				return nil //nolint:nilerr // the bucket is elsewhere or on its way
			}
			return tx.Run(ctx, sqldb.Stmt{
				SQL: "DELETE FROM " + a.table + " WHERE bucket=? AND created_at<=?", Args: []any{b, a.before}, Affected: &n,
			})
		})
		if err != nil {
			return gone, err
		}
		gone += int(n)
	}
	return gone, nil
}
