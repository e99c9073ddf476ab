package store

import (
	"context"
	"database/sql"
	"fmt"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/sqldb"
)

// A sweep looks at some buckets, and the next one at those behind them: no table needs
// an index by age, which every write would pay for.
const (
	bucketsAtOnce = 500
	rowsASweep    = 1000 // of each kind
)

// stale is a row that nobody needs any more.
type stale struct {
	Bucket  int    `db:"bucket"`
	ID      string `db:"id"`   // flight, or hold
	Seat    string `db:"seat"` // of a seat
	Version int64  `db:"version"`
}

// Sweep implements Keeper. Outgoing events and the answers stored with them go together,
// except the newest of each flight, which tells its version. Answers that were copied
// from another store stand under no flight, and not in the order of their age.
func (s *SQL) Sweep(ctx context.Context) (int, error) {
	var now int64
	if err := s.db.Reader().GetContext(ctx, &now, "SELECT "+s.db.Dialect().NowMicros()); err != nil {
		return 0, sqldb.Fail(err)
	}
	from := int(s.sweeping.Load()) % bucket.Count
	until := from + bucketsAtOnce
	dayAgo := now - idempotency.Keep.Microseconds()
	gone := 0
	for _, kind := range []struct {
		find     string
		findArgs []any
		remove   func(stale) sqldb.Stmt
	}{
		{
			"SELECT bucket,flight_id AS id,seat,0 AS version FROM seats WHERE bucket>=? AND bucket<? AND kind='H' AND expires_at<=?",
			[]any{from, until, now},
			func(r stale) sqldb.Stmt {
				return sqldb.S("DELETE FROM seats WHERE bucket=? AND flight_id=? AND seat=? AND kind='H' AND expires_at<=?", r.Bucket, r.ID, r.Seat, now)
			},
		},
		{
			"SELECT CAST(SUBSTR(hold_id,2,4) AS SIGNED) AS bucket,hold_id AS id,'' AS seat,0 AS version FROM holds WHERE hold_id>=? AND hold_id<? AND expires_at<=?",
			[]any{fmt.Sprintf("h%04d", from), fmt.Sprintf("h%04d:", until-1), dayAgo},
			func(r stale) sqldb.Stmt {
				return sqldb.S("DELETE FROM holds WHERE hold_id=?", r.ID)
			},
		},
		{
			"SELECT bucket,flight_id AS id,'' AS seat,MAX(version) AS version FROM events e WHERE bucket>=? AND bucket<? AND created_at<=?" +
				" AND (flight_id='' OR EXISTS (SELECT 1 FROM events n WHERE n.bucket=e.bucket AND n.flight_id=e.flight_id AND n.version>e.version))" +
				" GROUP BY bucket,flight_id",
			[]any{from, until, dayAgo},
			func(r stale) sqldb.Stmt {
				return sqldb.S("DELETE FROM events WHERE bucket=? AND flight_id=? AND version<=? AND created_at<=?", r.Bucket, r.ID, r.Version, dayAgo)
			},
		},
	} {
		var found []stale
		if err := s.db.Reader().SelectContext(ctx, &found, kind.find+fmt.Sprintf(" LIMIT %d", rowsASweep), kind.findArgs...); err != nil {
			return gone, sqldb.Fail(err)
		}
		n, err := s.remove(ctx, found, kind.remove)
		gone += n
		if err != nil {
			return gone, err
		}
		if len(found) == rowsASweep {
			until = from // there is more: stay here
		}
	}
	s.sweeping.Store(int64(until))
	return gone, nil
}

// remove deletes rows, bucket by bucket, while the bucket's fence is kept active: one
// that is being moved must not change.
func (s *SQL) remove(ctx context.Context, rows []stale, statement func(stale) sqldb.Stmt) (int, error) {
	byBucket := map[int][]sqldb.Stmt{}
	for _, r := range rows {
		byBucket[r.Bucket] = append(byBucket[r.Bucket], statement(r))
	}
	gone := 0
	for b, batch := range byBucket {
		n := 0
		err := s.db.Do(ctx, func(tx *sqldb.Tx) error {
			n = 0
			mode := sqldb.Q(func(*sql.Rows) error { n = len(batch); return nil },
				"SELECT mode FROM fences WHERE route=? AND bucket=? AND mode=?"+s.db.Dialect().ShareLock(), Route, b, ModeActive)
			if err := tx.Run(ctx, mode); err != nil || n == 0 {
				return err
			}
			tx.Finally(batch...)
			return nil
		})
		if err != nil {
			return gone, err
		}
		gone += n
	}
	return gone, nil
}
