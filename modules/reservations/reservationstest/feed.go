package reservationstest

import (
	"context"
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
	"banyan/modules/reservations/reservationslocal"
)

func feedTests() []test {
	return []test{
		{"cancelled flight", cancelledFlight},
		{"equipment change", equipmentChange},
		{"seen before", seenBefore},
		{"unknown type", unknownType},
		{"malformed event", malformedEvent},
	}
}

func cancelledFlight(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	h, err := s.Hold(t.Context(), hold(f, "ann", "1A"))
	want(t, "hold", err, "")
	r, err := s.Reserve(t.Context(), reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: "bob", Seats: []string{"2A"}})
	want(t, "reserve", err, "")
	f.Status = "CANCELLED"
	w.now(t, "flight.cancelled", f)
	_, err = s.Hold(t.Context(), hold(f, "ann", "1B"))
	want(t, "hold", err, errs.FlightNotOpen)
	_, err = s.Confirm(t.Context(), on(h))
	want(t, "confirm", err, errs.FlightNotOpen)
	_, err = s.Extend(t.Context(), on(h))
	want(t, "extend", err, errs.FlightNotOpen)
	_, err = s.ChangeSeat(t.Context(), reservations.ChangeSeatRequest{ReservationID: r.ReservationID, From: "2A", To: "2B", Key: key()})
	want(t, "change seat", err, errs.FlightNotOpen)
	_, err = s.Release(t.Context(), on(h))
	want(t, "release", err, "")
	_, err = s.Cancel(t.Context(), r.ReservationID)
	want(t, "cancel", err, "")
	f.Status = "SCHEDULED"
	w.now(t, "flight.changed", f)
	_, err = s.Hold(t.Context(), hold(f, "ann", "1B"))
	want(t, "hold on the reinstated flight", err, "")
}

func equipmentChange(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	r, err := s.Reserve(t.Context(), reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: "ann", Seats: []string{"5A", "12A", "12B"}})
	want(t, "reserve", err, "")
	h, err := s.Hold(t.Context(), hold(f, "bob", "14A"))
	want(t, "hold", err, "")
	f.Configuration = small
	w.now(t, "flight.equipment_changed", f)
	got, err := s.GetReservation(t.Context(), r.ReservationID)
	want(t, "get", err, "")
	if asJSON(t, got.Displaced) != `["12A","12B"]` || got.Status != reservations.Confirmed {
		t.Errorf("after the change: %+v", got)
	}
	_, err = s.Confirm(t.Context(), on(h))
	want(t, "confirm a seat that is gone", err, errs.SeatUnknown)
	_, err = s.Hold(t.Context(), hold(f, "cyd", "9A"))
	want(t, "hold a seat that is gone", err, errs.SeatUnknown)
	got, err = s.ChangeSeat(t.Context(), reservations.ChangeSeatRequest{ReservationID: r.ReservationID, From: "12A", To: "4A", Key: key()})
	want(t, "change to a seat that exists", err, "")
	if asJSON(t, got.Displaced) != `["12B"]` {
		t.Errorf("after the change of seat: %+v", got)
	}
	f.Configuration = roomy
	w.now(t, "flight.equipment_changed", f)
	got, err = s.GetReservation(t.Context(), r.ReservationID)
	want(t, "get", err, "")
	if got.Displaced != nil {
		t.Errorf("after the change back: %+v", got)
	}
}

// seenBefore lets the feed run into events that it has applied: the source forgot that
// they were asked for after a number, as a proxy that caches would.
func seenBefore(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	f.Configuration = small
	w.now(t, "flight.equipment_changed", f)
	err := w.harness.CatchUp(t.Context(), forgetful{w.log})
	want(t, "events that were applied before", err, errs.Unprocessable)
	_, err = s.Hold(t.Context(), hold(f, "bob", "10A"))
	want(t, "hold a seat of the configuration before", err, errs.SeatUnknown)
}

type forgetful struct{ *flightLog }

// Events implements reservationslocal.FlightEvents.
func (l forgetful) Events(ctx context.Context, _ int64, limit int) ([]reservationslocal.FlightEvent, error) {
	return l.flightLog.Events(ctx, 0, limit)
}

func unknownType(t *testing.T, w *world) {
	w.publish(t, "flight.painted", map[string]any{"colour": "blue"})
	_, err := w.twice(t).Hold(t.Context(), hold(w.flight(t), "ann", "1A"))
	want(t, "hold on a flight that came after it", err, "")
}

// bad is a source with one event that cannot be understood.
type bad struct {
	*flightLog
	data string
}

// Events implements reservationslocal.FlightEvents.
func (b bad) Events(_ context.Context, since int64, _ int) ([]reservationslocal.FlightEvent, error) {
	return []reservationslocal.FlightEvent{{Seq: since + 1, Type: "flight.scheduled", Data: []byte(b.data)}}, nil
}

func malformedEvent(t *testing.T, w *world) {
	for _, data := range []string{
		`{`, `{}`, `{"flights":[]}`, `{"flights":[{"flight_id":"A A","designator":"AA1","date":"2026-11-21","configuration":"X-1.1","status":"SCHEDULED"}]}`,
		`{"flights":[{"flight_id":"AA1-JFK-20261121","designator":"AA1","date":"21.11.2026","configuration":"X-1.1","status":"SCHEDULED"}]}`,
		`{"flights":[{"flight_id":"AA1-JFK-20261121","designator":"AA1","date":"2026-11-21","configuration":"X-1.1","status":"MAYBE"}]}`,
	} {
		err := w.harness.CatchUp(t.Context(), bad{w.log, data})
		want(t, data, err, errs.Unprocessable)
	}
	_, err := w.harness.Service.Seats(t.Context(), "AA1-JFK-20261121")
	want(t, "a flight of a malformed event", err, errs.FlightUnknown)
	_, err = w.twice(t).Hold(t.Context(), hold(w.flight(t), "ann", "1A"))
	want(t, "hold on a flight that came after it was mended", err, "")
}
