package store_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"banyan/modules/flights/internal/store"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
)

// BenchmarkInsertFlights is the import's batch: flights, event and progress.
// BenchmarkPlainInsert is its yardstick: the same rows in one statement.
func BenchmarkInsertFlights(b *testing.B) {
	benchmark(b, func(b *testing.B, s *store.Store, rows []store.Row) error {
		n, err := s.InsertFlights(b.Context(), rows, &store.Run{ID: "bench"})
		if n != len(rows) {
			b.Fatalf("%d of %d flights were new, %v", n, len(rows), err)
		}
		return err
	})
}

func BenchmarkPlainInsert(b *testing.B) {
	benchmark(b, func(b *testing.B, s *store.Store, rows []store.Row) error { return s.PlainInsert(b.Context(), rows) })
}

func benchmark(b *testing.B, insert func(*testing.B, *store.Store, []store.Row) error) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		b.Run(name, func(b *testing.B) {
			db := open(b)
			migrate(b, db)
			s := store.New(db)
			configurations := ensureAll(b, s)
			r := rand.New(rand.NewPCG(2, 2))
			batch := 0
			for b.Loop() {
				b.StopTimer()
				rows := randomRows(r, store.MaxBatch, configurations)
				for i := range rows { // other flights each time
					rows[i].Designator = rows[i].Carrier + strconv.Itoa(batch*store.MaxBatch+i)
					rows[i].FlightID = rows[i].Designator + "-" + rows[i].Origin
				}
				batch++
				b.StartTimer()
				if err := insert(b, s, rows); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(store.MaxBatch)*float64(b.N)/b.Elapsed().Seconds(), "flights/s")
		})
	}
}
