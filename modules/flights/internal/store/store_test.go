package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/store"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"

	migrations "banyan/migrations/flights"
)

// onEach runs a test on every database.
func onEach(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			migrate(t, db)
			test(t, db)
		})
	}
}

func migrate(t testing.TB, db *sqldb.DB) {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// seatMap makes one row of so many seats in each cabin.
func seatMap(archetype string, economy, business, first int) store.Geometry {
	g := store.Geometry{Archetype: archetype}
	row := 0
	for _, c := range []struct {
		name  string
		seats int
	}{{"First", first}, {"Business", business}, {"Economy", economy}} {
		if c.seats == 0 {
			continue
		}
		row++
		cabin := flights.SeatMapCabin{FirstRow: row, LastRow: row, CabinClass: flights.SeatMapClass{CabinType: c.name}}
		line := flights.SeatMapRow{RowNumber: row}
		for n := range c.seats {
			letter := string("ABCDEFGHJKLMNPQRSTUVWXYZ"[n])
			line.Seat = append(line.Seat, flights.SeatMapSeat{Number: letter})
			g.Seats = append(g.Seats, fmt.Sprintf("%d%s", row, letter))
		}
		cabin.Row = []flights.SeatMapRow{line}
		g.Map.Cabin = append(g.Map.Cabin, cabin)
	}
	return g
}

func carrierCodes() []string { return []string{"AA", "BA", "LH", "4U", "Z9"} }

func airportCodes() []string { return []string{"JFK", "LHR", "FRA", "ATL", "NRT", "SYD"} }

// randomRows makes n flights over five days, many with equal times, prices and durations.
func randomRows(r *rand.Rand, n int, configurations []store.Configuration) []store.Row {
	rows := make([]store.Row, 0, n)
	for i := range n {
		carrier := carrierCodes()[min(r.IntN(8), 4)]
		from := r.IntN(len(airportCodes()))
		c := configurations[r.IntN(len(configurations))]
		row := store.Row{
			Designator: fmt.Sprintf("%s%d", carrier, i+1), Carrier: carrier, Origin: airportCodes()[from],
			Destination: airportCodes()[(from+1+r.IntN(len(airportCodes())-1))%len(airportCodes())],
			Departure:   wall.Of(20261120+r.IntN(5), r.IntN(4)*600), Configuration: c.ID,
			Currency: []string{"EUR", "JPY", "USD"}[r.IntN(3)], Stops: r.IntN(2), Cancelled: r.IntN(10) == 0, Version: 1,
		}
		row.FlightID = fmt.Sprintf("%s-%s-%d", row.Designator, row.Origin, row.Departure.Day())
		row.DepartureUTC = int64(row.Departure)*60 + int64(r.IntN(5)-2)*6*3600
		row.Arrival = row.Departure + wall.Time(60*(1+r.IntN(4)))
		row.ArrivalUTC = row.DepartureUTC + int64(1+r.IntN(5))*3600
		row.Fares[store.EconomyIx] = int64(100 * (1 + r.IntN(6)))
		if c.Cabins[store.BusinessIx] > 0 && r.IntN(2) == 0 {
			row.Fares[store.BusinessIx] = int64(100 * (1 + r.IntN(9)))
		}
		rows = append(rows, row)
	}
	return rows
}

func ensureAll(t testing.TB, s *store.Store) []store.Configuration {
	t.Helper()
	var list []store.Configuration
	for _, g := range []store.Geometry{seatMap("A320", 20, 4, 0), seatMap("E190", 5, 0, 0), seatMap("B77W", 20, 9, 2)} {
		c, err := s.Ensure(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// TestSearchAgainstScan compares random searches, paged to their end, with a plain scan
// of the rows.
func TestSearchAgainstScan(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		const seed, flightCount, searches = 7, 900, 400
		r := rand.New(rand.NewPCG(seed, seed))
		s := store.New(db, store.Options{})
		configurations := ensureAll(t, s)
		rows := randomRows(r, flightCount, configurations)
		if n, err := s.InsertFlights(t.Context(), rows, nil); err != nil || n != len(rows) {
			t.Fatalf("InsertFlights = %d, %v", n, err)
		}
		met := 0
		for range searches {
			q := randomQuery(r)
			want := scan(rows, configurations, q)
			got := pages(t, s, q)
			if !slices.Equal(got, want) {
				t.Fatalf("%+v\n got %d %v\nwant %d %v", q, len(got), got, len(want), want)
			}
			met += min(len(want), 1)
		}
		if met < searches/3 {
			t.Errorf("only %d of %d searches met any flight; the test says little", met, searches)
		}
	})
}

func randomQuery(r *rand.Rand) store.Query {
	sometimes := func(n int) bool { return r.IntN(n) == 0 }
	q := store.Query{Sort: []flights.Sort{flights.ByDeparture, flights.ByPrice, flights.ByDuration}[r.IntN(3)], Limit: 1 + r.IntN(60)}
	if sometimes(2) {
		q.Origin = airportCodes()[r.IntN(len(airportCodes()))]
	}
	if sometimes(3) {
		q.Destination = airportCodes()[r.IntN(len(airportCodes()))]
	}
	if sometimes(2) {
		q.Date = wall.Of(20261120+r.IntN(5), 0)
	}
	if sometimes(3) {
		q.Carriers = carrierCodes()[:1+r.IntN(4)]
	}
	if sometimes(3) {
		q.Cabin = store.Cabins()[r.IntN(4)]
	}
	if sometimes(3) {
		q.Passengers = 1 + r.IntN(9)
	}
	if sometimes(3) {
		q.Currency = "EUR"
		q.MaxPrice = int64(r.IntN(7) * 100)
	}
	q.Nonstop = sometimes(4)
	return q
}

// pages follows a search to its end, as the service does.
func pages(t *testing.T, s *store.Store, q store.Query) []string {
	t.Helper()
	ids := []string{}
	for {
		rows, _, err := s.Search(t.Context(), &q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			ids = append(ids, rows[i].FlightID)
		}
		if len(rows) < q.Limit {
			return ids
		}
		after := q.PositionOf(&rows[len(rows)-1])
		q.After = &after
	}
}

// scan is what Search must do, said in Go.
func scan(rows []store.Row, configurations []store.Configuration, q store.Query) []string {
	cabins := map[string]store.Configuration{}
	for _, c := range configurations {
		cabins[c.ID] = c
	}
	price := func(r *store.Row) int64 {
		if q.Cabin != "" {
			return r.Fares[store.CabinIx(q.Cabin)]
		}
		low := int64(0)
		for _, f := range r.Fares {
			if f > 0 && (low == 0 || f < low) {
				low = f
			}
		}
		return low
	}
	var kept []store.Row
	for _, r := range rows {
		seats := cabins[r.Configuration].Seats
		if q.Cabin != "" {
			seats = cabins[r.Configuration].Cabins[store.CabinIx(q.Cabin)]
		}
		if (q.Origin == "" || r.Origin == q.Origin) && (q.Destination == "" || r.Destination == q.Destination) &&
			(q.Date == 0 || r.Departure.Date() == q.Date.Date()) && (q.Carriers == nil || slices.Contains(q.Carriers, r.Carrier)) &&
			price(&r) > 0 && (q.Currency == "" || r.Currency == q.Currency) && (q.MaxPrice == 0 || price(&r) <= q.MaxPrice) &&
			(!q.Nonstop || r.Stops == 0) && (q.Passengers == 0 || !r.Cancelled && seats >= q.Passengers) {
			kept = append(kept, r)
		}
	}
	slices.SortFunc(kept, func(a, b store.Row) int {
		last := cmp.Or(cmp.Compare(a.DepartureUTC, b.DepartureUTC), cmp.Compare(a.FlightID, b.FlightID))
		switch q.Sort {
		case flights.ByPrice:
			return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(price(&a), price(&b)), last)
		case flights.ByDuration:
			return cmp.Or(cmp.Compare(a.Minutes(), b.Minutes()), last)
		case flights.ByDeparture:
		}
		return last
	})
	ids := []string{}
	for _, r := range kept {
		ids = append(ids, r.FlightID)
	}
	return ids
}

// TestInsertFlights sends batches twice, and batches of which a part is there.
func TestInsertFlights(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s := store.New(db, store.Options{})
		rows := randomRows(rand.New(rand.NewPCG(1, 1)), 300, ensureAll(t, s))
		before, _ := s.Events(t.Context(), flights.Stream, "", 0, 100)
		run := store.Run{ID: "a"}
		moved := rows[250]
		moved.FlightID = "MOVED-HERE"
		for _, step := range []struct {
			rows                            []store.Row
			new, inserted, existing, events int
		}{
			{rows[:100], 100, 100, 0, 1},
			{rows[:100], 0, 100, 100, 1},
			{rows[50:200], 100, 200, 150, 2},
			{[]store.Row{moved}, 1, 201, 150, 3},
			{rows[240:260], 19, 220, 151, 4}, // one has the natural key of the moved flight
			{nil, 0, 220, 151, 4},
		} {
			run.NextLine += 10
			n, err := s.InsertFlights(t.Context(), step.rows, &run)
			if err != nil || n != step.new {
				t.Fatalf("InsertFlights = %d, %v; want %d", n, err, step.new)
			}
			saved, err := s.LoadRun(t.Context(), "a")
			if err != nil || saved != run || run.Inserted != int64(step.inserted) || run.Existing != int64(step.existing) {
				t.Fatalf("run = %+v, saved %+v, %v; want %+v", run, saved, err, step)
			}
			events, err := s.Events(t.Context(), flights.Stream, flights.FlightsScheduled, 0, 100)
			if err != nil || len(events) != step.events {
				t.Fatalf("%d events, %v; want %d", len(events), err, step.events)
			}
		}
		if len(before) != 3 {
			t.Errorf("%d events of 3 configurations", len(before))
		}
	})
}

// TestMigrations takes everything back and does it again.
func TestMigrations(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		m, err := sqldb.NewMigrator(db, migrations.FS)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for {
				name, err := m.Down(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if name == "" {
					break
				}
			}
			if n, err := m.Up(t.Context()); err != nil || n < 2 {
				t.Fatalf("Up = %d, %v", n, err)
			}
		}
	})
}
