package handover

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// Changed gives a number that rises with every transition of the route: one small row.
func (j *Journal) Changed(ctx context.Context) (int64, error) {
	var n int64
	err := j.db.Reader().GetContext(ctx, &n, "SELECT changes FROM handover_routes WHERE route=?", j.route)
	return n, sqldb.Fail(err)
}

// Snapshot reads the state of all buckets; with an earlier snapshot, only those that
// have changed since. The earlier one stays as it is; marks of refusal are carried over.
func (j *Journal) Snapshot(ctx context.Context, earlier *Snapshot) (*Snapshot, error) {
	s := &Snapshot{Buckets: make([]Bucket, bucket.Count)}
	since, home := int64(0), ""
	if earlier != nil {
		since, s.Names = earlier.Changes, earlier.Names
		copy(s.Buckets, earlier.Buckets)
	}
	// The counter first: what is committed meanwhile is read again the next time.
	err := j.db.Reader().QueryRowContext(ctx, "SELECT changes, home FROM handover_routes WHERE route=?", j.route).Scan(&s.Changes, &home)
	if err != nil {
		return nil, sqldb.Fail(err)
	}
	if s.Changes == since {
		return earlier, nil
	}
	if _, err := s.index(home); err != nil {
		return nil, err
	}
	n := 0
	err = sqldb.Each(ctx, j.db.Reader(), sqldb.Q(func(rows *sql.Rows) error { n++; return s.scan(rows) },
		"SELECT bucket, phase, owner, target, epoch, move, changed FROM handover_buckets WHERE route=? AND changed>?", j.route, since))
	if err != nil {
		return nil, err
	}
	if earlier == nil && n != bucket.Count {
		return nil, errs.E(errs.Internal, "the journal of route %s has %d buckets instead of %d", j.route, n, bucket.Count)
	}
	return s, nil
}

// scan takes a row over, unless something newer is known of its bucket.
func (s *Snapshot) scan(rows *sql.Rows) error {
	var b Bucket
	var number int
	var phase, owner, target sql.RawBytes
	err := rows.Scan(&number, &phase, &owner, &target, &b.Epoch, &b.Move, &b.Changed)
	if err == nil {
		b.Phase, err = parsePhase(string(phase))
	}
	if err == nil {
		b.Owner, err = s.index(string(owner))
	}
	if err != nil {
		return err
	}
	if b.Target = b.Owner; len(target) > 0 {
		if b.Target, err = s.index(string(target)); err != nil {
			return err
		}
	}
	if b.Changed >= s.Buckets[number].Changed {
		b.Refused = s.Buckets[number].Refused
		s.Buckets[number] = b
	}
	return nil
}

const moveColumns = "move, epoch, kind, phase, source, target, buckets, coordinator, heartbeat_at, started_at, ended_at, outcome, reason, records, pause, parts, error"

// Moves gives at most limit moves older than the one named, newest first; before 0
// starts at the newest.
func (j *Journal) Moves(ctx context.Context, before int64, limit int) ([]Move, error) {
	return j.moves(ctx, " AND (?=0 OR move<?) ORDER BY move DESC LIMIT ?", before, before, limit)
}

// Open gives the moves that go on, oldest first.
func (j *Journal) Open(ctx context.Context) ([]Move, error) {
	return j.moves(ctx, " AND phase IN ('prep','committed','aborting') ORDER BY move")
}

// Stale gives the moves that go on and whose coordinator has not been heard of for a
// time: reason to look, and no proof of anything.
func (j *Journal) Stale(ctx context.Context, age time.Duration) ([]Move, error) {
	return j.moves(ctx, " AND phase IN ('prep','committed','aborting') AND heartbeat_at<="+j.db.Dialect().NowMicros()+"-? ORDER BY move", age.Microseconds())
}

// Move gives one move. errs: NotFound.
func (j *Journal) Move(ctx context.Context, id int64) (Move, error) {
	list, err := j.moves(ctx, " AND move=?", id)
	if err == nil && len(list) == 0 {
		err = errs.E(errs.NotFound, "route %s has no move %d", j.route, id)
	}
	if err != nil {
		return Move{}, err
	}
	return list[0], nil
}

func (j *Journal) moves(ctx context.Context, where string, args ...any) ([]Move, error) {
	list := []Move{}
	err := sqldb.Each(ctx, j.db.Reader(), sqldb.Q(func(rows *sql.Rows) error {
		var m Move
		var kind, phase, outcome string
		var micros int64
		var parts []byte
		err := rows.Scan(&m.ID, &m.Epoch, &kind, &phase, &m.Source, &m.Target, &m.Buckets, &m.Coordinator,
			&m.HeartbeatAt, &m.StartedAt, &m.EndedAt, &outcome, &m.Reason, &m.Records, &micros, &parts, &m.Error)
		if err == nil {
			err = json.Unmarshal(parts, &m.parts)
		}
		if err == nil {
			m.Phase, err = parsePhase(phase)
		}
		if err != nil {
			return err
		}
		m.Kind, m.Outcome, m.Pause = Kind(kind), Outcome(outcome), time.Duration(micros)*time.Microsecond
		list = append(list, m)
		return nil
	}, "SELECT "+moveColumns+" FROM handover_moves WHERE route=?"+where, append([]any{j.route}, args...)...))
	return list, err
}

// BucketsOf gives the buckets of a move that goes on, in their order.
func (j *Journal) BucketsOf(ctx context.Context, id int64) ([]int, error) {
	list := []int{}
	err := j.db.Reader().SelectContext(ctx, &list, "SELECT bucket FROM handover_buckets WHERE route=? AND move=? ORDER BY bucket", j.route, id)
	return list, sqldb.Fail(err)
}
