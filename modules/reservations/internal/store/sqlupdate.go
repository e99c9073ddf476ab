package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/kernel/sqldb"
)

// maxTries bounds how often a decision is made anew because another writer was faster.
const maxTries = 50

// Update implements Store. On MySQL it is optimistic: one SELECT reads the state, and a
// transaction of one round trip writes the change, whose first INSERT fails if the
// flight has a newer version, the key an answer, or the fence is not active. After a
// failure it reads under a lock on the flight. Claims that come together are combined.
// On SQLite there is one writer, so what it has read stays true, and each claim goes to it
// by itself.
func (s *SQL) Update(ctx context.Context, sub Subject, decide func(State) (Change, error)) error {
	guessed, ok := s.guess(sub)
	if ok && s.db.Dialect() == sqldb.SQLite {
		return s.venture(ctx, sub, guessed, decide)
	}
	if ok {
		return s.combiner.do(ctx, sub, guessed, decide)
	}
	if s.db.Dialect() == sqldb.MySQL && sub.FlightID != "" {
		return s.combiner.do(ctx, sub, nil, decide)
	}
	return s.alone(ctx, sub, decide)
}

// alone runs one update by itself.
func (s *SQL) alone(ctx context.Context, sub Subject, decide func(State) (Change, error)) error {
	try := s.locked
	if s.db.Dialect() == sqldb.MySQL {
		try = s.optimistic
	}
	for range maxTries {
		err := try(ctx, sub, decide)
		if class := sqldb.ClassOf(err); class != sqldb.Duplicate && class != sqldb.Violation {
			return err
		}
		try = s.locked
	}
	return errs.E(errs.Unavailable, "the flight is being written to too often; try again")
}

// optimistic reads without a transaction. A decision that refuses costs one round trip.
func (s *SQL) optimistic(ctx context.Context, sub Subject, decide func(State) (Change, error)) error {
	st, err := s.read(ctx, newSnapshot(s.db.Dialect(), sub, false), ModeActive)
	if err != nil {
		return err
	}
	c, err := decide(st)
	if err != nil || c.Empty() {
		return err
	}
	return s.db.Do(ctx, func(tx *sqldb.Tx) error {
		tx.Finally(s.writes(sub, st, c)...)
		return nil
	})
}

// locked reads and writes in one transaction.
func (s *SQL) locked(ctx context.Context, sub Subject, decide func(State) (Change, error)) error {
	return s.db.Do(ctx, func(tx *sqldb.Tx) error {
		q, sent := newSnapshot(s.db.Dialect(), sub, false), s.clock.Elapsed()
		if err := tx.Run(ctx, append(s.lock(sub), sqldb.Q(q.scan, q.query(), q.args...))...); err != nil {
			return err
		}
		s.learn(q, sent)
		st, err := q.state(ModeActive)
		if err != nil {
			return err
		}
		c, err := decide(st)
		if err != nil || c.Empty() {
			return err
		}
		tx.Finally(s.writes(sub, st, c)...)
		return nil
	})
}

// lock makes writers of one flight queue up: the fence first, as every writer does, then
// the flight. The SELECT that follows sees what was committed before the lock was had.
func (s *SQL) lock(sub Subject) []sqldb.Stmt {
	if s.db.Dialect() != sqldb.MySQL {
		return nil
	}
	one, arg := "?", sub.FlightID
	if sub.HoldID != "" {
		one, arg = "(SELECT flight_id FROM holds WHERE hold_id=?)", sub.HoldID
	}
	if sub.ReservationID != "" {
		one, arg = "(SELECT flight_id FROM reservations WHERE reservation_id=?)", sub.ReservationID
	}
	return []sqldb.Stmt{
		sqldb.Q(ignoreRow, "SELECT mode FROM fences WHERE route=? AND bucket=?"+fenceLock(s.db.Dialect()), Route, sub.Bucket),
		sqldb.Q(ignoreRow, "SELECT flight_id FROM flights WHERE flight_id="+one+" FOR UPDATE", arg),
	}
}

func ignoreRow(*sql.Rows) error { return nil }

// fenceLock ends a SELECT of a fence that must stay as it is until the write is committed:
// that is what a freeze waits for.
func fenceLock(d sqldb.Dialect) string {
	if mutant.FreezeWithoutDrain {
		return ""
	}
	return d.ShareLock()
}

// writes puts a change into statements. The event comes first: it decides whether the
// others may be. It reads the fence, and keeps it as it is until the commit; if it is
// not active, or was handed on since the state was read, the epoch is 0 and refused. It
// shares the flight's lock, so that whoever decides under it is not overtaken.
func (s *SQL) writes(sub Subject, st State, c Change) []sqldb.Stmt {
	epoch := "COALESCE((SELECT fe.epoch FROM fences fe JOIN flights f ON f.flight_id=?" +
		" WHERE fe.route=? AND fe.bucket=? AND fe.mode=? AND fe.epoch=?" + fenceLock(s.db.Dialect()) + "),0)"
	fence := expr(epoch, st.Flight.FlightID, Route, sub.Bucket, ModeActive, st.epoch)
	if mutant.FreezeWithoutDrain {
		fence = expr("?", st.epoch) // an INSERT locks what it reads, asked or not
	}
	event := newEvent(sub, st, c, fence)
	batch := []sqldb.Stmt{event.stmt()}
	for _, w := range s.records(sub, st, c) {
		batch = append(batch, w.stmt())
	}
	return batch
}

// write is a statement; if it is an INSERT, rows holds the rows, and others of the same
// head and tail can be merged with it.
type write struct {
	head, rows, tail string
	args             []any
}

func (w write) stmt() sqldb.Stmt { return sqldb.S(w.head+w.rows+w.tail, w.args...) }

// merge makes one statement of all INSERTs into the same columns, in the order in which
// the first of each comes.
func merge(all []write) []sqldb.Stmt {
	var merged []write
	at := map[string]int{}
	for _, w := range all {
		i, seen := at[w.head+w.tail]
		if w.rows == "" || !seen {
			at[w.head+w.tail] = len(merged)
			w.args = slices.Clone(w.args)
			merged = append(merged, w)
			continue
		}
		merged[i].rows += "," + w.rows
		merged[i].args = append(merged[i].args, w.args...)
	}
	batch := make([]sqldb.Stmt, len(merged))
	for i, w := range merged {
		batch[i] = w.stmt()
	}
	return batch
}

// expression is SQL for a value, with its arguments.
type expression struct {
	text string
	args []any
}

func expr(text string, args ...any) expression { return expression{text, args} }

// eventHead begins an INSERT of events, and eventRest is in each row what comes between
// its version and its epoch.
const (
	eventHead = "INSERT INTO events(version,bucket,flight_id,type,ref,created_at,request_key,fingerprint,answer,epoch) VALUES "
	eventRest = ",?,?,?,?,?,?,?,?,"
)

// newEvent writes the flight's next version under the epoch of its bucket.
func newEvent(sub Subject, st State, c Change, epoch expression) write {
	version := expr("?", st.Flight.Version+1)
	return write{
		head: eventHead, rows: "(" + version.text + eventRest + epoch.text + ")",
		args: eventArgs(version.args, sub, st, c, epoch.args),
	}
}

// eventArgs are the arguments of an event's version, of eventRest and of its epoch.
func eventArgs(version []any, sub Subject, st State, c Change, epoch []any) []any {
	var key, fingerprint, answer any
	if c.Record != nil {
		key, fingerprint, answer = sub.Key, c.Record.Fingerprint, string(c.Record.Answer)
	}
	args := append(make([]any, 0, len(version)+8+len(epoch)), version...)
	args = append(args, sub.Bucket, st.Flight.FlightID, c.Event, eventRef(c), st.Now, key, fingerprint, answer)
	return append(args, epoch...)
}

// eventRef names what the event is about.
func eventRef(c Change) string {
	switch {
	case c.Reservation != nil:
		return c.Reservation.ReservationID
	case c.Hold != nil:
		return c.Hold.HoldID
	}
	return ""
}

// records writes what the change says of seats, hold and reservation.
func (s *SQL) records(sub Subject, st State, c Change) []write {
	var list []write
	if len(c.Free) > 0 {
		args := []any{sub.Bucket, st.Flight.FlightID}
		for _, seat := range c.Free {
			args = append(args, seat)
		}
		list = append(list, write{head: "DELETE FROM seats WHERE bucket=? AND flight_id=? AND seat IN " + sqldb.Marks(1, len(c.Free)), args: args})
	}
	if len(c.Put) > 0 {
		list = append(list, s.putSeats(sub.Bucket, st, c.Put, c.As))
	}
	if c.Hold != nil {
		list = append(list, putHold(*c.Hold, st.Hold == nil))
	}
	if c.Reservation != nil {
		list = append(list, putReservation(*c.Reservation, st.Reservation == nil))
	}
	return list
}

// putSeats overwrites what a seat had, an expired hold perhaps; a guess must find nothing.
func (s *SQL) putSeats(b int, st State, seats []string, r Seat) write {
	tail := ""
	if !st.guessed {
		tail = s.db.Dialect().Upsert("bucket,flight_id,seat", "kind", "ref", "customer_id", "expires_at")
	}
	args := make([]any, 0, 7*len(seats))
	for _, name := range slices.Sorted(slices.Values(seats)) {
		args = append(args, b, st.Flight.FlightID, name, string(r.Kind), r.Ref, r.CustomerID, r.ExpiresAt)
	}
	return write{
		head: "INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at) VALUES ", rows: sqldb.Marks(len(seats), 7),
		tail: tail, args: args,
	}
}

func putHold(h Hold, isNew bool) write {
	if isNew {
		return write{
			head: "INSERT INTO holds(hold_id,flight_id,customer_id,token,seats,status,created_at,expires_at,extensions,reservation_id) VALUES ",
			rows: sqldb.Marks(1, 10),
			args: []any{
				h.HoldID, h.FlightID, h.CustomerID, h.Token, strings.Join(h.Seats, ","), h.Status,
				h.CreatedAt, h.ExpiresAt, h.Extensions, h.ReservationID,
			},
		}
	}
	return write{
		head: "UPDATE holds SET status=?,expires_at=?,extensions=?,reservation_id=? WHERE hold_id=?",
		args: []any{h.Status, h.ExpiresAt, h.Extensions, h.ReservationID, h.HoldID},
	}
}

func putReservation(r Reservation, isNew bool) write {
	if isNew {
		return write{
			head: "INSERT INTO reservations(reservation_id,flight_id,customer_id,seats,status,created_at,hold_id,related) VALUES ",
			rows: sqldb.Marks(1, 8),
			args: []any{r.ReservationID, r.FlightID, r.CustomerID, strings.Join(r.Seats, ","), r.Status, r.CreatedAt, r.HoldID, r.Related},
		}
	}
	return write{
		head: "UPDATE reservations SET seats=?,status=? WHERE reservation_id=?",
		args: []any{strings.Join(r.Seats, ","), r.Status, r.ReservationID},
	}
}
