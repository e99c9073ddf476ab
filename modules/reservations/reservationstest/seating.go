package reservationstest

import (
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
)

func seatingTests() []test {
	return []test{{"block and unblock", blocks}, {"unknown flight", unknownFlight}}
}

func blocks(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	got, err := s.Block(t.Context(), reservations.BlockRequest{FlightID: f.FlightID, Seat: "1A", Reason: "broken belt, été"})
	want(t, "block", err, "")
	if asJSON(t, got.Seats) != `{"1A":"BLOCKED"}` {
		t.Errorf("blocked: %+v", got)
	}
	_, err = s.Hold(t.Context(), hold(f, "ann", "1A", "1B"))
	want(t, "hold a blocked seat", err, errs.SeatTaken)
	wantField(t, err, "conflicts", "1A")
	h, err := s.Hold(t.Context(), hold(f, "ann", "1B"))
	want(t, "hold", err, "")
	_, err = s.Block(t.Context(), reservations.BlockRequest{FlightID: f.FlightID, Seat: "1B", Reason: "crew"})
	want(t, "block a held seat", err, errs.SeatTaken)
	_, err = s.Unblock(t.Context(), f.FlightID, "1B")
	want(t, "unblock a held seat", err, "")
	_, err = s.Confirm(t.Context(), on(h))
	want(t, "confirm", err, "")
	_, err = s.Block(t.Context(), reservations.BlockRequest{FlightID: f.FlightID, Seat: "13A", Reason: "crew"})
	want(t, "block row 13", err, errs.SeatUnknown)
	_, err = s.Unblock(t.Context(), f.FlightID, "13A")
	want(t, "unblock row 13", err, errs.SeatUnknown)
	for _, reason := range []string{"", " ", "a\x00b", "line\nbreak", string(make([]byte, 500))} {
		_, err = s.Block(t.Context(), reservations.BlockRequest{FlightID: f.FlightID, Seat: "2A", Reason: reason})
		want(t, "reason "+reason, err, errs.Invalid)
	}
	w.states(t, f, map[string]reservations.SeatState{"1A": reservations.Blocked, "1B": reservations.Reserved})
	_, err = s.Unblock(t.Context(), f.FlightID, "1A")
	want(t, "unblock", err, "")
	w.states(t, f, all(reservations.Reserved, "1B"))
	_, err = s.Hold(t.Context(), hold(f, "ann", "1A"))
	want(t, "hold what was blocked", err, "")
}

func unknownFlight(t *testing.T, w *world) {
	s, f := w.twice(t), fact{FlightID: "QQ1-JFK-20261121"}
	_, err := s.Hold(t.Context(), hold(f, "ann", "1A"))
	want(t, "hold", err, errs.FlightUnknown)
	_, err = s.Reserve(t.Context(), reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: "ann", Seats: []string{"1A"}})
	want(t, "reserve", err, errs.FlightUnknown)
	_, err = s.Seats(t.Context(), f.FlightID)
	want(t, "seats", err, errs.FlightUnknown)
	_, err = s.Occupants(t.Context(), f.FlightID)
	want(t, "occupants", err, errs.FlightUnknown)
	_, err = s.Block(t.Context(), reservations.BlockRequest{FlightID: f.FlightID, Seat: "1A", Reason: "crew"})
	want(t, "block", err, errs.FlightUnknown)
	_, err = s.Unblock(t.Context(), f.FlightID, "1A")
	want(t, "unblock", err, errs.FlightUnknown)
}
