package store

import (
	"context"
	"database/sql"

	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/sqldb"
)

// Search gives the rows of a query, in its order.
func (s *Store) Search(ctx context.Context, q *Query) ([]Row, error) {
	text, args := q.SQL(s.db.Dialect())
	return s.rows(ctx, q.Limit, text, args...)
}

const selectFlight = "SELECT " + flightColumns + " FROM flights WHERE "

// Flight gives a dated flight; ok is false when there is none.
func (s *Store) Flight(ctx context.Context, flightID string) (Row, bool, error) {
	return s.one(ctx, selectFlight+"flight_id=?", flightID)
}

// A + before a column keeps SQLite from choosing that column's index over the
// designator's; to MySQL it says nothing.

// Departing gives the flight of a designator at a local departure time.
func (s *Store) Departing(ctx context.Context, designator string, at wall.Time) (Row, bool, error) {
	return s.one(ctx, selectFlight+"designator=? AND +dep_date=? AND dep_time=? ORDER BY +dep_utc LIMIT 1",
		designator, at.Day(), at.Clock())
}

// Next gives the first flight of a designator that departs at or after now (seconds since
// 1970) and is not cancelled; without one, the last that departed.
func (s *Store) Next(ctx context.Context, designator string, now int64) (Row, bool, error) {
	r, ok, err := s.one(ctx, selectFlight+"designator=? AND +dep_utc>=? AND status=0 ORDER BY +dep_utc LIMIT 1", designator, now)
	if ok || err != nil {
		return r, ok, err
	}
	return s.one(ctx, selectFlight+"designator=? AND +dep_utc<? ORDER BY +dep_utc DESC LIMIT 1", designator, now)
}

func (s *Store) one(ctx context.Context, query string, args ...any) (Row, bool, error) {
	rows, err := s.rows(ctx, 1, query, args...)
	if err != nil || len(rows) == 0 {
		return Row{}, false, err
	}
	return rows[0], true, nil
}

// rows reads at most limit rows.
func (s *Store) rows(ctx context.Context, limit int, query string, args ...any) ([]Row, error) {
	answer, err := s.db.Reader().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, sqldb.Fail(err)
	}
	defer func() { _ = answer.Close() }()
	list := make([]Row, 0, limit)
	into := newScanner()
	for answer.Next() {
		r, err := into.row(answer)
		if err != nil {
			return nil, sqldb.Fail(err)
		}
		list = append(list, r)
	}
	return list, sqldb.Fail(answer.Err())
}

// scanner reads rows into the same variables again and again.
type scanner struct {
	r                                          Row
	depDate, depTime, arrDate, arrTime, status int
	minutes, price                             int64
	fares                                      [4]sql.NullInt64
	into                                       []any
}

func newScanner() *scanner {
	c := &scanner{}
	r := &c.r
	c.into = []any{
		&r.FlightID, &r.Designator, &r.Carrier, &r.Origin, &r.Destination,
		&c.depDate, &c.depTime, &r.DepartureUTC, &c.arrDate, &c.arrTime, &r.ArrivalUTC, &c.minutes, &r.Stops,
		&r.Configuration, &r.Currency, &c.price, &c.fares[0], &c.fares[1], &c.fares[2], &c.fares[3],
		&c.status, &r.Synthetic, &r.Version,
	}
	return c
}

func (c *scanner) row(rows *sql.Rows) (Row, error) {
	if err := rows.Scan(c.into...); err != nil {
		return Row{}, err
	}
	c.r.Departure, c.r.Arrival = wall.Of(c.depDate, c.depTime), wall.Of(c.arrDate, c.arrTime)
	for i, f := range c.fares {
		c.r.Fares[i] = f.Int64
	}
	c.r.Cancelled = c.status == 1
	return c.r, nil
}
