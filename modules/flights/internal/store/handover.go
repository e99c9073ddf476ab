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
	m := moving{s}
	return handoversql.New(s.db, Route, m, handoversql.Hooks{Ready: m.ready, Moved: m.moved})
}

// moving is what moves with a bucket: its flights, and the answers under keys.
type moving struct{ s *Store }

var _ handoversql.Data[arrived] = moving{}

// ready fills in what the buckets of old rows are.
func (m moving) ready(ctx context.Context) error {
	if err := m.s.Fill(ctx); err != nil {
		return err
	}
	_, err := m.s.serving(ctx)
	return err
}

// Follows tells how far the copies of reference data are. A target that knows less than the
// source would show flights without airports and aircraft.
func (m moving) Follows(ctx context.Context) (map[string]int64, error) {
	follows := map[string]int64{}
	for _, side := range []string{Home, Away} {
		n, err := m.s.counter(ctx, referenceOf(side))
		if err != nil {
			return nil, err
		}
		follows["flights-"+referenceOf(side)] = n
	}
	return follows, nil
}

// Wipes goes along keys.
func (m moving) Wipes(buckets []int, limit int) []sqldb.Stmt {
	in, args := handoversql.In("bucket", buckets)
	d := m.s.db.Dialect()
	return []sqldb.Stmt{
		handoversql.Delete(d, "flights", "flight_id", in, args, limit),
		handoversql.Delete(d, "answers", "bucket,idem_key", in, args, limit),
	}
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

// moved counts a change of modes, so that whoever remembers the fences reads them again,
// and so that it waits for those who keep all of them.
func (m moving) moved(ctx context.Context, tx *sqldb.Tx, before map[int]handover.Fence, to []handover.Fence) error {
	if !slices.ContainsFunc(to, func(f handover.Fence) bool { return before[f.Bucket].Mode != f.Mode }) {
		return nil
	}
	return tx.Run(ctx, sqldb.S("UPDATE counters SET value=value+1 WHERE name='fences'"))
}

// counter reads one of the counters.
func (s *Store) counter(ctx context.Context, name string) (n int64, err error) {
	return n, sqldb.Fail(s.db.Reader().GetContext(ctx, &n, "SELECT value FROM counters WHERE name=?", name))
}
