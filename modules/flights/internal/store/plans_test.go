package store_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/store"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
)

// TestNothingIsSorted holds searches to their indexes' order: a
// database that sorts all that matches is slow on millions of flights.
func TestNothingIsSorted(t *testing.T) {
	date := wall.Of(20261121, 0)
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s := store.New(db, store.Options{})
		rows := randomRows(rand.New(rand.NewPCG(4, 4)), store.MaxBatch, ensureAll(t, s))
		if _, err := s.InsertFlights(t.Context(), rows, nil); err != nil {
			t.Fatal(err)
		}
		behind := &store.Position{Departure: rows[0].DepartureUTC, FlightID: rows[0].FlightID}
		for _, q := range []store.Query{
			{},
			{After: behind},
			{Origin: "JFK"},
			{Origin: "JFK", After: behind},
			{Destination: "JFK"},
			{Origin: "JFK", Destination: "LHR"},
			{Origin: "JFK", Destination: "LHR", Date: date},
			{Origin: "JFK", Date: date, After: behind},
			{Destination: "JFK", Date: date},
			{Date: date},
			{Date: date, After: behind},
			{Carriers: []string{"AA"}},
			{Carriers: []string{"AA"}, Date: date},
			{Currency: "EUR", MaxPrice: 100},
			{Passengers: 2, Cabin: flights.Business},
			{Nonstop: true, After: behind},
		} {
			q.Sort = flights.ByDeparture
			isNotSorted(t, db, q)
		}
		for _, q := range []store.Query{
			{Sort: flights.ByPrice},
			{Sort: flights.ByPrice, After: behind},
			{Sort: flights.ByPrice, Currency: "EUR"},
			{Sort: flights.ByPrice, Currency: "EUR", MaxPrice: 100, After: behind},
			{Sort: flights.ByPrice, Nonstop: true, Passengers: 2},
			{Sort: flights.ByDuration},
			{Sort: flights.ByDuration, Cabin: flights.Business, After: behind},
		} {
			isNotSorted(t, db, q)
		}
	})
}

// isNotSorted wants a search to be read in the order of an index, guarded by fences or not.
func isNotSorted(t *testing.T, db *sqldb.DB, q store.Query) {
	t.Helper()
	q.Limit = 50
	for _, q := range []store.Query{q, store.Guarded(q)} {
		plan := explain(t, db, &q)
		if strings.Contains(plan, "filesort") || strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") || !strings.Contains(plan, "flights_") {
			t.Errorf("%+v is sorted:\n%s", q, plan)
		}
	}
}

// TestFiltersAreLookedForInTheIndex: what few flights have is not asked of the row of each.
func TestFiltersAreLookedForInTheIndex(t *testing.T) {
	db := dbtest.MySQL(t)
	migrate(t, db)
	s := store.New(db, store.Options{})
	if _, err := s.InsertFlights(t.Context(), randomRows(rand.New(rand.NewPCG(4, 5)), store.MaxBatch, ensureAll(t, s)), nil); err != nil {
		t.Fatal(err)
	}
	for _, sort := range []flights.Sort{flights.ByDeparture, flights.ByPrice, flights.ByDuration} {
		for _, q := range []store.Query{
			{Currency: "EUR"}, {Currency: "EUR", MaxPrice: 100}, {Nonstop: true}, {Cabin: flights.First}, {Cabin: flights.Economy, MaxPrice: 5, Currency: "EUR"},
			{Date: wall.Of(20261121, 0)},
		} {
			q.Sort, q.Limit = sort, 50
			if sort == flights.ByPrice && q.Cabin != "" || sort == flights.ByDeparture && q.Date != 0 {
				continue // has no index of its own, or needs none
			}
			if plan := explain(t, db, &q); !strings.Contains(plan, "Using index condition") {
				t.Errorf("%+v reads rows:\n%s", q, plan)
			}
		}
	}
}

// TestBucketsAreFoundByKey holds what a handover reads and wipes to the keys: a scan would
// lock, or wait for, the rows of everybody else.
func TestBucketsAreFoundByKey(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s := store.New(db, store.Options{})
		if _, err := s.InsertFlights(t.Context(), randomRows(rand.New(rand.NewPCG(6, 6)), store.MaxBatch, ensureAll(t, s)), nil); err != nil {
			t.Fatal(err)
		}
		for n := range 400 {
			if err := db.Do(t.Context(), func(tx *sqldb.Tx) error {
				tx.Finally(sqldb.S("INSERT INTO answers VALUES (?,'k','f','{}',1)", n*25))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range []int{1, 7, 16} {
			for _, stmt := range store.Found(s, rand.New(rand.NewPCG(7, 8)).Perm(9000)[:n]) {
				plan := dbtest.Explain(t, db, stmt.SQL, stmt.Args...)
				if strings.Contains(plan, "type=ALL") || strings.Contains(plan, "type=index ") || strings.Contains(plan, "SCAN ") {
					t.Errorf("%d buckets: %.80s\n%s", n, stmt.SQL, plan)
				}
			}
		}
	})
}

func explain(t *testing.T, db *sqldb.DB, q *store.Query) string {
	t.Helper()
	text, args := q.SQL(db.Dialect())
	return dbtest.Explain(t, db, text, args...)
}
