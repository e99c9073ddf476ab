package store

import (
	"context"
	"encoding/json"
	"math"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/records"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
)

// arrived is what came in some parts.
type arrived struct {
	flights  []records.Flight
	rows     []Row
	answers  handoversql.Rows
	eventSeq int64 // the highest
}

// Insert stores what came. The numbers of events go on above those that the flights have
// had elsewhere, so that for each flight they rise, whoever publishes them.
func (m moving) Insert(ctx context.Context, tx *sqldb.Tx, parts []handover.Part) error {
	a := arrived{answers: handoversql.Rows{Head: "INSERT INTO answers (bucket, idem_key, fingerprint, created_at, answer) VALUES", Width: 5}}
	for _, part := range parts {
		for _, line := range part.Records {
			if err := a.take(part.Bucket, line); err != nil {
				return err
			}
		}
	}
	if err := m.s.insertArrived(ctx, tx, &a); err != nil {
		return err
	}
	tx.Finally(a.answers.Stmts(m.s.db.Dialect())...)
	if a.eventSeq > 0 {
		tx.Finally(sqldb.S("UPDATE outbox_counter SET seq=? WHERE id=1 AND seq<?", a.eventSeq, a.eventSeq))
	}
	return nil
}

func (a *arrived) take(b int, line []byte) error {
	answer, flight, err := records.Decode(line)
	if err != nil {
		return err
	}
	wrong := errs.E(errs.Invalid, "this record cannot be in bucket %d: %.120q", b, line)
	if answer != nil {
		const maxKey, maxPrint = 128, 64
		if answer.Key == "" || len(answer.Key) > maxKey || len(answer.Fingerprint) > maxPrint || !json.Valid([]byte(answer.Answer)) {
			return wrong
		}
		a.answers.Add(b, answer.Key, answer.Fingerprint, answer.CreatedAt, answer.Answer)
		return nil
	}
	row, ok := rowOf(flight)
	if !ok || bucket.Of(flight.FlightID) != b || !storable(&row) || flight.EventSeq < 1 {
		return wrong
	}
	a.flights, a.rows = append(a.flights, *flight), append(a.rows, row)
	a.eventSeq = max(a.eventSeq, flight.EventSeq)
	return nil
}

// storable tells whether the schema takes a row and gives it back as it is.
func storable(r *Row) bool {
	const maxID, maxDesignator, maxConfiguration, currency = 32, 7, 24, 3
	for _, fare := range r.Fares {
		if fare < 0 {
			return false
		}
	}
	return r.FlightID != "" && len(r.FlightID) <= maxID && len(r.Designator) <= maxDesignator && flights.IsCarrier(r.Carrier) &&
		flights.IsAirport(r.Origin) && flights.IsAirport(r.Destination) && len(r.Configuration) <= maxConfiguration &&
		len(r.Currency) == currency && r.Minutes() > 0 && r.Minutes() <= math.MaxInt16 && r.Stops >= 0 && r.Stops <= math.MaxInt16 &&
		r.Version > 0 && r.Version <= math.MaxInt32 && r.Synthetic >= 0 && r.Synthetic <= math.MaxInt16
}

// insertArrived stores flights, some at a time.
func (s *Store) insertArrived(ctx context.Context, tx *sqldb.Tx, a *arrived) error {
	const atOnce = 250
	for from := 0; from < len(a.rows); from += atOnce {
		to := min(from+atOnce, len(a.rows))
		args := make([]any, 0, (to-from)*insertWidth)
		for i := from; i < to; i++ {
			args = a.rows[i].insertArgs(args, a.flights[i].EventSeq)
		}
		stmt := sqldb.S("INSERT INTO flights ("+insertColumns+") VALUES "+sqldb.Marks(to-from, insertWidth), args...)
		err := tx.Run(ctx, stmt)
		if sqldb.ClassOf(err) == sqldb.Duplicate {
			err = s.insertOver(ctx, tx, a.rows[from:to], stmt)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// insertOver stores flights of which some have the name (designator, origin and date) of
// one that is here. One that is not served here was handed over and renamed since: it
// gives way. One that is served is another flight of the same name. errs: Conflict.
func (s *Store) insertOver(ctx context.Context, tx *sqldb.Tx, rows []Row, insert sqldb.Stmt) error {
	for i := range rows {
		r := &rows[i]
		if err := tx.Run(ctx, sqldb.S("DELETE FROM flights WHERE designator=? AND origin=? AND dep_date=? AND flight_id<>?"+
			" AND NOT COALESCE("+servedHere+", 0)", r.Designator, r.Origin, r.Departure.Day(), r.FlightID)); err != nil {
			return err
		}
	}
	err := tx.Run(ctx, insert)
	if sqldb.ClassOf(err) == sqldb.Duplicate {
		return errs.E(errs.Conflict, "a flight that is to be handed over has the designator, origin and date of one that is here; change either").Because(err)
	}
	return err
}
