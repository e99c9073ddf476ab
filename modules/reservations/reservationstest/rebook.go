package reservationstest

import (
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
)

func rebookTests() []test {
	return []test{
		{"round trip", rebookRoundTrip},
		{"one way", rebookOneWay},
		{"seats unavailable", rebookRefused},
		{"bad legs", rebookBadLegs},
		{"related", relatedReservations},
	}
}

func to(f fact, seats ...string) reservations.Leg {
	return reservations.Leg{FlightNum: f.Designator, FlightDate: f.Date, Seats: seats}
}

// booked is a reservation of two seats on a new flight.
func booked(t *testing.T, w *world) (fact, reservations.Reservation) {
	t.Helper()
	f := w.flight(t)
	r, err := w.twice(t).Reserve(t.Context(), reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: "ann", Seats: []string{"2A", "2B"}})
	want(t, "reserve", err, "")
	return f, r
}

func rebookRoundTrip(t *testing.T, w *world) {
	s := w.twice(t)
	old, r := booked(t, w)
	out, back := w.flight(t), w.flight(t)
	leg := to(back, "6A", "6B")
	ask := reservations.RebookRequest{ReservationID: r.ReservationID, Outbound: to(out, "5A", "5B"), Returning: &leg, Key: key()}
	got, err := s.Rebook(t.Context(), ask)
	want(t, "rebook", err, "")
	w.states(t, old, nil)
	w.states(t, out, all(reservations.Reserved, "5A", "5B"))
	w.states(t, back, all(reservations.Reserved, "6A", "6B"))
	if got.FlightID != out.FlightID || got.CustomerID != "ann" {
		t.Errorf("rebooked: %+v", got)
	}
	other, err := s.GetReservation(t.Context(), got.Related)
	want(t, "the other leg", err, "")
	if other.FlightID != back.FlightID || other.Related != got.ReservationID {
		t.Errorf("the other leg of %+v is %+v", got, other)
	}
	before, err := s.GetReservation(t.Context(), r.ReservationID)
	want(t, "the old one", err, "")
	if before.Status != reservations.Cancelled {
		t.Errorf("the old reservation is %+v", before)
	}
	ask.Outbound.Seats = []string{"9A"}
	_, err = s.Rebook(t.Context(), ask)
	want(t, "same key, other seats", err, errs.KeyReused)
	ask.Key = key()
	_, err = s.Rebook(t.Context(), ask)
	want(t, "rebook what is cancelled", err, errs.Conflict)
	w.states(t, out, all(reservations.Reserved, "5A", "5B"))
}

func rebookOneWay(t *testing.T, w *world) {
	old, r := booked(t, w)
	out := w.flight(t)
	leg := to(out, "5A", "5B")
	leg.FlightNum = out.Designator[:2] + " " + out.Designator[2:] // a space is accepted
	got, err := w.twice(t).Rebook(t.Context(), reservations.RebookRequest{ReservationID: r.ReservationID, Outbound: leg})
	want(t, "rebook without a key", err, "")
	if got.Related != "" {
		t.Errorf("one way, yet related to %s", got.Related)
	}
	w.states(t, old, nil)
	w.states(t, out, all(reservations.Reserved, "5A", "5B"))
}

func rebookRefused(t *testing.T, w *world) {
	s := w.twice(t)
	old, r := booked(t, w)
	out, back := w.flight(t), w.flight(t)
	h, err := s.Hold(t.Context(), hold(back, "bob", "6B"))
	want(t, "hold", err, "")
	leg := to(back, "6A", "6B")
	ask := reservations.RebookRequest{ReservationID: r.ReservationID, Outbound: to(out, "5A", "5B"), Returning: &leg, Key: key()}
	_, err = s.Rebook(t.Context(), ask)
	want(t, "a seat of the way back is taken", err, errs.SeatTaken)
	wantField(t, err, "conflicts", "6B")
	w.states(t, old, all(reservations.Reserved, "2A", "2B"))
	w.states(t, out, nil)
	w.states(t, back, all(reservations.Held, "6B"))
	_, err = s.Release(t.Context(), on(h))
	want(t, "release", err, "")
	_, err = s.Rebook(t.Context(), ask)
	want(t, "the same request later", err, "")
	w.states(t, old, nil)
	w.states(t, out, all(reservations.Reserved, "5A", "5B"))
	w.states(t, back, all(reservations.Reserved, "6A", "6B"))
}

func rebookBadLegs(t *testing.T, w *world) {
	s := w.twice(t)
	old, r := booked(t, w)
	out := w.flight(t)
	for name, c := range map[string]struct {
		leg  reservations.Leg
		code errs.Code
	}{
		"no flight":   {reservations.Leg{FlightNum: "QQ9999", FlightDate: out.Date, Seats: []string{"1A"}}, errs.FlightUnknown},
		"other day":   {reservations.Leg{FlightNum: out.Designator, FlightDate: "2026-11-22", Seats: []string{"1A"}}, errs.FlightUnknown},
		"no date":     {reservations.Leg{FlightNum: out.Designator, FlightDate: "tomorrow", Seats: []string{"1A"}}, errs.Invalid},
		"no number":   {reservations.Leg{FlightNum: "AA", FlightDate: out.Date, Seats: []string{"1A"}}, errs.Invalid},
		"number zero": {reservations.Leg{FlightNum: "AA0", FlightDate: out.Date, Seats: []string{"1A"}}, errs.Invalid},
		"no seats":    {to(out), errs.Invalid},
		"row 13":      {to(out, "13A"), errs.SeatUnknown},
		"same twice":  {to(out, "1A", "1A"), errs.Invalid},
	} {
		_, err := s.Rebook(t.Context(), reservations.RebookRequest{ReservationID: r.ReservationID, Outbound: c.leg, Key: key()})
		want(t, name, err, c.code)
	}
	w.states(t, old, all(reservations.Reserved, "2A", "2B"))
	w.states(t, out, nil)
}

func relatedReservations(t *testing.T, w *world) {
	s, f := w.twice(t), w.flight(t)
	_, other := booked(t, w)
	h, err := s.Hold(t.Context(), hold(f, "ann", "3A"))
	want(t, "hold", err, "")
	a := on(h)
	for _, id := range []string{"x", h.HoldID, "r0042", other.ReservationID + "0"} {
		a.Related = id
		_, err = s.Confirm(t.Context(), a)
		want(t, "confirm with "+id, err, errs.Invalid)
	}
	a.Related = other.ReservationID
	r, err := s.Confirm(t.Context(), a)
	want(t, "confirm", err, "")
	got, err := s.GetReservation(t.Context(), r.ReservationID)
	want(t, "get reservation", err, "")
	if r.Related != other.ReservationID || got.Related != other.ReservationID {
		t.Errorf("related to %q, then %q, not %s", r.Related, got.Related, other.ReservationID)
	}
	a.Related = ""
	_, err = s.Confirm(t.Context(), a)
	want(t, "same key, nothing related", err, errs.KeyReused)
}
