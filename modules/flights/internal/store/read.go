package store

import (
	"context"
	"database/sql"

	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/bucket"
)

// Search gives the rows of a query, in its order, of the buckets that are served, and
// tells which those are.
func (s *Store) Search(ctx context.Context, q *Query) ([]Row, *Served, error) {
	return s.look(ctx, q.Limit, func(partial bool) (string, []any) {
		counted := *q
		counted.counted, counted.partial = true, partial
		return counted.SQL(s.db.Dialect())
	})
}

const (
	selectFlight  = "SELECT " + flightColumns + " FROM flights WHERE "
	selectCounted = "SELECT " + flightColumns + ", " + fenceChanges + " AS changes FROM flights WHERE "
)

// Flight gives a dated flight; ok is false when there is none. errs: Misdirected if its
// bucket is not served here.
func (s *Store) Flight(ctx context.Context, flightID string) (Row, bool, error) {
	b := bucket.Of(flightID)
	rows, v, err := s.look(ctx, 1, func(bool) (string, []any) { return selectCounted + "flight_id=?", []any{flightID} })
	if err != nil {
		return Row{}, false, err
	}
	if !v.Buckets.Has(b) {
		return Row{}, false, s.refuse(ctx, b)
	}
	if len(rows) == 0 {
		return Row{}, false, nil
	}
	return rows[0], true, nil
}

// A + before a column keeps SQLite from choosing that column's index over the
// designator's; to MySQL it says nothing.

// Departing gives the flight of a designator at a local departure time, at most one row.
func (s *Store) Departing(ctx context.Context, designator string, at wall.Time) ([]Row, *Served, error) {
	return s.look(ctx, 1, func(partial bool) (string, []any) {
		return selectCounted + "designator=? AND +dep_date=? AND dep_time=?" + onlyServed(partial) +
			" ORDER BY +dep_utc, flight_id LIMIT 1", []any{designator, at.Day(), at.Clock()}
	})
}

// Next gives the first flight of a designator that departs at or after now (seconds since
// 1970) and is not cancelled; without one, the last that departed.
func (s *Store) Next(ctx context.Context, designator string, now int64) ([]Row, *Served, error) {
	rows, v, err := s.look(ctx, 2, func(partial bool) (string, []any) {
		head := selectCounted + "designator=? AND "
		next := head + "+dep_utc>=? AND status=0" + onlyServed(partial) + " ORDER BY +dep_utc, flight_id LIMIT 1"
		last := head + "+dep_utc<?" + onlyServed(partial) + " ORDER BY +dep_utc DESC, flight_id LIMIT 1"
		return "SELECT * FROM (" + next + ") AS next UNION ALL SELECT * FROM (" + last + ") AS last",
			[]any{designator, now, designator, now}
	})
	if len(rows) == 2 && rows[0].DepartureUTC < rows[1].DepartureUTC {
		rows[0], rows[1] = rows[1], rows[0]
	}
	return rows[:min(len(rows), 1)], v, err
}

func onlyServed(partial bool) string {
	if partial {
		return " AND " + servedHere
	}
	return ""
}

// scanner reads rows into the same variables again and again.
type scanner struct {
	r                          Row
	depDate, depTime, depUTC   integer
	arrDate, arrTime, arrUTC   integer
	minutes, stops, price      integer
	fares                      [4]integer
	status, synthetic, version integer
	into                       []any
}

func newScanner() *scanner {
	c := &scanner{}
	r := &c.r
	c.into = []any{
		&r.FlightID, &r.Designator, &r.Carrier, &r.Origin, &r.Destination,
		&c.depDate, &c.depTime, &c.depUTC, &c.arrDate, &c.arrTime, &c.arrUTC, &c.minutes, &c.stops,
		&r.Configuration, &r.Currency, &c.price, &c.fares[0], &c.fares[1], &c.fares[2], &c.fares[3],
		&c.status, &c.synthetic, &c.version,
	}
	return c
}

func (c *scanner) row(rows *sql.Rows) (Row, error) {
	if err := rows.Scan(c.into...); err != nil {
		return Row{}, err
	}
	r := &c.r
	r.Departure, r.DepartureUTC = wall.Of(int(c.depDate), int(c.depTime)), int64(c.depUTC)
	r.Arrival, r.ArrivalUTC = wall.Of(int(c.arrDate), int(c.arrTime)), int64(c.arrUTC)
	for i, f := range c.fares {
		r.Fares[i] = int64(f)
	}
	r.Stops, r.Cancelled = int(c.stops), c.status == 1
	r.Synthetic, r.Version = Synthetic(c.synthetic), int64(c.version)
	return *r, nil
}

// integer is read without database/sql's detour by way of a text. NULL is 0.
type integer int64

// Scan implements sql.Scanner.
func (n *integer) Scan(value any) error {
	if v, ok := value.(int64); ok {
		*n = integer(v)
		return nil
	}
	var v sql.NullInt64
	err := v.Scan(value)
	*n = integer(v.Int64)
	return err
}
