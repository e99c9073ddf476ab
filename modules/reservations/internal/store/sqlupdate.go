package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// maxTries bounds how often a decision is made anew because another writer was faster.
const maxTries = 10

// Update implements Store. On MySQL it is optimistic: one SELECT reads the state, and a
// transaction of one round trip writes the change, whose first INSERT fails if the
// flight has a newer version, the key an answer, or the fence is not active. After a
// failure it reads under a lock on the flight. On SQLite there is one writer, so what it
// has read stays true.
func (s *SQL) Update(ctx context.Context, sub Subject, decide func(State) (Change, error)) error {
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
		q := newSnapshot(s.db.Dialect(), sub, false)
		if err := tx.Run(ctx, append(s.lock(sub), sqldb.Q(q.scan, q.query(), q.args...))...); err != nil {
			return err
		}
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

// lock makes writers of one flight queue up. The SELECT that follows it sees what was
// committed before the lock was had.
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
	return []sqldb.Stmt{sqldb.Q(ignoreRow, "SELECT flight_id FROM flights WHERE flight_id="+one+" FOR UPDATE", arg)}
}

func ignoreRow(*sql.Rows) error { return nil }

// writes puts a change into statements. The event comes first: it decides whether the
// others may be.
func (s *SQL) writes(sub Subject, st State, c Change) []sqldb.Stmt {
	flight := st.Flight.FlightID
	batch := make([]sqldb.Stmt, 1, 5)
	batch[0] = s.putEvent(sub, st, c)
	if len(c.Free) > 0 {
		args := []any{sub.Bucket, flight}
		for _, seat := range c.Free {
			args = append(args, seat)
		}
		batch = append(batch, sqldb.S("DELETE FROM seats WHERE bucket=? AND flight_id=? AND seat IN "+sqldb.Marks(1, len(c.Free)), args...))
	}
	if len(c.Put) > 0 {
		batch = append(batch, s.putSeats(sub.Bucket, flight, c.Put))
	}
	if c.Hold != nil {
		batch = append(batch, putHold(*c.Hold, st.Hold == nil))
	}
	if c.Reservation != nil {
		batch = append(batch, putReservation(*c.Reservation, st.Reservation == nil))
	}
	return batch
}

// putEvent writes the flight's next version. The fence is read, and kept as it is until
// the commit, in the same statement; if it is not active, the epoch is 0 and refused.
func (s *SQL) putEvent(sub Subject, st State, c Change) sqldb.Stmt {
	var key, fingerprint, answer any
	if c.Record != nil {
		key, fingerprint, answer = sub.Key, c.Record.Fingerprint, string(c.Record.Answer)
	}
	return sqldb.S("INSERT INTO events(bucket,flight_id,version,type,ref,created_at,request_key,fingerprint,answer,epoch)"+
		" VALUES(?,?,?,?,?,?,?,?,?,COALESCE((SELECT epoch FROM fences WHERE route=? AND bucket=? AND mode=?"+
		s.db.Dialect().ShareLock()+"),0))",
		sub.Bucket, st.Flight.FlightID, st.Flight.Version+1, c.Event, eventRef(c), st.Now, key, fingerprint, answer,
		Route, sub.Bucket, ModeActive)
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

func (s *SQL) putSeats(b int, flight string, seats map[string]Seat) sqldb.Stmt {
	args := make([]any, 0, 7*len(seats))
	for _, name := range slices.Sorted(maps.Keys(seats)) {
		r := seats[name]
		args = append(args, b, flight, name, string(r.Kind), r.Ref, r.CustomerID, r.ExpiresAt)
	}
	return sqldb.S("INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at) VALUES "+sqldb.Marks(len(seats), 7)+
		s.db.Dialect().Upsert("bucket,flight_id,seat", "kind", "ref", "customer_id", "expires_at"), args...)
}

func putHold(h Hold, isNew bool) sqldb.Stmt {
	if isNew {
		return sqldb.S("INSERT INTO holds(hold_id,flight_id,customer_id,token,seats,status,created_at,expires_at,extensions,reservation_id)"+
			" VALUES(?,?,?,?,?,?,?,?,?,?)", h.HoldID, h.FlightID, h.CustomerID, h.Token, strings.Join(h.Seats, ","), h.Status,
			h.CreatedAt, h.ExpiresAt, h.Extensions, h.ReservationID)
	}
	return sqldb.S("UPDATE holds SET status=?,expires_at=?,extensions=?,reservation_id=? WHERE hold_id=?",
		h.Status, h.ExpiresAt, h.Extensions, h.ReservationID, h.HoldID)
}

func putReservation(r Reservation, isNew bool) sqldb.Stmt {
	if isNew {
		return sqldb.S("INSERT INTO reservations(reservation_id,flight_id,customer_id,seats,status,created_at,hold_id,related)"+
			" VALUES(?,?,?,?,?,?,?,?)", r.ReservationID, r.FlightID, r.CustomerID, strings.Join(r.Seats, ","), r.Status,
			r.CreatedAt, r.HoldID, r.Related)
	}
	return sqldb.S("UPDATE reservations SET seats=?,status=? WHERE reservation_id=?", strings.Join(r.Seats, ","), r.Status, r.ReservationID)
}
