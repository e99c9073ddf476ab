package store

import (
	"context"
	"encoding/json"
	"math"
	"slices"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/records"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
)

// arrived is what came in a part.
type arrived struct {
	bucket  int
	answers []records.Answer
	flights []Row
	seqs    []int64 // of the last event of each flight
}

// Decode implements handoversql.Data.
func (m moving) Decode(part handover.Part) (arrived, error) {
	a := arrived{bucket: part.Bucket}
	for _, line := range part.Records {
		ok, err := a.take(line)
		if err == nil && !ok {
			err = errs.E(errs.Invalid, "this record cannot be in bucket %d: %.120q", part.Bucket, line)
		}
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// take adds a record; false for one that would not be found here again as it is.
func (a *arrived) take(line []byte) (bool, error) {
	answer, flight, err := records.Decode(line)
	if err != nil {
		return false, err
	}
	if answer != nil {
		const maxKey, maxPrint = 128, 64
		a.answers = append(a.answers, *answer)
		return answer.Key != "" && len(answer.Key) <= maxKey && len(answer.Fingerprint) <= maxPrint && json.Valid([]byte(answer.Answer)), nil
	}
	row, ok := rowOf(flight)
	a.flights, a.seqs = append(a.flights, row), append(a.seqs, flight.EventSeq)
	return ok && bucket.Of(flight.FlightID) == a.bucket && storable(&row) && flight.EventSeq > 0, nil
}

// Insert stores what came. The numbers of events go on above those that the flights have
// had elsewhere, so that for each flight they rise, whoever publishes them.
func (m moving) Insert(ctx context.Context, tx *sqldb.Tx, _ int64, parts []arrived) error {
	answers := handoversql.Rows{
		Head:  "INSERT INTO answers (bucket, idem_key, fingerprint, created_at, answer) VALUES",
		Marks: sqldb.Marks(1, 5),
	}
	var rows []Row
	var seqs []int64
	for _, a := range parts {
		for _, r := range a.answers {
			answers.Add(a.bucket, r.Key, r.Fingerprint, r.CreatedAt, r.Answer)
		}
		rows, seqs = append(rows, a.flights...), append(seqs, a.seqs...)
	}
	if err := m.s.insertArrived(ctx, tx, rows, seqs); err != nil {
		return err
	}
	tx.Finally(answers.Stmts(m.s.db.Dialect())...)
	if len(seqs) > 0 {
		seq := slices.Max(seqs)
		tx.Finally(sqldb.S("UPDATE outbox_counter SET seq=? WHERE id=1 AND seq<?", seq, seq))
	}
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

// insertArrived stores flights, some at a time, whose last events had these numbers.
func (s *Store) insertArrived(ctx context.Context, tx *sqldb.Tx, rows []Row, seqs []int64) error {
	const atOnce = 250
	for from := 0; from < len(rows); from += atOnce {
		to := min(from+atOnce, len(rows))
		args := make([]any, 0, (to-from)*insertWidth)
		for i := from; i < to; i++ {
			args = rows[i].insertArgs(args, seqs[i])
		}
		stmt := sqldb.S("INSERT INTO flights ("+insertColumns+") VALUES "+sqldb.Marks(to-from, insertWidth), args...)
		err := tx.Run(ctx, stmt)
		if sqldb.ClassOf(err) == sqldb.Duplicate {
			err = s.insertOver(ctx, tx, rows[from:to], stmt)
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
