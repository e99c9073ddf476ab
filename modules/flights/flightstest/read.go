package flightstest

import (
	"testing"
	"time"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
)

func countSeats(m flights.SeatMap) int {
	n := 0
	for _, cabin := range m.Cabin {
		for _, row := range cabin.Row {
			n += len(row.Seat)
		}
	}
	return n
}

// seatMap reads a flight's map, which must be its configuration's.
func seatMap(t *testing.T, s flights.Service, f flights.Flight) flights.SeatMap {
	t.Helper()
	published, err := s.SeatMap(t.Context(), f.FlightID)
	if err != nil || published.Configuration != f.Configuration {
		t.Fatalf("the seat map is %s's, %v; want %s's", published.Configuration, err, f.Configuration)
	}
	m, err := published.Map()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testSeatMap(t *testing.T, s flights.Service) {
	f := schedule(t, s, newFlight())
	if n := countSeats(seatMap(t, s, f)); n != f.Seats {
		t.Errorf("the map has %d seats, the flight %d", n, f.Seats)
	}
	next := newFlight()
	next.Designator = "AA36"
	if g := schedule(t, s, next); g.Configuration != f.Configuration {
		t.Errorf("the same aircraft has configurations %s and %s", f.Configuration, g.Configuration)
	}
	next.Designator, next.Seats = "AA38", f.Seats-6
	if g := schedule(t, s, next); g.Seats != f.Seats-6 || g.Configuration == f.Configuration {
		t.Errorf("%d seats asked, %d had, configuration %s", next.Seats, g.Seats, g.Configuration)
	}
	for _, id := range []string{"AA35-JFK-20261121", "", "x", "AA34-JFK-20261121 ", "аа34", "AA34-JFK-20261121-AA34-JFK-20261121", "a\x00b", "'--"} {
		_, err := s.SeatMap(t.Context(), id)
		refused(t, err, errs.FlightUnknown, "seat map of "+id)
		_, err = s.Flight(t.Context(), id)
		refused(t, err, errs.FlightUnknown, "flight "+id)
	}
}

// testGivenSeatMap schedules with a map of the agent's own: an archetype's, with one
// mark changed.
func testGivenSeatMap(t *testing.T, s flights.Service) {
	f := schedule(t, s, newFlight())
	m := seatMap(t, s, f)
	own := newFlight()
	own.Designator, own.SeatMap = "AA36", &m
	if g := schedule(t, s, own); g.Configuration != f.Configuration {
		t.Errorf("the same map is configuration %s and %s", f.Configuration, g.Configuration)
	}
	seat := &m.Cabin[0].Row[0].Seat[0]
	seat.PremiumInd = !seat.PremiumInd
	own.Designator = "AA38"
	g := schedule(t, s, own)
	if g.Configuration == f.Configuration || g.Seats != f.Seats {
		t.Errorf("another map is configuration %s with %d seats", g.Configuration, g.Seats)
	}
	if asJSON(t, seatMap(t, s, g)) != asJSON(t, m) {
		t.Error("the map that is stored differs from the one given")
	}
}

func testByNumber(t *testing.T, s flights.Service) {
	day := time.Now().UTC().Truncate(24 * time.Hour)
	ids := map[int]string{}
	for _, days := range []int{-3, 3, 6} {
		f := newFlight()
		date := day.AddDate(0, 0, days).Format("2006-01-02")
		f.Departure, f.Arrival = date+"T13:20", date+"T15:50"
		ids[days] = schedule(t, s, f).FlightID
	}
	for _, c := range []struct {
		designator, at string
		days           int
	}{
		{"AA34", "", 3},
		{"aa0034", day.AddDate(0, 0, 6).Format("2006-01-02") + "T13:20", 6},
		{"AA 34", day.AddDate(0, 0, -3).Format("2006-01-02") + "T13:20", -3},
	} {
		f, err := s.ByNumber(t.Context(), c.designator, c.at)
		if err != nil || f.FlightID != ids[c.days] {
			t.Errorf("ByNumber(%s, %s) = %s, %v; want %s", c.designator, c.at, f.FlightID, err, ids[c.days])
		}
	}
	_, err := s.ByNumber(t.Context(), "AA34", day.Format("2006-01-02")+"T13:21")
	refused(t, err, errs.FlightUnknown, "a minute later")
	_, err = s.ByNumber(t.Context(), "AA35", "")
	refused(t, err, errs.FlightUnknown, "another number")
	_, err = s.ByNumber(t.Context(), "AA", "")
	refused(t, err, errs.Invalid, "no number")
	_, err = s.ByNumber(t.Context(), "AA34", "tomorrow")
	refused(t, err, errs.Invalid, "no time")
}

func testAirports(t *testing.T, s flights.Service) {
	all := Airports()
	var got []flights.Airport
	q := flights.AirportQuery{Limit: 4}
	for range len(all) {
		page, err := s.Airports(t.Context(), q)
		if err != nil || len(page.Airports) > q.Limit {
			t.Fatalf("%d airports, %v", len(page.Airports), err)
		}
		got = append(got, page.Airports...)
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	if asJSON(t, got) != asJSON(t, all) {
		t.Errorf("airports %s; want %s", asJSON(t, got), asJSON(t, all))
	}
	page, err := s.Airports(t.Context(), flights.AirportQuery{Country: "US"})
	if err != nil || len(page.Airports) != 3 || page.NextCursor != "" {
		t.Errorf("%d airports in the US, %v; want 3", len(page.Airports), err)
	}
	for _, q := range []flights.AirportQuery{{Limit: -1}, {Limit: 201}, {Country: "us"}, {Country: "USA"}, {Cursor: "x"}} {
		_, err := s.Airports(t.Context(), q)
		refused(t, err, errs.Invalid, asJSON(t, q))
	}
}
