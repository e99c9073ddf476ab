package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/sqldb"
)

// Update implements Store. On MySQL it takes two round trips: locks and reads, then
// writes and commit. On SQLite there is one writer, so nothing needs a lock.
func (s *SQL) Update(ctx context.Context, sub Subject, decide func(State) (Change, error)) error {
	run := func(tx *sqldb.Tx) error {
		q := newSnapshot(s.db.Dialect(), sub, false)
		if err := tx.Run(ctx, append(s.locks(sub), sqldb.Q(q.scan, q.query(), q.args...))...); err != nil {
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
	}
	err := s.db.Do(ctx, run)
	if sqldb.ClassOf(err) == sqldb.Duplicate {
		// The key's first request, on another flight of the bucket, committed in between:
		// now its record is seen.
		err = s.db.Do(ctx, run)
	}
	return err
}

// locks keep the fence as it is, and other writers off the flight, until the commit.
// The reads that follow them see what was committed before the lock was had.
func (s *SQL) locks(sub Subject) []sqldb.Stmt {
	if s.db.Dialect() != sqldb.MySQL {
		return nil
	}
	flight := sqldb.Q(ignoreRow, "SELECT flight_id FROM flights WHERE flight_id=? FOR UPDATE", sub.FlightID)
	if sub.HoldID != "" {
		flight = sqldb.Q(ignoreRow, "SELECT flight_id FROM flights WHERE flight_id="+
			"(SELECT flight_id FROM holds WHERE hold_id=?) FOR UPDATE", sub.HoldID)
	}
	if sub.ReservationID != "" {
		flight = sqldb.Q(ignoreRow, "SELECT flight_id FROM flights WHERE flight_id="+
			"(SELECT flight_id FROM reservations WHERE reservation_id=?) FOR UPDATE", sub.ReservationID)
	}
	return []sqldb.Stmt{
		sqldb.Q(ignoreRow, "SELECT mode FROM fences WHERE route=? AND bucket=?"+s.db.Dialect().ShareLock(), Route, sub.Bucket),
		flight,
	}
}

func ignoreRow(*sql.Rows) error { return nil }

// writes puts a change into statements; the locks are held.
func (s *SQL) writes(sub Subject, st State, c Change) []sqldb.Stmt {
	flight, version := st.Flight.FlightID, st.Flight.Version+1
	batch := make([]sqldb.Stmt, 0, 7)
	if version == 1 {
		batch = append(batch, sqldb.S("INSERT INTO versions(bucket,flight_id,version) VALUES(?,?,1)", sub.Bucket, flight))
	} else {
		batch = append(batch, sqldb.S("UPDATE versions SET version=? WHERE bucket=? AND flight_id=?", version, sub.Bucket, flight))
	}
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
	if r := c.Record; r != nil {
		batch = append(batch, sqldb.S("INSERT INTO idempotency(bucket,request_key,fingerprint,answer,created_at) VALUES(?,?,?,?,?)",
			sub.Bucket, sub.Key, r.Fingerprint, string(r.Answer), st.Now))
	}
	return append(batch, sqldb.S("INSERT INTO events(bucket,flight_id,version,type,ref,created_at) VALUES(?,?,?,?,?,?)",
		sub.Bucket, flight, version, c.Event, eventRef(c), st.Now))
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

// held is the status of a hold that has not ended; any other keeps its seats no longer.
const held = "HELD"

// sweepAt is when the sweeper is to look at a hold: to free its seats, or to forget it.
func (h Hold) sweepAt() int64 {
	if h.Status == held {
		return h.ExpiresAt
	}
	return h.ExpiresAt + idempotency.Keep.Microseconds()
}

func putHold(h Hold, isNew bool) sqldb.Stmt {
	if isNew {
		return sqldb.S("INSERT INTO holds(hold_id,flight_id,customer_id,token,seats,status,created_at,expires_at,extensions,reservation_id,sweep_at)"+
			" VALUES(?,?,?,?,?,?,?,?,?,?,?)", h.HoldID, h.FlightID, h.CustomerID, h.Token, strings.Join(h.Seats, ","), h.Status,
			h.CreatedAt, h.ExpiresAt, h.Extensions, h.ReservationID, h.sweepAt())
	}
	return sqldb.S("UPDATE holds SET status=?,expires_at=?,extensions=?,reservation_id=?,sweep_at=? WHERE hold_id=?",
		h.Status, h.ExpiresAt, h.Extensions, h.ReservationID, h.sweepAt(), h.HoldID)
}

func putReservation(r Reservation, isNew bool) sqldb.Stmt {
	if isNew {
		return sqldb.S("INSERT INTO reservations(reservation_id,flight_id,customer_id,seats,status,created_at,hold_id,related)"+
			" VALUES(?,?,?,?,?,?,?,?)", r.ReservationID, r.FlightID, r.CustomerID, strings.Join(r.Seats, ","), r.Status,
			r.CreatedAt, r.HoldID, r.Related)
	}
	return sqldb.S("UPDATE reservations SET seats=?,status=? WHERE reservation_id=?", strings.Join(r.Seats, ","), r.Status, r.ReservationID)
}
