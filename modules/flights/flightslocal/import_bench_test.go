package flightslocal_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"banyan/modules/flights/flightslocal"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
)

// envBenchDays is how many days of the real files BenchmarkImport imports; 1 by default.
const envBenchDays = "BANYAN_BENCH_DAYS"

// BenchmarkImport imports the real files, and then inserts the same rows into a new
// schema with nothing but multi-row inserts of a thousand, a transaction each. ratio is
// the import's flights a second over theirs.
func BenchmarkImport(b *testing.B) {
	if _, err := os.Stat(realFolder); err != nil {
		b.Skipf("SKIPPED: put OpenTravelData's files into ../shared/data/optd to run this: %v", err)
	}
	days, err := strconv.Atoi(os.Getenv(envBenchDays))
	if err != nil {
		days = 1
	}
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				compareImport(b, open, days)
			}
		})
	}
}

func compareImport(b *testing.B, open func(testing.TB) *sqldb.DB, days int) {
	db := open(b)
	s := newService(b, db)
	start := time.Now()
	report, err := s.Import(b.Context(), flightslocal.Import{Dir: realFolder, Days: days, From: importDay})
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	bare := open(b)
	newService(b, bare)
	plain := insertPlainly(b, db, bare)
	b.ReportMetric(float64(report.New), "flights")
	b.ReportMetric(float64(report.New)/took.Seconds(), "imported/s")
	b.ReportMetric(float64(report.New)/plain.Seconds(), "plain/s")
	b.ReportMetric(plain.Seconds()/took.Seconds(), "ratio")
}

// insertPlainly copies the flights of one database into another and tells how long the
// inserts took, without the reading.
func insertPlainly(b *testing.B, from, to *sqldb.DB) time.Duration {
	b.Helper()
	rows, err := from.Reader().QueryxContext(b.Context(), "SELECT * FROM flights ORDER BY flight_id")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var took time.Duration
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
	if n > 0 {
		flush()
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return took
}
