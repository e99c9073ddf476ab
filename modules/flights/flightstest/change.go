package flightstest

import (
	"encoding/json"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
)

// ref makes a patch's value.
func ref[T any](v T) *T { return &v }

// lastFact gives the type and the one flight of the newest event.
func lastFact(t *testing.T, s flights.Service) (string, flights.FlightFact) {
	t.Helper()
	events := allEvents(t, s)
	last := events[len(events)-1]
	var facts flights.FlightFacts
	if err := json.Unmarshal(last.Data, &facts); err != nil || len(facts.Flights) != 1 {
		t.Fatalf("event %s: %v", last.Data, err)
	}
	return last.Type, facts.Flights[0]
}

func testChangeTimes(t *testing.T, s flights.Service) {
	f := schedule(t, s, newFlight())
	got := change(t, s, f, flights.Patch{Departure: ref("2026-11-22T00:10"), Arrival: ref("2026-11-22T02:40")})
	if got.FlightID != f.FlightID || got.Departure.UTC != "2026-11-22T05:10:00Z" || got.Minutes != 150 {
		t.Errorf("after the change %s", asJSON(t, got))
	}
	kind, fact := lastFact(t, s)
	if kind != flights.FlightChanged || fact.Date != "2026-11-22" || fact.FlightID != f.FlightID {
		t.Errorf("event %s %+v", kind, fact)
	}
	found, err := s.Search(t.Context(), flights.Criteria{Origin: "JFK", DepartureDate: "2026-11-22"})
	if err != nil || len(found.Flights) != 1 {
		t.Errorf("the new date has %d flights, %v", len(found.Flights), err)
	}
	next := newFlight()
	next.Departure, next.Arrival = "2026-11-22T09:00", "2026-11-22T11:30"
	_, err = s.Schedule(t.Context(), next)
	refused(t, err, errs.Conflict, "a second AA34 from JFK on that date")
	next.Departure, next.Arrival = "2026-11-23T09:00", "2026-11-23T11:30"
	third := schedule(t, s, next)
	_, err = s.Change(t.Context(), third.FlightID, 1, flights.Patch{Departure: ref("2026-11-22T09:00"), Arrival: ref("2026-11-22T11:30")})
	refused(t, err, errs.Conflict, "a change to that date")
}

func testChangeEquipment(t *testing.T, s flights.Service) {
	f := schedule(t, s, newFlight())
	got := change(t, s, f, flights.Patch{Aircraft: ref("B789")})
	if got.Aircraft != "B789" || got.Configuration == f.Configuration || got.Fares[flights.Economy] != f.Fares[flights.Economy] {
		t.Errorf("after the change %s", asJSON(t, got))
	}
	events := allEvents(t, s)
	before, last := events[len(events)-2], events[len(events)-1]
	var published flights.PublishedConfiguration
	if err := json.Unmarshal(before.Data, &published); err != nil {
		t.Fatal(err)
	}
	if before.Type != flights.ConfigurationPublished || published.Configuration != got.Configuration || len(published.Seats) != got.Seats {
		t.Errorf("%s of %s with %d seats comes before the change to %s", before.Type, published.Configuration, len(published.Seats), got.Configuration)
	}
	if _, fact := lastFact(t, s); last.Type != flights.EquipmentChanged || fact.Configuration != got.Configuration {
		t.Errorf("event %s %+v", last.Type, fact)
	}
	seatMap(t, s, got)
	back := change(t, s, got, flights.Patch{Aircraft: ref("A320")})
	if back.Configuration != f.Configuration {
		t.Errorf("back to %s; want %s again", back.Configuration, f.Configuration)
	}
	if n := len(allEvents(t, s)); n != len(events)+1 {
		t.Errorf("%d more events; want one: the configuration was published before", n-len(events))
	}
}

func testCancel(t *testing.T, s flights.Service) {
	f := schedule(t, s, newFlight())
	got := change(t, s, f, flights.Patch{Status: ref(flights.Cancelled)})
	if kind, fact := lastFact(t, s); got.Status != flights.Cancelled || kind != flights.FlightCancelled || fact.Status != flights.Cancelled {
		t.Errorf("cancelled: %s, event %s %+v", got.Status, kind, fact)
	}
	for passengers, want := range []int{1, 0} {
		page, err := s.Search(t.Context(), flights.Criteria{Passengers: passengers})
		if err != nil || len(page.Flights) != want {
			t.Errorf("%d passengers find %d flights, %v; want %d", passengers, len(page.Flights), err, want)
		}
	}
	again, err := s.Change(t.Context(), f.FlightID, got.Version, flights.Patch{Status: ref(flights.Cancelled)})
	if err != nil {
		t.Fatal(err)
	}
	same(t, again, got) // nothing differs: no new version, no event
	if n := len(allEvents(t, s)); n != 3 {
		t.Errorf("%d events; want configuration, scheduled and cancelled", n)
	}
	back := change(t, s, got, flights.Patch{Status: ref(flights.Scheduled)})
	if kind, _ := lastFact(t, s); back.Status != flights.Scheduled || kind != flights.FlightChanged {
		t.Errorf("flown after all: %s, event %s", back.Status, kind)
	}
}

func testChangeRefuses(t *testing.T, s flights.Service) {
	f := schedule(t, s, newFlight())
	for name, p := range map[string]flights.Patch{
		"bad time":            {Departure: ref("9 o'clock")},
		"arrival first":       {Arrival: ref("2026-11-21T08:00")},
		"departure behind":    {Departure: ref("2026-11-21T12:00")},
		"unknown aircraft":    {Aircraft: ref("B999")},
		"negative seats":      {Seats: ref(-5)},
		"unknown status":      {Status: ref(flights.Status("DELAYED"))},
		"lower case status":   {Status: ref(flights.Status("cancelled"))},
		"no fares":            {Fares: map[flights.Cabin]flights.Money{}},
		"fare without cents":  {Fares: map[flights.Cabin]flights.Money{flights.Economy: {Amount: "1", Currency: "USD"}}},
		"two currencies":      {Aircraft: ref("B789"), Fares: map[flights.Cabin]flights.Money{flights.Economy: {Amount: "1.00", Currency: "USD"}, flights.Business: {Amount: "1.00", Currency: "EUR"}}},
		"empty given map":     {SeatMap: &flights.SeatMap{}},
		"one right one wrong": {Arrival: ref("2026-11-21T11:31"), Aircraft: ref("B999")},
	} {
		_, err := s.Change(t.Context(), f.FlightID, f.Version, p)
		refused(t, err, errs.Invalid, name)
	}
	_, err := s.Change(t.Context(), f.FlightID, f.Version+1, flights.Patch{Arrival: ref("2026-11-21T11:31")})
	refused(t, err, errs.PreconditionFailed, "a version to come")
	for _, id := range []string{"AA35-JFK-20261121", "aa34-JFK-20261121", "nothing", "AA34-JFK-20261121%00"} {
		_, err = s.Change(t.Context(), id, 1, flights.Patch{Arrival: ref("2026-11-21T11:31")})
		refused(t, err, errs.FlightUnknown, id)
	}
	stored, err := s.Flight(t.Context(), f.FlightID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, stored, f)
	if n := len(allEvents(t, s)); n != 2 {
		t.Errorf("%d events; want 2", n)
	}
}
