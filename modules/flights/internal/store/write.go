package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"banyan/modules/flights"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/outbox"
	"banyan/modules/kernel/sqldb"
)

// Plan is a flight to be scheduled. Key may be empty.
type Plan struct {
	Row         Row // without configuration
	Geometry    Geometry
	Key         string
	Fingerprint string
	Answer      func(Row, Configuration) flights.Flight
}

// Schedule stores a flight, its configuration if that is new, the events and the answer
// under the key, in one transaction. A key that was used, or a flight that is there with
// the same facts, gives what is there, Replayed. errs: Conflict, KeyReused, Misdirected.
func (s *Store) Schedule(ctx context.Context, p Plan) (flights.Flight, error) {
	var answer flights.Flight
	err := s.do(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		var record *idempotency.Record
		var there []Row
		var fence handover.Fence
		var seq int64
		b := bucket.Of(p.Row.FlightID)
		err := tx.Run(ctx, s.keepFence(b, &fence), outbox.Lock(), lastEvent(&seq), findRecord(b, p.Key, &record), findTwin(&p.Row, &there))
		if err == nil {
			err = mustBeActive(fence)
		}
		if err != nil {
			return err
		}
		if record != nil {
			answer, err = replay(record, p.Fingerprint)
			return err
		}
		c, err := s.ensure(ctx, tx, p.Geometry)
		if err != nil {
			return err
		}
		row := p.Row
		row.Configuration, row.Version = c.ID, 1
		if len(there) > 0 {
			answer = p.Answer(there[0], c)
			answer.Replayed = true
			return sameFacts(&there[0], &row)
		}
		answer = p.Answer(row, c)
		if err := insert(ctx, tx, []Row{row}, seq+2); err != nil {
			return err
		}
		if err := keepRecord(tx, b, p.Key, p.Fingerprint, answer); err != nil {
			return err
		}
		return s.publishFlights(ctx, tx, flights.FlightsScheduled, []Row{row})
	})
	return answer, err
}

// findTwin looks for the flight with the row's id or natural key.
func findTwin(r *Row, into *[]Row) sqldb.Stmt {
	scanner := newScanner()
	return sqldb.Q(func(rows *sql.Rows) error {
		twin, err := scanner.row(rows)
		*into = append(*into, twin)
		return err
	}, selectFlight+"flight_id=? UNION "+selectFlight+"designator=? AND origin=? AND dep_date=?",
		r.FlightID, r.Designator, r.Origin, r.Departure.Day())
}

// sameFacts compares what an agent said with what is stored.
func sameFacts(there, said *Row) error {
	a, b := *there, *said
	a.Version, a.Synthetic, b.Version, b.Synthetic = 0, 0, 0, 0
	if a == b {
		return nil
	}
	return errs.E(errs.Conflict, "%s from %s on %s exists as %s and differs; change it instead",
		said.Designator, said.Origin, said.Departure.Date(), there.FlightID).With("flight_id", there.FlightID)
}

// findRecord looks for a key in all buckets: one that was used for another flight is
// found too. The flight's own bucket comes first.
func findRecord(b int, key string, into **idempotency.Record) sqldb.Stmt {
	return sqldb.Q(func(rows *sql.Rows) error {
		var r idempotency.Record
		var answer []byte
		err := rows.Scan(&r.Fingerprint, &answer, &r.CreatedAt)
		r.Answer = answer
		*into = &r
		return err
	}, "SELECT fingerprint, answer, created_at FROM answers WHERE idem_key=? AND created_at>=?"+
		" ORDER BY CASE WHEN bucket=? THEN 0 ELSE 1 END LIMIT 1", key, oldest(), b)
}

// oldest is the time of the oldest record that still counts, in microseconds.
func oldest() int64 { return time.Now().Add(-idempotency.Keep).UnixMicro() }

// keepRecord stores the answer under the key, and forgets records of the bucket that are
// too old: those of other buckets may be on their way.
func keepRecord(tx *sqldb.Tx, b int, key, fingerprint string, answer flights.Flight) error {
	if key == "" {
		return nil
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return errs.E(errs.Internal, "the answer cannot be written").Because(err)
	}
	tx.Finally(
		sqldb.S("DELETE FROM answers WHERE bucket=? AND created_at<?", b, oldest()),
		sqldb.S("INSERT INTO answers (bucket, idem_key, fingerprint, answer, created_at) VALUES (?,?,?,?,?)",
			b, key, fingerprint, string(body), time.Now().UnixMicro()))
	return nil
}

// bucketOfAnswer gives the bucket of the flight that an answer is about.
func bucketOfAnswer(answer string) (int, bool) {
	var f struct {
		FlightID string `json:"flight_id"`
	}
	err := json.Unmarshal([]byte(answer), &f)
	return bucket.Of(f.FlightID), err == nil && f.FlightID != ""
}

func replay(r *idempotency.Record, fingerprint string) (flights.Flight, error) {
	var f flights.Flight
	if err := r.Check(fingerprint); err != nil {
		return f, err
	}
	if err := json.Unmarshal(r.Answer, &f); err != nil {
		return f, errs.E(errs.Internal, "a stored answer cannot be read").Because(err)
	}
	f.Replayed = true
	return f, nil
}

// Change replaces a flight as it was read by what it shall be, with its event, if its
// version is still the one read. A geometry that is not nil is its new configuration.
// Nothing is written when nothing differs. errs: PreconditionFailed, Conflict,
// Misdirected.
func (s *Store) Change(ctx context.Context, was, want Row, g *Geometry) (Row, error) {
	row := want
	err := s.do(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		row = want
		var fence handover.Fence
		var seq int64
		err := tx.Run(ctx, s.keepFence(bucket.Of(was.FlightID), &fence), outbox.Lock(), lastEvent(&seq))
		if err == nil {
			err = mustBeActive(fence)
		}
		if err != nil {
			return err
		}
		if g != nil {
			c, err := s.ensure(ctx, tx, *g)
			if err != nil {
				return err
			}
			row.Configuration = c.ID
		}
		if row == was {
			return nil
		}
		row.Version = was.Version + 1
		if err := update(ctx, tx, &row, was.Version, seq+2); err != nil {
			return err
		}
		return s.publishFlights(ctx, tx, kindOf(&was, &row), []Row{row})
	})
	return row, err
}

func kindOf(was, is *Row) string {
	switch {
	case is.Cancelled && !was.Cancelled:
		return flights.FlightCancelled
	case is.Configuration != was.Configuration:
		return flights.EquipmentChanged
	default:
		return flights.FlightChanged
	}
}

// update writes the whole row over the one of the version named.
func update(ctx context.Context, tx *sqldb.Tx, r *Row, version, eventSeq int64) error {
	var n int64
	sets := "designator=?, carrier=?, origin=?, destination=?, dep_date=?, dep_time=?, dep_utc=?, arr_date=?, arr_time=?," +
		" arr_utc=?, minutes=?, stops=?, configuration=?, currency=?, price=?, economy=?, premium_economy=?, business=?," +
		" first_class=?, status=?, synthetic=?, version=?, event_seq=?"
	args := append(r.args(nil)[1:], eventSeq, r.FlightID, version)
	err := tx.Run(ctx, sqldb.Stmt{
		SQL: "UPDATE flights SET " + sets + " WHERE flight_id=? AND version=?", Args: args, Affected: &n,
	})
	switch {
	case sqldb.ClassOf(err) == sqldb.Duplicate:
		return errs.E(errs.Conflict, "another flight is %s from %s on %s already", r.Designator, r.Origin, r.Departure.Date()).Because(err)
	case err != nil:
		return err
	case n == 0:
		return errs.E(errs.PreconditionFailed, "%s has changed since version %d; read it again", r.FlightID, version)
	}
	return nil
}
