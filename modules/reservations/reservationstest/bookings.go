package reservationstest

import (
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
)

func bookingTests() []test {
	return []test{
		{"reserve", reserve},
		{"cancel", cancel},
		{"change seat", changeSeat},
	}
}

func reserve(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	ask := reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: "ann", Seats: []string{"12C", "12D"}}
	r, err := s.Reserve(t.Context(), ask)
	want(t, "reserve", err, "")
	w.states(t, f, all(reservations.Reserved, "12C", "12D"))
	got, err := s.GetReservation(t.Context(), r.ReservationID)
	want(t, "get", err, "")
	if a, b := asJSON(t, got), asJSON(t, r); a != b {
		t.Errorf("the reservation reads %s, was %s", a, b)
	}
	ask.Seats = []string{"12D"}
	got, err = s.Reserve(t.Context(), ask)
	want(t, "the same customer's retry", err, "")
	if got.ReservationID != r.ReservationID || !got.Replayed {
		t.Errorf("the retry gives %+v, want %+v", got, r)
	}
	ask.Seats = []string{"12D", "12E"}
	_, err = s.Reserve(t.Context(), ask)
	want(t, "a seat of theirs and another", err, errs.SeatTaken)
	wantField(t, err, "conflicts", "12D")
	ask.CustomerID, ask.Seats = "bob", []string{"12C"}
	_, err = s.Reserve(t.Context(), ask)
	want(t, "another customer", err, errs.SeatTaken)
	people, err := s.Occupants(t.Context(), f.FlightID)
	want(t, "occupants", err, "")
	if got := asJSON(t, people); got != `{"12C":"ann","12D":"ann"}` {
		t.Errorf("occupants are %s", got)
	}
	keyed := reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: "cyd", Seats: []string{"1A"}, Key: key()}
	_, err = s.Reserve(t.Context(), keyed)
	want(t, "reserve with a key", err, "")
	keyed.Seats = []string{"1B"}
	_, err = s.Reserve(t.Context(), keyed)
	want(t, "same key, other seat", err, errs.KeyReused)
}

func cancel(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	ask := reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: "ann", Seats: []string{"2A", "2B"}}
	r, err := s.Reserve(t.Context(), ask)
	want(t, "reserve", err, "")
	got, err := s.Cancel(t.Context(), r.ReservationID)
	want(t, "cancel", err, "")
	if got.Status != reservations.Cancelled || asJSON(t, got.Seats) != `["2A","2B"]` {
		t.Errorf("cancelled: %+v", got)
	}
	w.states(t, f, nil)
	_, err = s.Reserve(t.Context(), reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: "bob", Seats: []string{"2B"}})
	want(t, "reserve what was cancelled", err, "")
	_, err = s.Cancel(t.Context(), r.ReservationID)
	want(t, "cancel once more", err, "")
	w.states(t, f, all(reservations.Reserved, "2B"))
	_, err = s.Cancel(t.Context(), r.ReservationID[:6]+"0000000000000000")
	want(t, "cancel what does not exist", err, errs.ReservationUnknown)
	for _, id := range []string{"", "r", "nonsense", "h" + r.ReservationID[1:], r.ReservationID + "x", "r99x9-0000000000000000"} {
		_, err = s.GetReservation(t.Context(), id)
		if c := errs.CodeOf(err); c != errs.ReservationUnknown && (id != "" || err == nil) {
			t.Errorf("get %q: %v", id, err)
		}
	}
}

func changeSeat(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	r, err := s.Reserve(t.Context(), reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: "ann", Seats: []string{"2A", "2B"}})
	want(t, "reserve", err, "")
	_, err = s.Hold(t.Context(), hold(f, "bob", "3C"))
	want(t, "hold", err, "")
	change := func(from, to string) (reservations.Reservation, error) {
		return s.ChangeSeat(t.Context(), reservations.ChangeSeatRequest{ReservationID: r.ReservationID, From: from, To: to, Key: key()})
	}
	got, err := change("2B", "3B")
	want(t, "change", err, "")
	if asJSON(t, got.Seats) != `["2A","3B"]` {
		t.Errorf("changed: %+v", got)
	}
	reread, err := s.GetReservation(t.Context(), r.ReservationID)
	want(t, "get", err, "")
	if asJSON(t, reread) != asJSON(t, got) {
		t.Errorf("the reservation reads %+v, was answered %+v", reread, got)
	}
	_, err = change("2A", "3C")
	want(t, "to a held seat", err, errs.SeatTaken)
	wantField(t, err, "conflicts", "3C")
	_, err = change("2A", "3B")
	want(t, "to a seat of one's own", err, errs.SeatTaken)
	_, err = change("2B", "4B")
	want(t, "from a seat that was given up", err, errs.Unprocessable)
	_, err = change("2A", "13A")
	want(t, "to row 13", err, errs.SeatUnknown)
	_, err = change("2A", "2A")
	want(t, "to itself", err, errs.Invalid)
	w.states(t, f, map[string]reservations.SeatState{"2A": reservations.Reserved, "3B": reservations.Reserved, "3C": reservations.Held})
	_, err = s.Cancel(t.Context(), r.ReservationID)
	want(t, "cancel", err, "")
	_, err = change("2A", "4B")
	want(t, "of a cancelled reservation", err, errs.Conflict)
	w.states(t, f, all(reservations.Held, "3C"))
}
