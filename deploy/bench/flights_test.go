package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	migrations "banyan/migrations/flights"
	"banyan/modules/flights"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
)

const (
	realFolder = "../../../shared/data/optd"
	// envDays is how many days of the real files are imported; 7 by default.
	envDays = "BANYAN_BENCH_DAYS"
)

// firstDay is imported first, whenever the benchmark runs.
func firstDay() time.Time { return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC) }

func BenchmarkFlightsSQLite(b *testing.B)  { importAndSearch(b, dbtest.SQLite) }
func BenchmarkFlightsMariaDB(b *testing.B) { importAndSearch(b, dbtest.MySQL) }

// importAndSearch imports the real files and then searches what it imported.
func importAndSearch(b *testing.B, open func(testing.TB) *sqldb.DB) {
	if _, err := os.Stat(realFolder); err != nil {
		b.Skipf("SKIPPED: put OpenTravelData's files into ../shared/data/optd to run this: %v", err)
	}
	db := open(b)
	svc := flightsOn(b, db)
	b.Run("Import", func(b *testing.B) {
		for b.Loop() {
			compareImport(b, svc, db, open(b))
		}
	})
	for name, c := range map[string]flights.Criteria{
		"RouteAndDate": {Origin: "JFK", Destination: "LHR", DepartureDate: firstDay().Format(time.DateOnly)},
		"Origin":       {Origin: "JFK"},
		"DateByPrice":  {Origin: "LHR", DepartureDate: firstDay().Format(time.DateOnly), Sort: flights.ByPrice},
		"Everything":   {},
	} {
		b.Run("Search"+name, func(b *testing.B) { compareSearch(b, svc, db, c) })
	}
}

func flightsOn(b *testing.B, db *sqldb.DB) *flightslocal.Service {
	b.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err == nil {
		_, err = m.Up(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	return flightslocal.New(db)
}

// compareImport imports, and then inserts the same flights into a new schema with
// nothing but multi-row inserts of a thousand, a transaction each.
func compareImport(b *testing.B, svc *flightslocal.Service, db, bare *sqldb.DB) {
	b.Helper()
	days, err := strconv.Atoi(os.Getenv(envDays))
	if err != nil {
		days = 7
	}
	start := time.Now()
	done, err := svc.Import(b.Context(), flightslocal.Import{Dir: realFolder, Days: days, From: firstDay()})
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	flightsOn(b, bare)
	plain := insertPlainly(b, db, bare)
	ratio := plain.Seconds() / took.Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(done.New), "flights")
	b.ReportMetric(float64(done.New)/took.Seconds(), "imported/s")
	b.ReportMetric(float64(done.New)/plain.Seconds(), "plain/s")
	report(b, ratio, ">= 0.50", ratio >= 0.5)
}

// insertPlainly copies the flights from one database to another and tells how long the
// inserts took, without the reading.
func insertPlainly(b *testing.B, from, to *sqldb.DB) (took time.Duration) {
	b.Helper()
	rows, err := from.Reader().QueryxContext(b.Context(), "SELECT * FROM flights ORDER BY flight_id")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var args []any
	n, width := 0, 0
	flush := func() {
		start := time.Now()
		err := to.Do(b.Context(), func(tx *sqldb.Tx) error {
			return tx.Run(b.Context(), sqldb.S("INSERT INTO flights VALUES "+sqldb.Marks(n, width), args...))
		})
		if err != nil {
			b.Fatal(err)
		}
		took += time.Since(start)
		args, n = nil, 0
	}
	for rows.Next() {
		values, err := rows.SliceScan()
		if err != nil {
			b.Fatal(err)
		}
		args, width = append(args, values...), len(values)
		if n++; n == 1000 {
			flush()
		}
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	if n > 0 {
		flush()
	}
	return took
}

// compareSearch lets the service and its bare statement take turns.
func compareSearch(b *testing.B, svc *flightslocal.Service, db *sqldb.DB, c flights.Criteria) {
	const turns = 300
	text, args, err := svc.SearchSQL(c)
	if err != nil {
		b.Fatal(err)
	}
	var served, bare []time.Duration
	for b.Loop() {
		for range turns {
			served = append(served, timed(b, func(ctx context.Context) error { _, err := svc.Search(ctx, c); return err }))
			bare = append(bare, timed(b, func(ctx context.Context) error { return readAll(ctx, db, text, args) }))
		}
	}
	slices.Sort(served)
	slices.Sort(bare)
	p50, base := served[len(served)/2], bare[len(bare)/2]
	ratio := p50.Seconds() / base.Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(p50.Microseconds()), "p50-us")
	b.ReportMetric(float64(base.Microseconds()), "bare-p50-us")
	report(b, ratio, "<= 1.50", ratio <= 1.5)
}

func timed(b *testing.B, call func(context.Context) error) time.Duration {
	b.Helper()
	start := time.Now()
	if err := call(b.Context()); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func readAll(ctx context.Context, db *sqldb.DB, text string, args []any) error {
	rows, err := db.Reader().QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, into := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("bare search: %w", err)
		}
	}
	return rows.Err()
}
