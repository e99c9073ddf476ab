package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// rowsAtOnce bounds a multi-row INSERT.
const rowsAtOnce = 500

// FlightByNumber implements Store.
func (s *SQL) FlightByNumber(ctx context.Context, designator, date string) (string, error) {
	var ids []string
	err := s.db.Reader().SelectContext(ctx, &ids,
		"SELECT flight_id FROM flights WHERE designator=? AND departure_date=? ORDER BY flight_id LIMIT 2", designator, date)
	switch {
	case err != nil:
		return "", sqldb.Fail(err)
	case len(ids) == 0:
		return "", nil
	case len(ids) > 1:
		return "", errs.E(errs.Conflict, "several flights are called %s on %s, such as %s; one must be named by its flight_id",
			designator, date, strings.Join(ids, " and "))
	}
	return ids[0], nil
}

// Geometry implements Catalogue.
func (s *SQL) Geometry(ctx context.Context, configuration string) ([]string, error) {
	var seats string
	err := s.db.Reader().GetContext(ctx, &seats, "SELECT seats FROM configurations WHERE configuration=?", configuration)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, sqldb.Fail(err)
	}
	return split(seats), nil
}

// Cursor implements Catalogue.
func (s *SQL) Cursor(ctx context.Context, source string) (int64, error) {
	var seq int64
	err := s.db.Reader().GetContext(ctx, &seq, "SELECT last_seq FROM feeds WHERE source=?", source)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return seq, sqldb.Fail(err)
}

// Apply implements Catalogue, in one transaction. Its first write locks the feed's row,
// so that replicas that follow the same feed take turns.
func (s *SQL) Apply(ctx context.Context, source string, cursor int64, configurations []Configuration, flights []Flight) error {
	d := s.db.Dialect()
	return s.db.Do(ctx, func(tx *sqldb.Tx) error {
		feed := sqldb.S("INSERT INTO feeds(source,last_seq) VALUES(?,?)"+newest(d, "source", "last_seq"), source, cursor)
		if err := tx.Run(ctx, feed); err != nil {
			return err
		}
		for chunk := range slices.Chunk(configurations, rowsAtOnce) {
			var args []any
			for _, c := range chunk {
				args = append(args, c.ID, strings.Join(c.Seats, ","))
			}
			if err := tx.Run(ctx, sqldb.S(d.InsertIgnore()+" INTO configurations(configuration,seats) VALUES "+
				sqldb.Marks(len(chunk), 2), args...)); err != nil {
				return err
			}
		}
		for chunk := range slices.Chunk(flights, rowsAtOnce) {
			if err := tx.Run(ctx, s.putFlights(chunk)); err != nil {
				return err
			}
			for _, f := range chunk {
				known, _ := s.flights.Get(f.FlightID)
				f.Version = known.Version
				s.flights.Put(f.FlightID, f)
			}
		}
		return nil
	})
}

func (s *SQL) putFlights(flights []Flight) sqldb.Stmt {
	args := make([]any, 0, 6*len(flights))
	for _, f := range flights {
		open := 0
		if f.Open {
			open = 1
		}
		args = append(args, f.FlightID, f.Designator, f.Date, f.Configuration, open, f.Seq)
	}
	return sqldb.S("INSERT INTO flights(flight_id,designator,departure_date,configuration,is_open,seq) VALUES "+
		sqldb.Marks(len(flights), 6)+
		newest(s.db.Dialect(), "flight_id", "seq", "designator", "departure_date", "configuration", "is_open"), args...)
}

// newest ends an INSERT that overwrites an existing row only if the number in column
// by is higher than the row's.
func newest(d sqldb.Dialect, key, by string, columns ...string) string {
	sets := make([]string, 0, len(columns)+1)
	if d == sqldb.MySQL {
		for _, c := range columns {
			sets = append(sets, c+"=IF(VALUES("+by+")>"+by+",VALUES("+c+"),"+c+")")
		}
		sets = append(sets, by+"=GREATEST("+by+",VALUES("+by+"))") // last: the others compare with the old one
		return " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ",")
	}
	for _, c := range append(columns, by) {
		sets = append(sets, c+"=excluded."+c)
	}
	return " ON CONFLICT(" + key + ") DO UPDATE SET " + strings.Join(sets, ",") + " WHERE excluded." + by + ">" + by
}
