// Package reservationstest is the contract of package reservations as tests. It runs on
// every store and through HTTP. Every write is sent twice: the second must get the
// first's answer and change nothing.
package reservationstest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
	"banyan/modules/reservations/reservationslocal"
)

// Harness is a service under test.
type Harness struct {
	// Service must allow holds of one second (Options.MinTTL).
	Service reservations.Service
	// CatchUp makes the service apply all of flights' events that it has not seen.
	CatchUp func(ctx context.Context, flights reservationslocal.FlightEvents) error
}

// Run checks one service, newly made and empty, in all that the contract says.
func Run(t *testing.T, newService func(t *testing.T) Harness) {
	h := newService(t)
	w := &world{harness: h, log: &flightLog{}, prefix: fmt.Sprintf("Z%c", 'A'+time.Now().UnixNano()%26)}
	w.publish(t, "configuration.published", map[string]any{"configuration": roomy, "seats": roomySeats()})
	w.publish(t, "configuration.published", map[string]any{"configuration": small, "seats": smallSeats()})
	for _, part := range []struct {
		name  string
		tests []test
	}{
		{"holds", holdTests()},
		{"bookings", bookingTests()},
		{"rebooking", rebookTests()},
		{"seating", seatingTests()},
		{"input", inputTests()},
		{"feed", feedTests()},
		{"races", raceTests()},
	} {
		t.Run(part.name, func(t *testing.T) {
			for _, one := range part.tests {
				t.Run(one.name, func(t *testing.T) { one.run(t, w) })
			}
		})
	}
}

type test struct {
	name string
	run  func(t *testing.T, w *world)
}

// Two configurations: roomy has rows 1 to 20 without 13, small only rows 1 to 5.
const (
	roomy = "TEST-114.1"
	small = "TEST-30.1"
)

func roomySeats() (list []string) {
	for row := 1; row <= 20; row++ {
		for _, column := range "ABCDEF" {
			if row != 13 {
				list = append(list, fmt.Sprintf("%d%c", row, column))
			}
		}
	}
	return list
}

func smallSeats() []string { return roomySeats()[:30] }

// world is a service with flights; each test makes flights of its own.
type world struct {
	harness Harness
	log     *flightLog
	prefix  string
	mu      sync.Mutex
	made    int
}

// twice is the service with every write sent twice.
func (w *world) twice(t *testing.T) twice { return twice{Service: w.harness.Service, t: t} }

// flightLog is flights' events as they would come from there.
type flightLog struct {
	mu   sync.Mutex
	list []reservationslocal.FlightEvent
}

// Events implements reservationslocal.FlightEvents.
func (l *flightLog) Events(_ context.Context, since int64, limit int) ([]reservationslocal.FlightEvent, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := l.list[since:]
	return append([]reservationslocal.FlightEvent(nil), rest[:min(limit, len(rest))]...), nil
}

func (l *flightLog) add(kind string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	seq := int64(len(l.list) + 1)
	l.list = append(l.list, reservationslocal.FlightEvent{
		Seq: seq, ID: fmt.Sprint("e", seq), Type: kind, Time: "2026-11-21T00:00:00Z", Data: body,
	})
	return nil
}

func (w *world) publish(t *testing.T, kind string, data any) {
	t.Helper()
	if err := w.log.add(kind, data); err != nil {
		t.Fatal(err)
	}
	if err := w.harness.CatchUp(t.Context(), w.log); err != nil {
		t.Fatalf("catch up with %s: %v", kind, err)
	}
}

// fact is a flight as flights publishes it.
type fact struct {
	FlightID      string `json:"flight_id"`
	Designator    string `json:"designator"`
	Date          string `json:"date"`
	Configuration string `json:"configuration"`
	Status        string `json:"status"`
}

func (w *world) newFact() fact {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	number := fmt.Sprintf("%s%d", w.prefix, w.made)
	return fact{number + "-JFK-20261121", number, "2026-11-21", roomy, "SCHEDULED"}
}

// flight schedules a new flight with the roomy configuration.
func (w *world) flight(t *testing.T) fact {
	t.Helper()
	return w.flights(t, 1)[0]
}

func (w *world) flights(t *testing.T, n int) []fact {
	t.Helper()
	list := make([]fact, n)
	for i := range list {
		list[i] = w.newFact()
	}
	w.publish(t, "flight.scheduled", map[string]any{"flights": list})
	return list
}

// now publishes what became of a flight.
func (w *world) now(t *testing.T, kind string, f fact) {
	t.Helper()
	w.publish(t, kind, map[string]any{"flights": []fact{f}})
}

// key makes an idempotency key that no other request has.
func key() string { return rand.Text() }

// want checks an error's code, "" for none.
func want(t *testing.T, what string, err error, code errs.Code) {
	t.Helper()
	if errs.CodeOf(err) != code {
		t.Fatalf("%s: got error %v, want code %q", what, err, code)
	}
}

// wantField checks that a detail of an error names exactly these seats.
func wantField(t *testing.T, err error, field string, seats ...string) {
	t.Helper()
	e, ok := err.(*errs.Error) //nolint:errorlint // contract: the service's error itself
	if !ok {
		t.Fatalf("%v is not one of our errors", err)
	}
	if got, wanted := asJSON(t, e.Fields[field]), asJSON(t, seats); got != wanted {
		t.Fatalf("%v: %s is %s, want %s", err, field, got, wanted)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// states checks the seats of a flight that are not free.
func (w *world) states(t *testing.T, f fact, wanted map[string]reservations.SeatState) reservations.SeatStates {
	t.Helper()
	got, err := w.harness.Service.Seats(t.Context(), f.FlightID)
	want(t, "seats", err, "")
	if wanted == nil {
		wanted = map[string]reservations.SeatState{}
	}
	if a, b := asJSON(t, got.Seats), asJSON(t, wanted); a != b {
		t.Fatalf("seats of %s are %s, want %s", f.FlightID, a, b)
	}
	return got
}

func all(state reservations.SeatState, seats ...string) map[string]reservations.SeatState {
	m := map[string]reservations.SeatState{}
	for _, s := range seats {
		m[s] = state
	}
	return m
}

// hold asks for seats with a key of its own.
func hold(f fact, customer string, seats ...string) reservations.HoldRequest {
	return reservations.HoldRequest{FlightID: f.FlightID, CustomerID: customer, Seats: seats, Key: key()}
}

// on acts on a hold with a key of its own.
func on(h reservations.Hold) reservations.HoldAction {
	return reservations.HoldAction{HoldID: h.HoldID, Token: h.Token, Key: key()}
}
