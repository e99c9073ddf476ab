package store

import (
	"context"
	"database/sql"
	"slices"

	"banyan/modules/flights/internal/records"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
)

// Participant gives the side of the store that takes over buckets and hands them on.
func (s *Store) Participant() handover.Participant {
	return handoversql.New(s.db, Route, moving{s})
}

// moving is what moves with a bucket: its flights, and the answers under keys.
type moving struct{ s *Store }

var _ handoversql.Data = moving{}

// Status fills in what the buckets of old rows are, and tells how far the copies of
// reference data are. A target that knows less than the source would show flights
// without airports and aircraft.
func (m moving) Status(ctx context.Context) (bool, map[string]int64, error) {
	if err := m.s.Fill(ctx); err != nil {
		return false, nil, err
	}
	if _, err := m.s.serving(ctx); err != nil {
		return false, nil, err
	}
	durable := true
	if m.s.db.Dialect() == sqldb.MySQL {
		var flush int
		if err := m.s.db.Reader().GetContext(ctx, &flush, "SELECT @@innodb_flush_log_at_trx_commit"); err != nil {
			return false, nil, sqldb.Fail(err)
		}
		durable = flush == 1
	}
	follows := map[string]int64{}
	for _, side := range []string{Home, Away} {
		n, err := m.s.counter(ctx, referenceOf(side))
		if err != nil {
			return false, nil, err
		}
		follows["flights-"+referenceOf(side)] = n
	}
	return durable, follows, nil
}

// Wipes goes along keys.
func (m moving) Wipes(buckets []int, limit int) []sqldb.Stmt {
	in, args := handoversql.In("bucket", buckets)
	args = append(args, limit)
	of := func(table string) sqldb.Stmt {
		if m.s.db.Dialect() == sqldb.MySQL {
			return sqldb.S("DELETE FROM "+table+" WHERE "+in+" LIMIT ?", args...)
		}
		return sqldb.S("DELETE FROM "+table+" WHERE rowid IN (SELECT rowid FROM "+table+" WHERE "+in+" LIMIT ?)", args...)
	}
	return []sqldb.Stmt{of("flights"), of("answers")}
}

// Reads goes along keys.
func (m moving) Reads(buckets []int) []handoversql.Read {
	in, args := handoversql.In("bucket", buckets)
	hint := " INDEXED BY flights_bucket"
	if m.s.db.Dialect() == sqldb.MySQL {
		hint = " FORCE INDEX (flights_bucket)"
	}
	return []handoversql.Read{
		{
			SQL:  "SELECT " + insertColumns + ", (SELECT value FROM counters WHERE name='event-floor') FROM flights" + hint + " WHERE " + in,
			Args: args, Line: lineOfFlight(),
		},
		{
			SQL:  "SELECT bucket, idem_key, fingerprint, created_at, answer FROM answers WHERE " + in,
			Args: args, Line: lineOfAnswer,
		},
	}
}

func lineOfFlight() func(*sql.Rows) (int, []byte, error) {
	into := newScanner()
	var b int
	var seq, floor int64
	into.into = append(into.into, &b, &seq, &floor)
	return func(rows *sql.Rows) (int, []byte, error) {
		r, err := into.row(rows)
		if err != nil {
			return 0, nil, err
		}
		if seq == 0 {
			seq = floor
		}
		line, err := recordOf(&r, seq).Line()
		return b, line, err
	}
}

func lineOfAnswer(rows *sql.Rows) (b int, line []byte, err error) {
	var r records.Answer
	if err = rows.Scan(&b, &r.Key, &r.Fingerprint, &r.CreatedAt, &r.Answer); err == nil {
		line, err = r.Line()
	}
	return b, line, err
}

func recordOf(r *Row, seq int64) records.Flight {
	return records.Flight{
		FlightID: r.FlightID, Designator: r.Designator, Carrier: r.Carrier, Origin: r.Origin, Destination: r.Destination,
		Departure: r.Departure.String(), DepartureUTC: r.DepartureUTC, Arrival: r.Arrival.String(), ArrivalUTC: r.ArrivalUTC,
		Stops: r.Stops, Configuration: r.Configuration, Currency: r.Currency, Fares: r.Fares, Cancelled: r.Cancelled,
		Synthetic: int(r.Synthetic), Version: r.Version, EventSeq: seq,
	}
}

// rowOf is recordOf backwards; false for times that are none.
func rowOf(r *records.Flight) (Row, bool) {
	departure, bad := wall.Parse(r.Departure)
	arrival, worse := wall.Parse(r.Arrival)
	return Row{
		FlightID: r.FlightID, Designator: r.Designator, Carrier: r.Carrier, Origin: r.Origin, Destination: r.Destination,
		Departure: departure, DepartureUTC: r.DepartureUTC, Arrival: arrival, ArrivalUTC: r.ArrivalUTC,
		Stops: r.Stops, Configuration: r.Configuration, Currency: r.Currency, Fares: r.Fares, Cancelled: r.Cancelled,
		Synthetic: Synthetic(r.Synthetic), Version: r.Version,
	}, bad == nil && worse == nil
}

// Moved counts a change of modes, so that whoever remembers the fences reads them again,
// and so that it waits for those who keep all of them.
func (m moving) Moved(ctx context.Context, tx *sqldb.Tx, before map[int]handover.Fence, to []handover.Fence) error {
	if !slices.ContainsFunc(to, func(f handover.Fence) bool { return before[f.Bucket].Mode != f.Mode }) {
		return nil
	}
	return tx.Run(ctx, sqldb.S("UPDATE counters SET value=value+1 WHERE name='fences'"))
}

// counter reads one of the counters.
func (s *Store) counter(ctx context.Context, name string) (n int64, err error) {
	return n, sqldb.Fail(s.db.Reader().GetContext(ctx, &n, "SELECT value FROM counters WHERE name=?", name))
}
