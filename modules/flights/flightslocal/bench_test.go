package flightslocal_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"banyan/modules/flights"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/flights/internal/store"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
)

// envBench names an imported flights database for the benchmarks: a SQLite file, or a
// MySQL DSN. Without it they make flights of their own.
const envBench = "BANYAN_BENCH_FLIGHTS"

// BenchmarkSearch is the service; BenchmarkBareSQL the same statements, run and read
// without it. Their p50 are to be compared.
func BenchmarkSearch(b *testing.B) {
	benchmark(b, func(ctx context.Context, s *flightslocal.Service, _ *sqldb.DB, c flights.Criteria) error {
		_, err := s.Search(ctx, c)
		return err
	})
}

func BenchmarkBareSQL(b *testing.B) {
	benchmark(b, func(ctx context.Context, s *flightslocal.Service, db *sqldb.DB, c flights.Criteria) error {
		text, args, err := s.SearchSQL(c)
		if err != nil {
			return err
		}
		rows, err := db.Reader().QueryContext(ctx, text, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		return readAll(rows)
	})
}

func readAll(rows *sql.Rows) error {
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]sql.RawBytes, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
	}
	return rows.Err()
}

type searchFunc func(context.Context, *flightslocal.Service, *sqldb.DB, flights.Criteria) error

func benchmark(b *testing.B, search searchFunc) {
	db, date := benchDB(b)
	s := flightslocal.New(db)
	for name, c := range map[string]flights.Criteria{
		"route and date": {Origin: "JFK", Destination: "LHR", DepartureDate: date},
		"origin":         {Origin: "JFK"},
		"destination":    {Destination: "LHR", Passengers: 2},
		"date by price":  {Origin: "LHR", DepartureDate: date, Sort: flights.ByPrice, Cabin: flights.Economy},
		"date":           {DepartureDate: date},
		"nothing":        {},
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				if err := search(b.Context(), s, db, c); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
		})
	}
}

// benchDB opens the database to measure, and tells a date on which it has flights.
func benchDB(b *testing.B) (*sqldb.DB, string) {
	b.Helper()
	name := os.Getenv(envBench)
	if name == "" {
		return madeUp(b)
	}
	open := sqldb.OpenSQLite
	if strings.Contains(name, "@") {
		open = sqldb.OpenMySQL
	}
	db, err := open(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	var day int
	if err := db.Reader().QueryRowContext(b.Context(), "SELECT MAX(dep_date) FROM flights").Scan(&day); err != nil {
		b.Fatal(err)
	}
	return db, wall.Of(day, 0).Date()
}

// madeUp makes flights among the suite's airports.
func madeUp(b *testing.B) (*sqldb.DB, string) {
	b.Helper()
	const batches = 60
	db := dbtest.SQLite(b)
	newService(b, db)
	st := store.New(db)
	c, err := st.Ensure(b.Context(), oneSeat())
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 5))
	codes := []string{"JFK", "ATL", "FRA", "LHR", "NRT", "SYD", "GRU", "AKL"}
	for batch := range batches {
		var rows []store.Row
		for i := range store.MaxBatch {
			from := r.IntN(len(codes))
			row := store.Row{
				Designator: fmt.Sprintf("%c%c%d", 'A'+batch/26, 'A'+batch%26, i+1), Origin: codes[from],
				Destination: codes[(from+1+r.IntN(len(codes)-1))%len(codes)], Configuration: c.ID, Currency: "EUR",
				Departure: wall.Of(20261120+r.IntN(7), r.IntN(24)*100), Fares: store.Fares{int64(5000 + r.IntN(90000))},
			}
			row.Carrier, row.FlightID = row.Designator[:2], row.Designator+"-"+row.Origin
			row.Arrival = row.Departure + wall.Time(60+r.IntN(600))
			row.DepartureUTC, row.ArrivalUTC = int64(row.Departure)*60, int64(row.Arrival)*60
			rows = append(rows, row)
		}
		if _, err := st.InsertFlights(b.Context(), rows, nil); err != nil {
			b.Fatal(err)
		}
	}
	return db, "2026-11-22"
}

func oneSeat() store.Geometry {
	return store.Geometry{Archetype: "A320", Seats: []string{"1A", "1B"}, Map: flights.SeatMap{Cabin: []flights.SeatMapCabin{{
		FirstRow: 1, LastRow: 1, CabinClass: flights.SeatMapClass{CabinType: "Economy"},
		Row: []flights.SeatMapRow{{RowNumber: 1, Seat: []flights.SeatMapSeat{{Number: "A"}, {Number: "B"}}}},
	}}}}
}
