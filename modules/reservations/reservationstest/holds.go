package reservationstest

import (
	"testing"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
)

func holdTests() []test {
	return []test{
		{"hold and confirm", holdAndConfirm},
		{"group of four", groupOfFour},
		{"all or none", allOrNone},
		{"release", release},
		{"expiry", expiry},
		{"extensions", extensions},
		{"tokens", tokens},
		{"cap", heldCap},
		{"reused key", reusedKey},
	}
}

func holdAndConfirm(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	w.states(t, f, nil)
	h, err := s.Hold(t.Context(), hold(f, "ann", "12C"))
	want(t, "hold", err, "")
	if h.HoldID == "" || h.Token == "" || h.Status != reservations.HoldActive || h.FlightID != f.FlightID {
		t.Fatalf("the hold is %+v", h)
	}
	if life := h.ExpiresAt.Sub(h.ServerTime); life != reservations.DefaultTTL {
		t.Errorf("the hold lasts %s, want %s", life, reservations.DefaultTTL)
	}
	before := w.states(t, f, all(reservations.Held, "12C"))
	got, err := s.GetHold(t.Context(), h.HoldID, h.Token)
	want(t, "get hold", err, "")
	if got.Status != reservations.HoldActive || !got.ExpiresAt.Equal(h.ExpiresAt) || asJSON(t, got.Seats) != `["12C"]` {
		t.Errorf("the hold reads %+v", got)
	}
	r, err := s.Confirm(t.Context(), on(h))
	want(t, "confirm", err, "")
	if r.Status != reservations.Confirmed || r.CustomerID != "ann" || r.HoldID != h.HoldID || asJSON(t, r.Seats) != `["12C"]` {
		t.Fatalf("the reservation is %+v", r)
	}
	after := w.states(t, f, all(reservations.Reserved, "12C"))
	if after.Version != before.Version+1 {
		t.Errorf("version %d came after %d", after.Version, before.Version)
	}
	got, err = s.GetHold(t.Context(), h.HoldID, h.Token)
	want(t, "get hold", err, "")
	if got.Status != reservations.HoldConfirmed || got.ReservationID != r.ReservationID {
		t.Errorf("the confirmed hold reads %+v", got)
	}
	_, err = s.Confirm(t.Context(), on(h))
	want(t, "confirm with another key", err, errs.Conflict)
	_, err = s.Release(t.Context(), on(h))
	want(t, "release a confirmed hold", err, errs.Conflict)
	_, err = s.Extend(t.Context(), on(h))
	want(t, "extend a confirmed hold", err, errs.Conflict)
	w.states(t, f, all(reservations.Reserved, "12C"))
}

func groupOfFour(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	h, err := s.Hold(t.Context(), hold(f, "family", "9A", "9B", "9C", "10A"))
	want(t, "hold", err, "")
	w.states(t, f, all(reservations.Held, "9A", "9B", "9C", "10A"))
	r, err := s.Confirm(t.Context(), on(h))
	want(t, "confirm", err, "")
	w.states(t, f, all(reservations.Reserved, "9A", "9B", "9C", "10A"))
	_, err = s.Cancel(t.Context(), r.ReservationID)
	want(t, "cancel", err, "")
	w.states(t, f, nil)
}

func allOrNone(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	_, err := s.Hold(t.Context(), hold(f, "ann", "5B", "5C"))
	want(t, "hold", err, "")
	_, err = s.Hold(t.Context(), hold(f, "bob", "5A", "5B", "5C", "5D"))
	want(t, "overlapping hold", err, errs.SeatTaken)
	wantField(t, err, "conflicts", "5B", "5C")
	_, err = s.Reserve(t.Context(), reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: "bob", Seats: []string{"5C", "5D"}, Key: key()})
	want(t, "overlapping reserve", err, errs.SeatTaken)
	wantField(t, err, "conflicts", "5C")
	_, err = s.Hold(t.Context(), hold(f, "ann", "5B"))
	want(t, "hold one's own seat", err, errs.SeatTaken)
	w.states(t, f, all(reservations.Held, "5B", "5C"))
}

func release(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	h, err := s.Hold(t.Context(), hold(f, "ann", "7A", "7B"))
	want(t, "hold", err, "")
	got, err := s.Release(t.Context(), reservations.HoldAction{HoldID: h.HoldID, Token: h.Token})
	want(t, "release", err, "")
	if got.Status != reservations.HoldReleased {
		t.Errorf("the released hold is %+v", got)
	}
	w.states(t, f, nil)
	_, err = s.Confirm(t.Context(), on(h))
	want(t, "confirm", err, errs.HoldReleased)
	_, err = s.Extend(t.Context(), on(h))
	want(t, "extend", err, errs.HoldReleased)
	other, err := s.Hold(t.Context(), hold(f, "bob", "7A"))
	want(t, "hold what was released", err, "")
	_, err = s.Release(t.Context(), on(h))
	want(t, "release again", err, "")
	w.states(t, f, all(reservations.Held, "7A"))
	_, err = s.Confirm(t.Context(), on(other))
	want(t, "confirm", err, "")
}

func expiry(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	r := hold(f, "ann", "3A", "3B")
	r.TTLSeconds = 1
	h, err := s.Hold(t.Context(), r)
	want(t, "hold", err, "")
	sleepUntilExpired(h)
	w.states(t, f, nil)
	got, err := s.GetHold(t.Context(), h.HoldID, h.Token)
	want(t, "get hold", err, "")
	if got.Status != reservations.HoldExpired {
		t.Errorf("the expired hold reads %+v", got)
	}
	_, err = s.Confirm(t.Context(), on(h))
	want(t, "confirm", err, errs.HoldExpired)
	_, err = s.Extend(t.Context(), on(h))
	want(t, "extend", err, errs.HoldExpired)
	other, err := s.Hold(t.Context(), hold(f, "bob", "3B", "3C"))
	want(t, "hold what has expired", err, "")
	_, err = s.Confirm(t.Context(), on(h))
	want(t, "confirm what another one holds", err, errs.HoldExpired)
	_, err = s.Release(t.Context(), on(h))
	want(t, "release an expired hold", err, "")
	w.states(t, f, all(reservations.Held, "3B", "3C"))
	_, err = s.Confirm(t.Context(), on(other))
	want(t, "confirm", err, "")
	w.states(t, f, all(reservations.Reserved, "3B", "3C"))
}

// sleepUntilExpired waits by the length of the hold, whatever the clocks say.
func sleepUntilExpired(h reservations.Hold) {
	time.Sleep(h.ExpiresAt.Sub(h.ServerTime) + 20*time.Millisecond)
}

func extensions(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	h, err := s.Hold(t.Context(), hold(f, "ann", "4A"))
	want(t, "hold", err, "")
	for n := 1; n <= reservations.MaxExtensions; n++ {
		a := on(h)
		a.TTLSeconds = 60 * n
		got, err := s.Extend(t.Context(), a)
		want(t, "extend", err, "")
		if life := got.ExpiresAt.Sub(got.ServerTime); life != time.Duration(n)*time.Minute || got.Extensions != n {
			t.Errorf("extension %d: lasts %s, counts %d", n, life, got.Extensions)
		}
	}
	_, err = s.Extend(t.Context(), on(h))
	want(t, "one extension too many", err, errs.ExtensionsExhausted)
	_, err = s.Confirm(t.Context(), on(h))
	want(t, "confirm", err, "")

	r := hold(f, "bob", "4B")
	r.TTLSeconds = 1
	h, err = s.Hold(t.Context(), r)
	want(t, "hold", err, "")
	_, err = s.Extend(t.Context(), on(h))
	want(t, "extend", err, "")
	sleepUntilExpired(h)
	w.states(t, f, map[string]reservations.SeatState{"4A": reservations.Reserved, "4B": reservations.Held})
	_, err = s.Hold(t.Context(), hold(f, "cyd", "4B"))
	want(t, "hold an extended seat", err, errs.SeatTaken)
}

func tokens(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	h, err := s.Hold(t.Context(), hold(f, "ann", "8A"))
	want(t, "hold", err, "")
	other, err := s.Hold(t.Context(), hold(f, "bob", "8B"))
	want(t, "hold", err, "")
	for name, token := range map[string]string{
		"another hold's": other.Token, "wrong": "nonsense", "cut": h.Token[:len(h.Token)-1], "longer": h.Token + "0",
	} {
		a := reservations.HoldAction{HoldID: h.HoldID, Token: token, Key: key()}
		_, err := s.GetHold(t.Context(), h.HoldID, token)
		want(t, name+" token, get", err, errs.TokenMismatch)
		_, err = s.Extend(t.Context(), a)
		want(t, name+" token, extend", err, errs.TokenMismatch)
		_, err = s.Confirm(t.Context(), a)
		want(t, name+" token, confirm", err, errs.TokenMismatch)
		_, err = s.Release(t.Context(), a)
		want(t, name+" token, release", err, errs.TokenMismatch)
	}
	_, err = s.Confirm(t.Context(), reservations.HoldAction{HoldID: h.HoldID, Key: key()})
	want(t, "no token", err, errs.TokenRequired)
	missing := reservations.HoldAction{HoldID: h.HoldID[:6] + "0000000000000000", Token: h.Token, Key: key()}
	_, err = s.Confirm(t.Context(), missing)
	want(t, "no such hold", err, errs.HoldUnknown)
	w.states(t, f, all(reservations.Held, "8A", "8B"))

	a := on(h)
	_, err = s.Confirm(t.Context(), a)
	want(t, "confirm", err, "")
	a.Token = other.Token
	_, err = s.Confirm(t.Context(), a)
	want(t, "replay of a confirm with another token", err, errs.TokenMismatch)
}

func heldCap(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	five, err := s.Hold(t.Context(), hold(f, "ann", "1A", "1B", "1C", "1D", "1E"))
	want(t, "hold five", err, "")
	_, err = s.Hold(t.Context(), hold(f, "ann", "2A", "2B", "2C", "2D", "2E"))
	want(t, "hold five more", err, errs.CapExceeded)
	_, err = s.Hold(t.Context(), hold(f, "ann", "2A", "2B", "2C", "2D"))
	want(t, "hold four more", err, "")
	_, err = s.Hold(t.Context(), hold(f, "ann", "3A"))
	want(t, "hold a tenth", err, errs.CapExceeded)
	_, err = s.Hold(t.Context(), hold(f, "bob", "3A"))
	want(t, "another customer", err, "")
	_, err = s.Confirm(t.Context(), on(five))
	want(t, "confirm", err, "")
	_, err = s.Hold(t.Context(), hold(f, "ann", "4A", "4B", "4C", "4D", "4E"))
	want(t, "reserved seats do not count", err, "")
	_, err = s.Hold(t.Context(), hold(w.flight(t), "ann", "1A"))
	want(t, "another flight", err, "")
}

func reusedKey(t *testing.T, w *world) {
	f, s := w.flight(t), w.harness.Service
	r := hold(f, "ann", "6A")
	h, err := s.Hold(t.Context(), r)
	want(t, "hold", err, "")
	other := r
	other.Seats = []string{"6B"}
	_, err = s.Hold(t.Context(), other)
	want(t, "same key, other seat", err, errs.KeyReused)
	other = r
	other.CustomerID = "bob"
	_, err = s.Hold(t.Context(), other)
	want(t, "same key, other customer", err, errs.KeyReused)
	_, err = s.Confirm(t.Context(), reservations.HoldAction{HoldID: h.HoldID, Token: h.Token, Key: r.Key})
	want(t, "same key, other operation", err, errs.KeyReused)
	w.states(t, f, all(reservations.Held, "6A"))

	refused := hold(f, "bob", "6A")
	_, err = s.Hold(t.Context(), refused)
	want(t, "taken", err, errs.SeatTaken)
	_, err = s.Release(t.Context(), on(h))
	want(t, "release", err, "")
	_, err = s.Hold(t.Context(), refused)
	want(t, "a refusal is not stored: the same key again", err, "")
	again, err := s.Hold(t.Context(), r)
	want(t, "replay after release", err, "")
	if again.HoldID != h.HoldID || !again.Replayed {
		t.Errorf("replay gives %+v, want the first answer %+v", again, h)
	}
}
