package store

import (
	"context"
	"database/sql"
	"strings"

	"banyan/modules/flights"
	"banyan/modules/kernel/sqldb"
)

// Carrier is an airline: its IATA code and name.
type Carrier struct{ Code, Name string }

// Aircraft is an aircraft type and the archetype that stands for it.
type Aircraft struct{ Code, Name, Archetype string }

// putRows bounds the rows of one statement.
const putRows = 500

func airportFields() []string {
	return []string{"code", "name", "city", "country", "tz", "latitude", "longitude"}
}

func airportValues(a flights.Airport) []any {
	return []any{a.Code, a.Name, a.City, a.Country, a.TZ, a.Latitude, a.Longitude}
}

// PutAirports stores airports, over those with the same codes.
func (s *Store) PutAirports(ctx context.Context, list []flights.Airport) error {
	return put(ctx, s, "airports", airportFields(), list, airportValues)
}

// PutCarriers stores carriers, over those with the same codes.
func (s *Store) PutCarriers(ctx context.Context, list []Carrier) error {
	return put(ctx, s, "carriers", []string{"code", "name"}, list, func(c Carrier) []any { return []any{c.Code, c.Name} })
}

// PutAircraft stores aircraft types, over those with the same codes.
func (s *Store) PutAircraft(ctx context.Context, list []Aircraft) error {
	return put(ctx, s, "aircraft", []string{"code", "name", "archetype"}, list,
		func(a Aircraft) []any { return []any{a.Code, a.Name, a.Archetype} })
}

// put upserts a list in one transaction, as a change of reference data made here.
func put[T any](ctx context.Context, s *Store, table string, columns []string, list []T, values func(T) []any) error {
	if len(list) == 0 {
		return nil
	}
	return s.do(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		tx.Finally(s.changedReference())
		return putRowsOf(ctx, tx, s.db.Dialect(), table, columns, list, values)
	})
}

// putRowsOf upserts a list; the first column is the key.
func putRowsOf[T any](ctx context.Context, tx *sqldb.Tx, d sqldb.Dialect, table string, columns []string, list []T, values func(T) []any) error {
	head := "INSERT INTO " + table + " (" + strings.Join(columns, ", ")
	tail := d.Upsert(columns[0], columns[1:]...)
	for at := 0; at < len(list); at += putRows {
		part := list[at:min(at+putRows, len(list))]
		var args []any
		for _, v := range part {
			args = append(args, values(v)...)
		}
		if err := tx.Run(ctx, sqldb.S(head+") VALUES "+sqldb.Marks(len(part), len(columns))+tail, args...)); err != nil {
			return err
		}
	}
	return nil
}

// changedReference counts a change of reference data that was made here.
func (s *Store) changedReference() sqldb.Stmt {
	return sqldb.S("UPDATE counters SET value=value+1 WHERE name=?", referenceOf(*s.side.Load()))
}

// referenceOf names the counter of changes made on a side.
func referenceOf(side string) string { return "reference-" + side }

const airportColumns = "SELECT code, name, city, country, tz, latitude, longitude FROM airports"

// AirportsAfter gives at most limit airports with codes after the one named, by code;
// country, if not "", is ISO 3166 alpha-2.
func (s *Store) AirportsAfter(ctx context.Context, country, after string, limit int) ([]flights.Airport, error) {
	query, args := airportColumns+" WHERE code>?", []any{after}
	if country != "" {
		query, args = query+" AND country=?", append(args, country)
	}
	rows, err := s.db.Reader().QueryContext(ctx, query+" ORDER BY code LIMIT ?", append(args, limit)...)
	return scanAirports(rows, err)
}

// Airports gives the airports of the codes, in their order; one that is not stored has no
// code.
func (s *Store) Airports(ctx context.Context, codes []string) ([]flights.Airport, error) {
	return s.airports.load(codes, func(missing []string) (map[string]flights.Airport, error) {
		rows, err := s.db.Reader().QueryContext(ctx, airportColumns+" WHERE code IN "+sqldb.Marks(1, len(missing)), anys(missing)...)
		list, err := scanAirports(rows, err)
		fresh := make(map[string]flights.Airport, len(list))
		for _, a := range list {
			fresh[a.Code] = a
		}
		return fresh, err
	})
}

func scanAirports(rows *sql.Rows, err error) ([]flights.Airport, error) {
	if err != nil {
		return nil, sqldb.Fail(err)
	}
	defer func() { _ = rows.Close() }()
	list := []flights.Airport{}
	for rows.Next() {
		var a flights.Airport
		if err := rows.Scan(&a.Code, &a.Name, &a.City, &a.Country, &a.TZ, &a.Latitude, &a.Longitude); err != nil {
			return nil, sqldb.Fail(err)
		}
		list = append(list, a)
	}
	return list, sqldb.Fail(rows.Err())
}
