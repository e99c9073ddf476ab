package rules_test

import (
	"slices"
	"testing"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/rules"
	"banyan/modules/reservations/internal/store"
)

const (
	minute   = int64(60_000_000)
	created  = 1000 * minute
	flightID = "AA34-JFK-20261121"
)

func seats() rules.Geometry { return rules.Geometry{"1A", "1B", "2A"} }

func policy() rules.Policy { return rules.Policy{MinTTL: time.Minute, HeldPerFlight: 2} }

// held is a flight on which 1A and 1B are held for ten minutes.
func held(now int64) store.State {
	h := store.Hold{
		HoldID: "h1", FlightID: flightID, CustomerID: "ann", Token: "secret", Seats: []string{"1A", "1B"},
		Status: string(reservations.HoldActive), CreatedAt: created, ExpiresAt: created + 10*minute,
	}
	record := store.Seat{Kind: store.Held, Ref: "h1", CustomerID: "ann", ExpiresAt: h.ExpiresAt}
	return store.State{
		Now: now, Hold: &h, Flight: &store.Flight{FlightID: flightID, Configuration: "A", Open: true, Version: 1},
		Seats: map[string]store.Seat{"1A": record, "1B": record},
	}
}

func action() rules.ActionInput {
	return rules.ActionInput{
		Step: rules.Step{Key: "k", Fingerprint: "f"}, HoldID: "h1", Token: "secret", ReservationID: "r1", TTL: 10 * time.Minute,
	}
}

// TestExpiry walks over the instant of expiry: the microsecond decides, and always for
// exactly one of confirm and a rival's claim.
func TestExpiry(t *testing.T) {
	for _, c := range []struct {
		now     int64
		expired bool
	}{
		{created + 10*minute - 1, false}, {created + 10*minute, true}, {created + 10*minute + 1, true},
	} {
		_, change, err := rules.Confirm(held(c.now), seats(), action())
		if got := errs.CodeOf(err) == errs.HoldExpired; got != c.expired || change.Empty() != c.expired {
			t.Errorf("at %d: confirm gives %v and writes %+v", c.now, err, change)
		}
		_, _, err = rules.Extend(held(c.now), seats(), action())
		if got := errs.CodeOf(err) == errs.HoldExpired; got != c.expired {
			t.Errorf("at %d: extend gives %v", c.now, err)
		}
		st := held(c.now)
		st.Hold = nil
		_, _, err = policy().Hold(st, seats(), rules.HoldInput{FlightID: flightID, CustomerID: "bob", Seats: []string{"1A"}, TTL: time.Minute})
		if got := errs.CodeOf(err) == errs.SeatTaken; got == c.expired {
			t.Errorf("at %d: a rival's hold gives %v", c.now, err)
		}
		if v := rules.HoldView(*held(c.now).Hold, c.now); (v.Status == reservations.HoldExpired) != c.expired {
			t.Errorf("at %d: the hold reads %s", c.now, v.Status)
		}
		if shown := len(rules.SeatStates(held(c.now)).Seats); (shown == 0) != c.expired {
			t.Errorf("at %d: %d seats are shown", c.now, shown)
		}
	}
}

// A clock that went back must not give a seat back that another one has by now.
func TestConfirmAfterTheClockWentBack(t *testing.T) {
	for name, s := range map[string]store.Seat{
		"held by another":     {Kind: store.Held, Ref: "h2", ExpiresAt: created + 20*minute},
		"reserved by another": {Kind: store.Reserved, Ref: "r2"},
		"blocked":             {Kind: store.Blocked, Ref: "h1"},
	} {
		st := held(created + minute)
		st.Seats["1B"] = s
		if _, c, err := rules.Confirm(st, seats(), action()); errs.CodeOf(err) != errs.HoldExpired || !c.Empty() {
			t.Errorf("%s: %v, writes %+v", name, err, c)
		}
		if _, c, err := rules.Release(st, action()); err != nil || len(c.Free) != 1 || c.Free[0] != "1A" {
			t.Errorf("%s: release frees %v (%v)", name, c.Free, err)
		}
	}
	st := held(created + minute)
	delete(st.Seats, "1B")
	if _, _, err := rules.Confirm(st, seats(), action()); errs.CodeOf(err) != errs.HoldExpired {
		t.Errorf("a seat that was swept: %v", err)
	}
}

func TestExtendEndsAtThirtyMinutes(t *testing.T) {
	st := held(created + 9*minute)
	in := action()
	in.TTL = 20 * time.Minute
	out, c, err := rules.Extend(st, seats(), in)
	if err != nil || c.Hold.ExpiresAt != created+29*minute || !slices.Equal(c.Put, c.Hold.Seats) || c.As.ExpiresAt != c.Hold.ExpiresAt || out.Extensions != 1 {
		t.Fatalf("%+v, %+v, %v", out, c, err)
	}
	st.Hold, st.Seats, st.Now = c.Hold, map[string]store.Seat{"1A": c.As, "1B": c.As}, created+28*minute
	_, c, err = rules.Extend(st, seats(), in)
	if err != nil || c.Hold.ExpiresAt != created+30*minute {
		t.Fatalf("%+v, %v", c.Hold, err)
	}
	st.Hold, st.Seats, st.Now = c.Hold, map[string]store.Seat{"1A": c.As, "1B": c.As}, created+29*minute
	if _, _, err = rules.Extend(st, seats(), in); errs.CodeOf(err) != errs.ExtensionsExhausted {
		t.Errorf("past the longest life: %v", err)
	}
}

func TestCapCountsWhatIsHeld(t *testing.T) {
	st := store.State{Now: created, Flight: &store.Flight{FlightID: flightID, Open: true}, HeldSeats: 1}
	in := rules.HoldInput{FlightID: flightID, CustomerID: "ann", Seats: []string{"1A"}, TTL: time.Minute}
	if _, _, err := policy().Hold(st, seats(), in); err != nil {
		t.Errorf("up to the cap: %v", err)
	}
	in.Seats = []string{"1A", "1B"}
	if _, c, err := policy().Hold(st, seats(), in); errs.CodeOf(err) != errs.CapExceeded || !c.Empty() {
		t.Errorf("past the cap: %v", err)
	}
}

// The recorded answer of a key wins over everything that has happened since, but the
// token is asked for all the same.
func TestReplay(t *testing.T) {
	st := held(created + 60*minute)
	st.Recorded = &idempotency.Record{Fingerprint: "f", Answer: []byte(`{"reservation_id":"r0"}`)}
	out, c, err := rules.Confirm(st, seats(), action())
	if err != nil || out.ReservationID != "r0" || !out.Replayed || !c.Empty() {
		t.Errorf("replay: %+v, %+v, %v", out, c, err)
	}
	in := action()
	in.Fingerprint = "g"
	if _, _, err := rules.Confirm(st, seats(), in); errs.CodeOf(err) != errs.KeyReused {
		t.Errorf("another request: %v", err)
	}
	in = action()
	in.Token = "guess"
	if _, _, err := rules.Confirm(st, seats(), in); errs.CodeOf(err) != errs.TokenMismatch {
		t.Errorf("another token: %v", err)
	}
	in = action()
	in.Key = ""
	if _, _, err := rules.Confirm(st, seats(), in); errs.CodeOf(err) != errs.HoldExpired {
		t.Errorf("no key: %v", err)
	}
}

func TestTTL(t *testing.T) {
	for seconds, want := range map[int]time.Duration{0: 10 * time.Minute, 60: time.Minute, 1200: 20 * time.Minute, 59: 0, 1201: 0, -1: 0} {
		got, err := policy().TTL(seconds)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("%d s: %s, %v", seconds, got, err)
		}
	}
}

func TestReplaceIsRefusedWhenSomeoneElseCancelled(t *testing.T) {
	st := store.State{
		Now: created, Flight: &store.Flight{FlightID: flightID, Open: true},
		Reservation: &store.Reservation{ReservationID: "r1", FlightID: flightID, Seats: []string{"1A"}, Status: string(reservations.Cancelled)},
	}
	_, c, err := rules.Replace(st, seats(), "r1", rules.Step{Key: "k", Fingerprint: "f"}, reservations.Reservation{ReservationID: "r2"})
	if errs.CodeOf(err) != errs.Conflict || !c.Empty() {
		t.Errorf("%v, writes %+v", err, c)
	}
}
