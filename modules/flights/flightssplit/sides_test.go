package flightssplit_test

import (
	"context"
	"testing"
	"time"

	"banyan/modules/flights"
	"banyan/modules/flights/flightssplit"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
)

// scripted is a side whose parts are as a test wants them; its n-th answer is serves(n).
type scripted struct {
	flights.Side
	asked  int
	serves func(n int) handover.Buckets
	has    []flights.Place
}

func (s *scripted) SearchPart(context.Context, flights.Criteria) (flights.Part, error) {
	s.asked++
	p := flights.Part{Serves: s.serves(s.asked), Mark: "m"}
	for _, at := range s.has {
		if p.Serves.Has(bucket.Of(at.FlightID)) {
			p.Places, p.Flights = append(p.Places, at), append(p.Flights, flights.Flight{FlightID: at.FlightID})
		}
	}
	return p, nil
}

func (s *scripted) Flight(_ context.Context, id string) (flights.Flight, error) {
	s.asked++
	if serves := s.serves(s.asked); !serves.Has(bucket.Of(id)) {
		return flights.Flight{}, errs.E(errs.Misdirected, "not here")
	}
	return flights.Flight{FlightID: id}, nil
}

func without(b int) handover.Buckets {
	var s handover.Buckets
	for i := range bucket.Count {
		if i != b {
			s.Add(i)
		}
	}
	return s
}

func just(b int) (s handover.Buckets) {
	s.Add(b)
	return s
}

// A bucket that neither side serves, or both do, is asked for again, and not for ever.
func TestAskedAgain(t *testing.T) {
	const id = "AA1-JFK-20261121"
	b := bucket.Of(id)
	place := []flights.Place{{Departure: 1, FlightID: id}}
	fast := flightssplit.Options{Tries: 5, Pause: time.Microsecond, Longest: time.Microsecond}
	for _, c := range []struct {
		name       string
		home, away func(n int) handover.Buckets
		found      bool
	}{
		{"away has it", func(int) handover.Buckets { return without(b) }, func(int) handover.Buckets { return just(b) }, true},
		{"neither, and then away", func(int) handover.Buckets { return without(b) }, func(n int) handover.Buckets {
			if n < 3 {
				return handover.Buckets{}
			}
			return just(b)
		}, true},
		{"both, and then away", func(n int) handover.Buckets {
			if n < 3 {
				return without((b + 1) % bucket.Count)
			}
			return without(b)
		}, func(n int) handover.Buckets {
			s := just(b)
			if n < 2 {
				s.Add((b + 1) % bucket.Count)
			}
			return s
		}, true},
		{"neither for good", func(int) handover.Buckets { return without(b) }, func(int) handover.Buckets { return handover.Buckets{} }, false},
		{"both for good, and another missing", func(int) handover.Buckets { return without((b + 1) % bucket.Count) }, func(int) handover.Buckets { return just(b) }, false},
	} {
		home, away := &scripted{serves: c.home, has: place}, &scripted{serves: c.away, has: place}
		s := flightssplit.New(home, away, fast)
		page, err := s.Search(t.Context(), flights.Criteria{})
		switch {
		case c.found && (err != nil || len(page.Flights) != 1):
			t.Errorf("%s: %v, %v", c.name, page.Flights, err)
		case !c.found && errs.CodeOf(err) != errs.Unavailable:
			t.Errorf("%s: %v, %v; want %s", c.name, page.Flights, err, errs.Unavailable)
		case away.asked > fast.Tries:
			t.Errorf("%s: away was asked %d times", c.name, away.asked)
		}
	}
}

// Who serves a bucket is remembered, and by id, too, nobody is asked for ever.
func TestOwnersAreRemembered(t *testing.T) {
	const id = "AA1-JFK-20261121"
	b := bucket.Of(id)
	fast := flightssplit.Options{Tries: 5, Pause: time.Microsecond, Longest: time.Microsecond}
	home := &scripted{serves: func(int) handover.Buckets { return without(b) }}
	away := &scripted{serves: func(n int) handover.Buckets {
		if n < 3 {
			return handover.Buckets{}
		}
		return just(b)
	}}
	s := flightssplit.New(home, away, fast)
	for range 2 {
		if f, err := s.Flight(t.Context(), id); err != nil || f.FlightID != id {
			t.Errorf("by id: %v, %v", f, err)
		}
	}
	if home.asked != 3 || away.asked != 4 {
		t.Errorf("home was asked %d times, away %d: who has it is remembered", home.asked, away.asked)
	}
	away.serves = func(int) handover.Buckets { return handover.Buckets{} }
	if _, err := s.Flight(t.Context(), id); errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("by id, of neither: %v", err)
	}
}

// A part that makes no sense is refused.
func TestPartsMustMakeSense(t *testing.T) {
	all := func(int) handover.Buckets { return handover.AllBuckets() }
	for name, has := range map[string][]flights.Place{
		"twice":     {{Departure: 1, FlightID: "A"}, {Departure: 1, FlightID: "A"}},
		"backwards": {{Departure: 2, FlightID: "A"}, {Departure: 1, FlightID: "B"}},
	} {
		s := flightssplit.New(&scripted{serves: all, has: has}, &scripted{serves: all}, flightssplit.Options{})
		if _, err := s.Search(t.Context(), flights.Criteria{}); errs.CodeOf(err) != errs.BadGateway {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each side comes to know what the other made, and an agent's flight goes where it belongs.
func TestAgentsOverASplit(t *testing.T) {
	p := newPair(t, kinds()["SQLiteAndSQLite"])
	f := flights.NewFlight{
		Designator: "AA34", Origin: "JFK", Destination: "ATL", Departure: "2026-11-21T09:00", Arrival: "2026-11-21T11:30",
		Aircraft: "A320", Fares: map[flights.Cabin]flights.Money{flights.Economy: {Amount: "129.90", Currency: "USD"}}, Key: "k",
	}
	b := bucket.Of("AA34-JFK-20261121")
	if err := p.move(t.Context(), p.home, p.away, []int{b}); err != nil {
		t.Fatal(err)
	}
	made, err := p.split.Schedule(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.home.Flight(t.Context(), made.FlightID); errs.CodeOf(err) != errs.Misdirected {
		t.Errorf("home has it: %v", err)
	}
	if err := p.move(t.Context(), p.away, p.home, []int{b}); err != nil {
		t.Fatal(err)
	}
	back, err := p.home.Flight(t.Context(), made.FlightID)
	if err != nil || asJSON(t, back) != asJSON(t, made) || back.Seats == 0 {
		t.Errorf("back home: %+v, %v", back, err)
	}
	m, err := p.home.SeatMap(t.Context(), made.FlightID)
	want, wrong := p.away.Reference(t.Context(), 0, "configurations:")
	if err != nil || wrong != nil || len(want.Configurations) != 1 || string(m.JSON) != asJSON(t, want.Configurations[0].Map) {
		t.Errorf("the seat map at home differs: %v, %v", err, wrong)
	}
	again, err := p.split.Schedule(t.Context(), f)
	if err != nil || !again.Replayed {
		t.Errorf("the key after two moves: %v, %v", again.Replayed, err)
	}
	status := flights.Cancelled
	if got, err := p.split.Change(t.Context(), made.FlightID, made.Version, flights.Patch{Status: &status}); err != nil || got.Status != status {
		t.Errorf("change: %v, %v", got.Status, err)
	}
}
