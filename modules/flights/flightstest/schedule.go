package flightstest

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func testSchedule(t *testing.T, s flights.Service) {
	f := newFlight()
	f.Designator = "aa 0034"
	got := schedule(t, s, f)
	want := flights.Flight{
		FlightID: "AA34-JFK-20261121", Designator: "AA34", Carrier: "AA", Origin: "JFK", Destination: "ATL",
		Departure: flights.Moment{Local: "2026-11-21T09:00", TZ: "America/New_York", UTC: "2026-11-21T14:00:00Z"},
		Arrival:   flights.Moment{Local: "2026-11-21T11:30", TZ: "America/New_York", UTC: "2026-11-21T16:30:00Z"},
		Minutes:   150, Aircraft: "A320", Configuration: got.Configuration, Seats: got.Seats,
		Fares: f.Fares, Status: flights.Scheduled, Version: 1,
	}
	same(t, got, want)
	if !strings.HasPrefix(got.Configuration, "A320-") || got.Seats < 1 {
		t.Errorf("configuration %q with %d seats", got.Configuration, got.Seats)
	}
	stored, err := s.Flight(t.Context(), got.FlightID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, stored, want)
	events := allEvents(t, s)
	if len(events) != 2 || events[0].Type != flights.ConfigurationPublished || events[1].Type != flights.FlightsScheduled {
		t.Fatalf("events %s", asJSON(t, events))
	}
	var facts flights.FlightFacts
	if err := json.Unmarshal(events[1].Data, &facts); err != nil || len(facts.Flights) != 1 {
		t.Fatalf("event %s: %v", events[1].Data, err)
	}
	fact := flights.FlightFact{
		FlightID: got.FlightID, Designator: "AA34", Date: "2026-11-21", Configuration: got.Configuration, Status: flights.Scheduled,
	}
	if facts.Flights[0] != fact {
		t.Errorf("event of %+v; want %+v", facts.Flights[0], fact)
	}
}

func testScheduleTwice(t *testing.T, s flights.Service) {
	f := newFlight()
	f.Key = "key-1"
	first := schedule(t, s, f)
	otherKey := f
	otherKey.Key = "key-2"
	again, err := s.Schedule(t.Context(), otherKey)
	if err != nil || !again.Replayed {
		t.Fatalf("the same facts under another key: replayed %v, %v", again.Replayed, err)
	}
	same(t, again, first)
	reused := f
	reused.Departure = "2026-11-22T09:00"
	reused.Arrival = "2026-11-22T11:30"
	_, err = s.Schedule(t.Context(), reused)
	refused(t, err, errs.KeyReused, "the key with another flight")
	differs := f
	differs.Key, differs.Departure = "", "2026-11-21T09:05"
	_, err = s.Schedule(t.Context(), differs)
	refused(t, err, errs.Conflict, "the flight with another time")
	noon := "2026-11-21T12:00"
	changed := change(t, s, first, flights.Patch{Arrival: &noon})
	again, err = s.Schedule(t.Context(), f)
	if err != nil || !again.Replayed {
		t.Fatalf("the key after a change: replayed %v, %v", again.Replayed, err)
	}
	same(t, again, first) // the stored answer, not the flight as it now stands
	stored, err := s.Flight(t.Context(), first.FlightID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, stored, changed)
	if n := len(allEvents(t, s)); n != 3 {
		t.Errorf("%d events; want configuration, scheduled and changed", n)
	}
}

func testScheduleRefuses(t *testing.T, s flights.Service) {
	usd := func(amount string) map[flights.Cabin]flights.Money {
		return map[flights.Cabin]flights.Money{flights.Economy: {Amount: amount, Currency: "USD"}}
	}
	for name, spoil := range map[string]func(*flights.NewFlight){
		"no designator":        func(f *flights.NewFlight) { f.Designator = "" },
		"long number":          func(f *flights.NewFlight) { f.Designator = "AA00025" },
		"flight zero":          func(f *flights.NewFlight) { f.Designator = "AA0" },
		"look-alike":           func(f *flights.NewFlight) { f.Designator = "АА34" }, // Cyrillic
		"two spaces":           func(f *flights.NewFlight) { f.Designator = "AA  34" },
		"designator NUL":       func(f *flights.NewFlight) { f.Designator = "AA34\x00" },
		"unknown airport":      func(f *flights.NewFlight) { f.Origin = "XXX" },
		"lower case airport":   func(f *flights.NewFlight) { f.Origin = "jfk" },
		"no destination":       func(f *flights.NewFlight) { f.Destination = "" },
		"round trip":           func(f *flights.NewFlight) { f.Destination = "JFK" },
		"no departure":         func(f *flights.NewFlight) { f.Departure = "" },
		"seconds":              func(f *flights.NewFlight) { f.Departure = "2026-11-21T09:00:00" },
		"zone in local time":   func(f *flights.NewFlight) { f.Departure = "2026-11-21T09:00Z" },
		"30 February":          func(f *flights.NewFlight) { f.Departure = "2026-02-30T09:00" },
		"year 9999":            func(f *flights.NewFlight) { f.Departure = "9999-11-21T09:00" },
		"arrival first":        func(f *flights.NewFlight) { f.Arrival = "2026-11-21T08:59" },
		"arrival days later":   func(f *flights.NewFlight) { f.Arrival = "2026-11-25T08:59" },
		"unknown aircraft":     func(f *flights.NewFlight) { f.Aircraft = "B999" },
		"no aircraft":          func(f *flights.NewFlight) { f.Aircraft = "" },
		"negative seats":       func(f *flights.NewFlight) { f.Seats = -1 },
		"huge seats":           func(f *flights.NewFlight) { f.Seats = 1 << 40 },
		"negative stops":       func(f *flights.NewFlight) { f.Stops = -1 },
		"no fares":             func(f *flights.NewFlight) { f.Fares = nil },
		"free":                 func(f *flights.NewFlight) { f.Fares = usd("0.00") },
		"negative fare":        func(f *flights.NewFlight) { f.Fares = usd("-1.00") },
		"one decimal":          func(f *flights.NewFlight) { f.Fares = usd("12.5") },
		"huge fare":            func(f *flights.NewFlight) { f.Fares = usd("99999999999999999999.00") },
		"unknown cabin":        func(f *flights.NewFlight) { f.Fares["STEERAGE"] = flights.Money{Amount: "1.00", Currency: "USD"} },
		"cabin not on board":   func(f *flights.NewFlight) { f.Fares[flights.First] = flights.Money{Amount: "1.00", Currency: "USD"} },
		"empty given seat map": func(f *flights.NewFlight) { f.SeatMap = &flights.SeatMap{} },
	} {
		f := newFlight()
		spoil(&f)
		for range 2 {
			_, err := s.Schedule(t.Context(), f)
			refused(t, err, errs.Invalid, name)
		}
	}
	page, err := s.Search(t.Context(), flights.Criteria{})
	if events := allEvents(t, s); err != nil || len(page.Flights) != 0 || len(events) != 0 {
		t.Errorf("refusals left %d flights and %d events, %v", len(page.Flights), len(events), err)
	}
}

func testOneWinner(t *testing.T, s flights.Service) {
	const callers = 8
	var wg sync.WaitGroup
	answers := make([]flights.Flight, callers)
	problems := make([]error, callers)
	for i := range callers {
		wg.Go(func() { answers[i], problems[i] = s.Schedule(t.Context(), newFlight()) })
	}
	wg.Wait()
	fresh := 0
	for i, f := range answers {
		if problems[i] != nil {
			t.Fatal(problems[i])
		}
		if !f.Replayed {
			fresh++
		}
		same(t, f, answers[0])
	}
	if events := allEvents(t, s); fresh != 1 || len(events) != 2 {
		t.Errorf("%d callers scheduled it, %d events; want 1 and 2", fresh, len(events))
	}
	dear := []string{"200.00", "300.00", "400.00", "500.00"}
	won := 0
	for i, price := range dear {
		wg.Go(func() {
			_, problems[i] = s.Change(t.Context(), answers[0].FlightID, 1, flights.Patch{
				Fares: map[flights.Cabin]flights.Money{flights.Economy: {Amount: price, Currency: "USD"}},
			})
		})
	}
	wg.Wait()
	for i := range dear {
		if problems[i] == nil {
			won++
		} else {
			refused(t, problems[i], errs.PreconditionFailed, "a change that lost")
		}
	}
	if won != 1 {
		t.Errorf("%d of %d changes of one version were accepted", won, len(dear))
	}
}

func testLocalTimes(t *testing.T, s flights.Service) {
	for i, c := range []struct {
		name, origin, destination, departure, arrival string
		departureUTC, arrivalUTC                      string
	}{
		{"before the change", "JFK", "ATL", "2026-03-07T09:00", "2026-03-07T11:30", "2026-03-07T14:00:00Z", "2026-03-07T16:30:00Z"},
		{"after it, still 09:00", "JFK", "ATL", "2026-03-08T09:00", "2026-03-08T11:30", "2026-03-08T13:00:00Z", "2026-03-08T15:30:00Z"},
		{"in the gap", "JFK", "LHR", "2026-03-08T02:30", "2026-03-08T13:00", "2026-03-08T07:30:00Z", "2026-03-08T13:00:00Z"},
		{"in the overlap", "JFK", "LHR", "2026-11-01T01:30", "2026-11-01T12:00", "2026-11-01T05:30:00Z", "2026-11-01T12:00:00Z"},
		{"after the overlap", "JFK", "LHR", "2026-11-01T02:00", "2026-11-01T13:00", "2026-11-01T07:00:00Z", "2026-11-01T13:00:00Z"},
		{"gap of half an hour", "LDH", "SYD", "2026-10-04T02:15", "2026-10-04T05:00", "2026-10-03T15:45:00Z", "2026-10-03T18:00:00Z"},
		{"arrival the day before", "AKL", "HNL", "2026-06-10T21:00", "2026-06-10T07:00", "2026-06-10T09:00:00Z", "2026-06-10T17:00:00Z"},
		{"arrival before departure", "NRT", "HNL", "2026-06-10T21:00", "2026-06-10T09:00", "2026-06-10T12:00:00Z", "2026-06-10T19:00:00Z"},
		{"arrival two days on", "HNL", "APW", "2026-06-10T23:00", "2026-06-12T04:00", "2026-06-11T09:00:00Z", "2026-06-11T15:00:00Z"},
		{"leap day", "FRA", "GRU", "2028-02-29T22:00", "2028-03-01T05:00", "2028-02-29T21:00:00Z", "2028-03-01T08:00:00Z"},
	} {
		f := newFlight()
		f.Designator = fmt.Sprintf("AA%d", i+1)
		f.Origin, f.Destination, f.Departure, f.Arrival = c.origin, c.destination, c.departure, c.arrival
		got := schedule(t, s, f)
		if got.Departure.Local != c.departure || got.Arrival.Local != c.arrival {
			t.Errorf("%s: local times became %s, %s", c.name, got.Departure.Local, got.Arrival.Local)
		}
		if got.Departure.UTC != c.departureUTC || got.Arrival.UTC != c.arrivalUTC {
			t.Errorf("%s: %s, %s; want %s, %s", c.name, got.Departure.UTC, got.Arrival.UTC, c.departureUTC, c.arrivalUTC)
		}
	}
}

func testDesignators(t *testing.T, s flights.Service) {
	for i, c := range [][2]string{{"AA0025", "AA25"}, {"4u 7", "4U7"}, {"Z91", "Z91"}, {"BA 9999a", "BA9999A"}, {"9E310", "9E310"}, {"9e0311", "9E311"}} {
		f := newFlight()
		f.Designator = c[0]
		if got := schedule(t, s, f); got.Designator != c[1] || got.FlightID != c[1]+"-JFK-20261121" || got.Carrier != c[1][:2] {
			t.Errorf("%d: %q became %s, %s", i, c[0], got.Designator, got.FlightID)
		}
		f.Designator = c[1]
		if again, err := s.Schedule(t.Context(), f); err != nil || !again.Replayed {
			t.Errorf("%s is not %q: %v", c[1], c[0], err)
		}
	}
}

func testMoney(t *testing.T, s flights.Service) {
	for i, m := range []flights.Money{{Amount: "12900", Currency: "JPY"}, {Amount: "39.950", Currency: "KWD"}, {Amount: "0.01", Currency: "EUR"}} {
		f := newFlight()
		f.Designator = "NH" + string(rune('1'+i))
		f.Fares = map[flights.Cabin]flights.Money{flights.Economy: m}
		if got := schedule(t, s, f); got.Fares[flights.Economy] != m {
			t.Errorf("%+v became %+v", m, got.Fares)
		}
	}
	for _, m := range []flights.Money{{Amount: "129.00", Currency: "JPY"}, {Amount: "39.95", Currency: "KWD"}, {Amount: "1", Currency: "EUR"}, {Amount: "1.00", Currency: "XYZ"}} {
		f := newFlight()
		f.Fares = map[flights.Cabin]flights.Money{flights.Economy: m}
		_, err := s.Schedule(t.Context(), f)
		refused(t, err, errs.Invalid, m.Amount+" "+m.Currency)
	}
}
