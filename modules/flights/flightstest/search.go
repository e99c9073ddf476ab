package flightstest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
)

// fleet schedules flights with many equal times, prices and durations.
func fleet(t *testing.T, s flights.Service, r *rand.Rand, n int) []flights.Flight {
	t.Helper()
	codes := []string{"JFK", "ATL", "FRA", "LHR"}
	var list []flights.Flight
	for i := range n {
		from := r.IntN(len(codes))
		date := fmt.Sprintf("2026-11-%02d", 20+r.IntN(3))
		f := flights.NewFlight{
			Designator: []string{"AA", "BA", "4U"}[r.IntN(3)] + strconv.Itoa(i+1), Origin: codes[from],
			Destination: codes[(from+1+r.IntN(len(codes)-1))%len(codes)], Stops: r.IntN(2), Aircraft: []string{"A320", "B789"}[r.IntN(2)],
			Departure: date + fmt.Sprintf("T%02d:00", r.IntN(3)*6), Arrival: date + fmt.Sprintf("T%02d:00", 21+r.IntN(3)),
			Fares: map[flights.Cabin]flights.Money{},
		}
		currency := []string{"EUR", "USD"}[r.IntN(2)]
		f.Fares[flights.Economy] = flights.Money{Amount: fmt.Sprintf("%d.00", 1+r.IntN(5)), Currency: currency}
		if f.Aircraft == "B789" && r.IntN(2) == 0 {
			f.Fares[flights.Business] = flights.Money{Amount: fmt.Sprintf("%d.50", 1+r.IntN(12)), Currency: currency}
		}
		got, err := s.Schedule(t.Context(), f)
		if err != nil {
			t.Fatalf("Schedule(%+v): %v", f, err)
		}
		list = append(list, got)
	}
	return list
}

// testSearch compares random searches, paged to their end, with a plain scan.
func testSearch(t *testing.T, s flights.Service) {
	const seed, flightCount, searches = 11, 90, 150
	r := rand.New(rand.NewPCG(seed, seed))
	all := fleet(t, s, r, flightCount)
	met := 0
	for range searches {
		c := RandomCriteria(r, "NRT")
		want := scan(all, c)
		if got := pages(t, s, c); !slices.Equal(got, want) {
			t.Fatalf("%s\n got %d %v\nwant %d %v", asJSON(t, c), len(got), got, len(want), want)
		}
		met += min(len(want), 1)
	}
	if met < searches/3 {
		t.Errorf("only %d of %d searches met any flight; the test says little", met, searches)
	}
}

// RandomCriteria asks for what the random flights of tests are, now and then; from is one
// more origin.
func RandomCriteria(r *rand.Rand, from string) flights.Criteria {
	sometimes := func(n int) bool { return r.IntN(n) == 0 }
	c := flights.Criteria{
		Sort: []flights.Sort{"", flights.ByDeparture, flights.ByPrice, flights.ByDuration}[r.IntN(4)], Limit: 1 + r.IntN(40), Nonstop: sometimes(4),
	}
	if sometimes(2) {
		c.Origin = []string{"JFK", "ATL", "FRA", "LHR", from}[r.IntN(5)]
	}
	if sometimes(4) {
		c.Destination = []string{"JFK", "ATL", "FRA", "LHR"}[r.IntN(4)]
	}
	if sometimes(2) {
		c.DepartureDate = fmt.Sprintf("2026-11-%02d", 20+r.IntN(3))
	}
	if sometimes(3) {
		c.Carriers = [][]string{{"AA"}, {"4U", "AA"}, {"BA", "BA", "ZZ"}}[r.IntN(3)]
	}
	if sometimes(3) {
		c.Cabin = []flights.Cabin{flights.Economy, flights.Business, flights.First}[r.IntN(3)]
	}
	if sometimes(3) {
		c.Passengers = 1 + r.IntN(9)
	}
	if sometimes(3) {
		c.Currency, c.MaxPrice = "EUR", []string{"", "3.00", "4", "0.99"}[r.IntN(4)]
	}
	return c
}

func pages(t *testing.T, s flights.Service, c flights.Criteria) []string {
	t.Helper()
	ids := []string{}
	for {
		page, err := s.Search(t.Context(), c)
		if err != nil || len(page.Flights) > c.Limit {
			t.Fatalf("Search(%s): %d flights, %v", asJSON(t, c), len(page.Flights), err)
		}
		for _, f := range page.Flights {
			ids = append(ids, f.FlightID)
		}
		if c.Cursor = page.NextCursor; c.Cursor == "" {
			return ids
		}
		if len(page.Flights) < c.Limit {
			t.Fatalf("Search(%s): a page of %d has a next one", asJSON(t, c), len(page.Flights))
		}
	}
}

// cents reads an amount with two decimals; 0 when there is none.
func cents(amount string) int {
	n, _ := strconv.Atoi(strings.Replace(amount, ".", "", 1))
	return n
}

// priceOf is what a search compares: the cabin's fare, or the lowest; 0 is not sold.
func priceOf(f *flights.Flight, cabin flights.Cabin) int {
	low := 0
	for name, fare := range f.Fares {
		if n := cents(fare.Amount); (cabin == "" || name == cabin) && (low == 0 || n < low) {
			low = n
		}
	}
	return low
}

func currencyOf(f *flights.Flight) string {
	for _, fare := range f.Fares {
		return fare.Currency
	}
	return ""
}

// scan is what Search must do, said in Go. Every aircraft here has nine seats and more
// in the cabins that are sold.
func scan(all []flights.Flight, c flights.Criteria) []string {
	most := map[string]int{"3.00": 300, "4": 400, "0.99": 99}[c.MaxPrice]
	var kept []flights.Flight
	for _, f := range all {
		price := priceOf(&f, c.Cabin)
		if (c.Origin == "" || f.Origin == c.Origin) && (c.Destination == "" || f.Destination == c.Destination) &&
			(c.DepartureDate == "" || strings.HasPrefix(f.Departure.Local, c.DepartureDate)) &&
			(c.Carriers == nil || slices.Contains(c.Carriers, f.Carrier)) && price > 0 &&
			(c.Currency == "" || currencyOf(&f) == c.Currency) && (most == 0 || price <= most) && (!c.Nonstop || f.Stops == 0) {
			kept = append(kept, f)
		}
	}
	slices.SortFunc(kept, func(a, b flights.Flight) int {
		last := cmp.Or(cmp.Compare(a.Departure.UTC, b.Departure.UTC), cmp.Compare(a.FlightID, b.FlightID))
		switch c.Sort {
		case flights.ByPrice:
			return cmp.Or(cmp.Compare(currencyOf(&a), currencyOf(&b)), cmp.Compare(priceOf(&a, c.Cabin), priceOf(&b, c.Cabin)), last)
		case flights.ByDuration:
			return cmp.Or(cmp.Compare(a.Minutes, b.Minutes), last)
		case flights.ByDeparture:
		}
		return last
	})
	ids := []string{}
	for _, f := range kept {
		ids = append(ids, f.FlightID)
	}
	return ids
}

func testSearchRefuses(t *testing.T, s flights.Service) {
	for _, c := range []flights.Criteria{
		{Origin: "jfk"},
		{Origin: "JFKX"},
		{Origin: "J\x00K"},
		{Destination: "ЈFK"},
		{DepartureDate: "21.11.2026"},
		{DepartureDate: "2026-11-31"},
		{DepartureDate: "2026-11-21T09:00"},
		{Passengers: -1},
		{Passengers: 10},
		{Passengers: 1 << 40},
		{Cabin: "economy"},
		{Cabin: "ROOF"},
		{Carriers: []string{"AAL"}},
		{Carriers: []string{"aa"}},
		{Carriers: []string{"11"}},
		{Carriers: slices.Repeat([]string{"AA"}, flights.MaxCarriers+1)},
		{MaxPrice: "100.00"},
		{MaxPrice: "1.5", Currency: "EUR"},
		{MaxPrice: "-1.00", Currency: "EUR"},
		{MaxPrice: "1e3", Currency: "EUR"},
		{MaxPrice: "0", Currency: "EUR"},
		{MaxPrice: "10.00", Currency: "JPY"},
		{Currency: "eur"},
		{Currency: "ZZZ"},
		{Sort: "colour"},
		{Limit: -1},
		{Limit: 201},
		{Cursor: "!"},
		{Cursor: "bm90IGEgY3Vyc29y"},
		{Cursor: strings.Repeat("A", 4000)},
	} {
		_, err := s.Search(t.Context(), c)
		refused(t, err, errs.Invalid, asJSON(t, c))
	}
}

func testCursors(t *testing.T, s flights.Service) {
	fleet(t, s, rand.New(rand.NewPCG(3, 3)), 12)
	criteria := flights.Criteria{Currency: "EUR", Limit: 2}
	first, err := s.Search(t.Context(), criteria)
	if err != nil || first.NextCursor == "" {
		t.Fatalf("first page: cursor %q, %v", first.NextCursor, err)
	}
	other := criteria
	other.Limit, other.Cursor = 3, first.NextCursor
	if _, err := s.Search(t.Context(), other); err != nil {
		t.Errorf("a page of another size: %v", err)
	}
	for name, c := range map[string]flights.Criteria{
		"other currency": {Currency: "USD"}, "other order": {Currency: "EUR", Sort: flights.ByPrice},
		"more criteria": {Currency: "EUR", Nonstop: true}, "none": {}, "cut": {Currency: "EUR"},
	} {
		c.Limit, c.Cursor = 2, first.NextCursor
		if name == "cut" {
			c.Cursor = first.NextCursor[:len(first.NextCursor)-4]
		}
		_, err := s.Search(t.Context(), c)
		refused(t, err, errs.Invalid, name)
	}
}
