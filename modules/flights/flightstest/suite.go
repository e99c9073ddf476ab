// Package flightstest is the contract suite of the flights context: what flights.go
// promises, asked of any flights.Service, in this process or over HTTP, on any store.
// Every write is sent twice.
package flightstest

import (
	"context"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
)

// question is one of the suite's.
type question struct {
	name string
	test func(*testing.T, flights.Service)
}

// Run asks a service everything. newService gives a new one over an empty, migrated
// store that holds Airports.
func Run(t *testing.T, newService func(t *testing.T) flights.Service) {
	ask(t, append(catalogue(), feed()...), newService)
}

// RunCatalogue is Run without the questions that look at events, for a service that is put
// together from several sources of them.
func RunCatalogue(t *testing.T, newService func(t *testing.T) flights.Service) {
	ask(t, catalogue(), newService)
}

func ask(t *testing.T, questions []question, newService func(t *testing.T) flights.Service) {
	for _, q := range questions {
		t.Run(q.name, func(t *testing.T) { q.test(t, newService(t)) })
	}
}

func catalogue() []question {
	return []question{
		{"schedule refuses", testScheduleRefuses},
		{"local times", testLocalTimes},
		{"designators", testDesignators},
		{"money", testMoney},
		{"seat map", testSeatMap},
		{"given seat map", testGivenSeatMap},
		{"by number", testByNumber},
		{"airports", testAirports},
		{"search", testSearch},
		{"search refuses", testSearchRefuses},
		{"cursors", testCursors},
	}
}

func feed() []question {
	return []question{
		{"schedule", testSchedule},
		{"schedule twice", testScheduleTwice},
		{"one winner", testOneWinner},
		{"change times", testChangeTimes},
		{"change equipment", testChangeEquipment},
		{"cancel", testCancel},
		{"change refuses", testChangeRefuses},
		{"events in order", testEvents},
		{"events of others", testForeignEvents},
		{"events refused", testEventsRefused},
	}
}

// Airports are those that the suite's flights use; a service under test must know them
// and no others.
func Airports() []flights.Airport {
	return []flights.Airport{
		{Code: "AKL", Name: "Auckland", City: "Auckland", Country: "NZ", TZ: "Pacific/Auckland", Latitude: -37, Longitude: 174.8},
		{Code: "APW", Name: "Faleolo", City: "Apia", Country: "WS", TZ: "Pacific/Apia", Latitude: -13.8, Longitude: -172},
		{Code: "ATL", Name: "Hartsfield–Jackson", City: "Atlanta", Country: "US", TZ: "America/New_York", Latitude: 33.6, Longitude: -84.4},
		{Code: "FRA", Name: "Frankfurt am Main", City: "Frankfurt", Country: "DE", TZ: "Europe/Berlin", Latitude: 50, Longitude: 8.6},
		{Code: "GRU", Name: "Guarulhos", City: "São Paulo", Country: "BR", TZ: "America/Sao_Paulo", Latitude: -23.4, Longitude: -46.5},
		{Code: "HNL", Name: "Daniel K. Inouye", City: "Honolulu", Country: "US", TZ: "Pacific/Honolulu", Latitude: 21.3, Longitude: -157.9},
		{Code: "JFK", Name: "John F. Kennedy", City: "New York", Country: "US", TZ: "America/New_York", Latitude: 40.6, Longitude: -73.8},
		{Code: "LDH", Name: "Lord Howe Island", City: "Lord Howe Island", Country: "AU", TZ: "Australia/Lord_Howe", Latitude: -31.5, Longitude: 159.1},
		{Code: "LHR", Name: "Heathrow", City: "London", Country: "GB", TZ: "Europe/London", Latitude: 51.5, Longitude: -0.5},
		{Code: "NRT", Name: "Narita", City: "Tokyo", Country: "JP", TZ: "Asia/Tokyo", Latitude: 35.8, Longitude: 140.4},
		{Code: "SYD", Name: "Kingsford Smith", City: "Sydney", Country: "AU", TZ: "Australia/Sydney", Latitude: -33.9, Longitude: 151.2},
	}
}

// newFlight is a flight that is right; tests change what they are about.
func newFlight() flights.NewFlight {
	return flights.NewFlight{
		Designator: "AA34", Origin: "JFK", Destination: "ATL", Departure: "2026-11-21T09:00", Arrival: "2026-11-21T11:30",
		Aircraft: "A320", Fares: map[flights.Cabin]flights.Money{flights.Economy: {Amount: "129.90", Currency: "USD"}},
	}
}

// schedule sends a flight twice: the second answer is the first one's.
func schedule(t *testing.T, s flights.Service, f flights.NewFlight) flights.Flight {
	t.Helper()
	first, err := s.Schedule(t.Context(), f)
	if err != nil {
		t.Fatalf("Schedule(%+v): %v", f, err)
	}
	again, err := s.Schedule(t.Context(), f)
	if err != nil || !again.Replayed {
		t.Fatalf("Schedule again: replayed %v, %v", again.Replayed, err)
	}
	same(t, again, first)
	return first
}

// same compares flights as JSON tells them.
func same(t *testing.T, got, want flights.Flight) {
	t.Helper()
	if g, w := asJSON(t, got), asJSON(t, want); g != w {
		t.Fatalf("flights differ:\n got %s\nwant %s", g, w)
	}
}

// refused wants an error of the code.
func refused(t *testing.T, err error, code errs.Code, what string) {
	t.Helper()
	if errs.CodeOf(err) != code {
		t.Errorf("%s: %v; want %s", what, err, code)
	}
}

// change sends a patch twice: the second is refused, because the version has moved on.
func change(t *testing.T, s flights.Service, f flights.Flight, p flights.Patch) flights.Flight {
	t.Helper()
	got, err := s.Change(t.Context(), f.FlightID, f.Version, p)
	if err != nil {
		t.Fatalf("Change: %v", err)
	}
	if got.Version != f.Version+1 {
		t.Fatalf("Change: version %d after %d", got.Version, f.Version)
	}
	events := allEvents(t, s)
	_, err = s.Change(t.Context(), f.FlightID, f.Version, p)
	refused(t, err, errs.PreconditionFailed, "Change again")
	if n := len(allEvents(t, s)); n != len(events) {
		t.Fatalf("Change again published %d events", n-len(events))
	}
	stored, err := s.Flight(t.Context(), f.FlightID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, stored, got)
	return got
}

// allEvents follows the feed to its end, a few at a time, and checks its order.
func allEvents(t *testing.T, s flights.Service) []flights.Event {
	t.Helper()
	const few = 7
	var list []flights.Event
	var since int64
	for {
		page, err := s.Events(context.WithoutCancel(t.Context()), since, few)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			if e.Seq <= since {
				t.Fatalf("event %d comes after %d", e.Seq, since)
			}
			since = e.Seq
		}
		list = append(list, page...)
		if len(page) < few {
			return list
		}
	}
}
