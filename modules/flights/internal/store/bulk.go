package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"banyan/modules/flights"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/outbox"
	"banyan/modules/kernel/sqldb"
)

// MaxBatch bounds the flights of one InsertFlights, and so of one event.
const MaxBatch = 1000

// Run says how far an import has come: the first line that is not done, the sums since
// its start, and whether it has ended.
type Run struct {
	ID       string // names the input, so that the same one is taken up again
	NextLine int64
	Inserted int64
	Existing int64
	Refused  int64
	Done     bool
}

// InsertFlights stores the flights that are not there yet, one event with exactly those,
// and how far run has come, all in one transaction, and tells how many were new. Sums of
// run are those before this call: it adds the new and the existing ones to run itself.
// Rows must not repeat a flight among themselves. An import, which has a run, is refused
// as a whole when this store does not own everything: it goes on by lines, and a flight
// that it left out here would be nowhere. Without a run, flights of others are left out.
// errs: Unsafe.
func (s *Store) InsertFlights(ctx context.Context, rows []Row, run *Run) (int, error) {
	if len(rows) > MaxBatch {
		return 0, errs.E(errs.Internal, "a batch has at most %d flights", MaxBatch)
	}
	var fresh []Row
	after := Run{}
	err := s.do(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		active, err := s.keepFences(ctx, tx)
		if err == nil && run != nil {
			err = wantAll(&active)
		}
		if err != nil {
			return err
		}
		ours := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return !active.Has(bucket.Of(r.FlightID)) })
		var seq int64
		if err := tx.Run(ctx, outbox.Lock(), lastEvent(&seq)); err != nil {
			return err
		}
		if fresh, err = insertNew(ctx, tx, ours, seq+1); err != nil {
			return err
		}
		if run != nil {
			after = *run
			after.Inserted += int64(len(fresh))
			after.Existing += int64(len(rows) - len(fresh))
			tx.Finally(s.saveRun(after))
		}
		return s.publishFlights(ctx, tx, flights.FlightsScheduled, fresh)
	})
	if err != nil {
		return 0, err
	}
	if run != nil {
		*run = after
	}
	return len(fresh), nil
}

// lastEvent reads the number of the last event, under the outbox's lock. A transaction
// publishes a configuration and a flight at most, so that event_seq of what it changes is
// two more.
func lastEvent(into *int64) sqldb.Stmt {
	return sqldb.Q(func(r *sql.Rows) error { return r.Scan(into) }, "SELECT seq FROM outbox_counter WHERE id=1")
}

func (s *Store) publishFlights(ctx context.Context, tx *sqldb.Tx, kind string, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	facts := flights.FlightFacts{Flights: make([]flights.FlightFact, len(rows))}
	for i := range rows {
		facts.Flights[i] = rows[i].Fact()
	}
	data, err := json.Marshal(facts)
	if err != nil {
		return errs.E(errs.Internal, "the event cannot be written").Because(err)
	}
	return s.publish(ctx, tx, kind, data)
}

// insertNew tries all rows at once, which is what happens on a fresh import, and looks
// for those that exist only when one does: by id, and then by the natural key, which a
// flight that was moved to another date may have.
func insertNew(ctx context.Context, tx *sqldb.Tx, rows []Row, eventSeq int64) ([]Row, error) {
	err := insert(ctx, tx, rows, eventSeq)
	for _, without := range []func(context.Context, *sqldb.Tx, []Row) ([]Row, error){withoutIDs, withoutNames} {
		if sqldb.ClassOf(err) != sqldb.Duplicate {
			break
		}
		if rows, err = without(ctx, tx, rows); err != nil {
			return nil, err
		}
		err = insert(ctx, tx, rows, eventSeq)
	}
	return rows, err
}

func insert(ctx context.Context, tx *sqldb.Tx, rows []Row, eventSeq int64) error {
	if len(rows) == 0 {
		return nil
	}
	args := make([]any, 0, len(rows)*insertWidth)
	for i := range rows {
		args = rows[i].insertArgs(args, eventSeq)
	}
	return tx.Run(ctx, sqldb.S("INSERT INTO flights ("+insertColumns+") VALUES "+sqldb.Marks(len(rows), insertWidth), args...))
}

// withoutIDs leaves out rows whose id is stored.
func withoutIDs(ctx context.Context, tx *sqldb.Tx, rows []Row) ([]Row, error) {
	known := map[string]bool{}
	args := make([]any, len(rows))
	for i := range rows {
		args[i] = rows[i].FlightID
	}
	err := tx.Run(ctx, sqldb.Q(func(r *sql.Rows) error {
		var id string
		err := r.Scan(&id)
		known[id] = true
		return err
	}, "SELECT flight_id FROM flights WHERE flight_id IN "+sqldb.Marks(1, len(rows)), args...))
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return known[r.FlightID] }), err
}

// name is the natural key of a flight; day is yyyymmdd.
type name struct {
	designator, origin string
	day                int
}

// withoutNames leaves out rows whose designator, origin and date are stored.
func withoutNames(ctx context.Context, tx *sqldb.Tx, rows []Row) ([]Row, error) {
	known, designators := map[name]bool{}, map[string]bool{}
	for i := range rows {
		designators[rows[i].Designator] = true
	}
	args := anys(slices.Sorted(maps.Keys(designators)))
	err := tx.Run(ctx, sqldb.Q(func(r *sql.Rows) error {
		var k name
		err := r.Scan(&k.designator, &k.origin, &k.day)
		known[k] = true
		return err
	}, "SELECT designator, origin, dep_date FROM flights WHERE designator IN "+sqldb.Marks(1, len(args)), args...))
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool {
		return known[name{r.Designator, r.Origin, r.Departure.Day()}]
	}), err
}

// SaveRun writes how far an import has come, when no flights came with it.
func (s *Store) SaveRun(ctx context.Context, run Run) error {
	return s.do(ctx, func(ctx context.Context, tx *sqldb.Tx) error { return tx.Run(ctx, s.saveRun(run)) })
}

func (s *Store) saveRun(run Run) sqldb.Stmt {
	done := 0
	if run.Done {
		done = 1
	}
	return sqldb.S("INSERT INTO import_runs (run_id, next_line, inserted, existing, refused, done, updated_at) VALUES (?,?,?,?,?,?,?)"+
		s.db.Dialect().Upsert("run_id", "next_line", "inserted", "existing", "refused", "done", "updated_at"),
		run.ID, run.NextLine, run.Inserted, run.Existing, run.Refused, done, time.Now().Unix())
}

// LoadRun gives how far an import has come; a new one starts with line 0.
func (s *Store) LoadRun(ctx context.Context, id string) (Run, error) {
	run := Run{ID: id}
	err := s.db.Reader().QueryRowContext(ctx, "SELECT next_line, inserted, existing, refused, done FROM import_runs WHERE run_id=?", id).
		Scan(&run.NextLine, &run.Inserted, &run.Existing, &run.Refused, &run.Done)
	if err == sql.ErrNoRows {
		return run, nil
	}
	return run, sqldb.Fail(err)
}
