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

// TestNothingIsSorted holds the searches by departure to their indexes' order: a
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
			q.Sort, q.Limit = flights.ByDeparture, 50
			for _, q := range []store.Query{q, store.Guarded(q)} {
				plan := explain(t, db, &q)
				if strings.Contains(plan, "filesort") || strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") || !strings.Contains(plan, "flights_") {
					t.Errorf("%+v is sorted:\n%s", q, plan)
				}
			}
		}
	})
}

// TestPagesAreFoundInOneIndex: what a search of all flights filters and orders by is in an
// index; to ask the row of each takes as long as there are flights.
func TestPagesAreFoundInOneIndex(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s := store.New(db, store.Options{})
		rows := randomRows(rand.New(rand.NewPCG(4, 5)), store.MaxBatch, ensureAll(t, s))
		if _, err := s.InsertFlights(t.Context(), rows, nil); err != nil {
			t.Fatal(err)
		}
		for _, sort := range []flights.Sort{flights.ByPrice, flights.ByDuration} {
			for _, q := range []store.Query{
				{},
				{Currency: "EUR", MaxPrice: 100},
				{Nonstop: true, Passengers: 2},
				{Cabin: flights.First, Passengers: 9},
				{Date: wall.Of(20261121, 0), After: &store.Position{Currency: "EUR", Departure: rows[0].DepartureUTC, FlightID: rows[0].FlightID}},
			} {
				q.Sort, q.Limit = sort, 50
				for _, q := range []store.Query{q, store.Guarded(q)} {
					if plan := explain(t, db, &q); !covered(plan) {
						t.Errorf("%+v reads rows:\n%s", q, plan)
					}
				}
			}
		}
	})
}

// covered tells whether a plan has a step that reads nothing but the index by departure.
func covered(plan string) bool {
	for step := range strings.Lines(plan) {
		if strings.Contains(step, "USING COVERING INDEX flights_departure") ||
			strings.Contains(step, "key=flights_departure ") && strings.Contains(step, "Using index") && !strings.Contains(step, "Using index condition") {
			return true
		}
	}
	return false
}

// TestFiltersAreLookedForInTheIndex: in the order of the index too, only what may be on
// the page is read.
func TestFiltersAreLookedForInTheIndex(t *testing.T) {
	db := dbtest.MySQL(t) // whose plan says so
	migrate(t, db)
	s := store.New(db, store.Options{})
	if _, err := s.InsertFlights(t.Context(), randomRows(rand.New(rand.NewPCG(4, 5)), store.MaxBatch, ensureAll(t, s)), nil); err != nil {
		t.Fatal(err)
	}
	for _, q := range []store.Query{
		{Currency: "EUR"}, {Currency: "EUR", MaxPrice: 100}, {Nonstop: true}, {Cabin: flights.First}, {Cabin: flights.Economy, MaxPrice: 5, Currency: "EUR"},
	} {
		q.Sort, q.Limit = flights.ByDeparture, 50
		if plan := explain(t, db, &q); !strings.Contains(plan, "Using index condition") {
			t.Errorf("%+v reads rows:\n%s", q, plan)
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
