package playbook

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"banyan/modules/kernel/sqldb"
	"banyan/proxy/weights"
)

// KeepRuns is how long runs that have ended usually stay in the journal.
const KeepRuns = 30 * 24 * time.Hour

// retention is who forgets runs; a person's name has an address.
const retention = "retention"

// The bounds of what removes them.
const (
	purgeEvery = time.Minute
	purgeRuns  = 20 // in one transaction
)

// Purge deletes runs that ended longer ago than keep, with what is noted of their blocks,
// and says how many: a bounded number, the oldest first. The latest run of each page stays,
// and so does one that can be resumed.
func (s *Store) Purge(ctx context.Context, keep time.Duration) (int, error) {
	const old = " FROM playbook_runs r WHERE state IN ('done','abandoned') AND ended_at<%s-?" +
		" AND EXISTS (SELECT 1 FROM playbook_runs later WHERE later.name=r.name AND later.seq>r.seq)"
	which := fmt.Sprintf(old, s.db.Dialect().NowMicros())
	var there int
	if err := s.db.Reader().GetContext(ctx, &there, "SELECT COUNT(*)"+which, keep.Microseconds()); err != nil || there == 0 {
		return 0, sqldb.Fail(err)
	}
	gone := 0
	err := s.db.Do(ctx, func(tx *sqldb.Tx) error {
		var seq int64
		var runs []any // as they are now: somebody may have resumed one
		err := tx.Run(ctx, append(turn(&seq), sqldb.Q(func(r *sql.Rows) error {
			var id string
			err := r.Scan(&id)
			runs = append(runs, id)
			return err
		}, "SELECT run"+which+" ORDER BY seq LIMIT ?", keep.Microseconds(), purgeRuns))...)
		if gone = len(runs); err != nil || gone == 0 {
			return err
		}
		about := fmt.Sprintf("%d of what ended more than %s ago, from %v on", gone, keep, runs[0])
		change := weights.Change{Action: "playbook forget", Actor: retention, Reason: about}
		if err := s.audit.Note(ctx, tx, change); err != nil {
			return err
		}
		these := " WHERE run IN " + sqldb.Marks(1, gone)
		tx.Finally(sqldb.S("DELETE FROM playbook_steps"+these, runs...), sqldb.S("DELETE FROM playbook_runs"+these, runs...))
		return nil
	})
	return gone, err
}

// Keep purges until ctx ends; 0 keeps runs for ever. Failures go to report, and it goes on.
func (s *Store) Keep(ctx context.Context, keep time.Duration, report func(error)) {
	for keep > 0 {
		pause := purgeEvery
		gone, err := s.Purge(ctx, keep)
		if err != nil && ctx.Err() == nil {
			report(err)
		}
		if err == nil && gone > 0 {
			pause = time.Second // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
