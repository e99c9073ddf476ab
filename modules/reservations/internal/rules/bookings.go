package rules

import (
	"slices"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/store"
)

func reservedBy(r store.Reservation) store.Seat {
	return store.Seat{Kind: store.Reserved, Ref: r.ReservationID, CustomerID: r.CustomerID}
}

// ReserveInput asks for seats without a hold before.
type ReserveInput struct {
	Step
	ReservationID, FlightID, CustomerID string
	Seats                               []string
}

// Reserve claims and confirms in one step. If all the seats are in one reservation of
// the same customer already, it changes nothing and names that reservation in already.
func Reserve(st store.State, g Geometry, in ReserveInput) (out reservations.Reservation, already string, c store.Change, err error) {
	if out.Replayed, err = replay(in.Step, st, &out); out.Replayed || err != nil {
		return out, "", c, err
	}
	if st.Flight == nil {
		return out, "", c, FlightUnknown(in.FlightID)
	}
	if first := st.Seats[in.Seats[0]]; first.Kind == store.Reserved && first.CustomerID == in.CustomerID &&
		len(mine(st, store.Reserved, first.Ref, in.Seats)) == len(in.Seats) {
		return out, first.Ref, c, nil
	}
	if err = sellable(in.FlightID, st.Flight); err != nil {
		return out, "", c, err
	}
	if err = claimable(st, g, in.Seats); err != nil {
		return out, "", c, err
	}
	r := store.Reservation{
		ReservationID: in.ReservationID, FlightID: in.FlightID, CustomerID: in.CustomerID, Seats: in.Seats,
		Status: string(reservations.Confirmed), CreatedAt: st.Now,
	}
	out = ReservationView(r, g)
	c = store.Change{Put: r.Seats, As: reservedBy(r), Reservation: &r, Event: "reserved"}
	c.Record, err = in.record(st.Now, out)
	return out, "", c, err
}

// Cancel frees the seats; cancelling again changes nothing.
func Cancel(st store.State, g Geometry, reservationID string) (reservations.Reservation, store.Change, error) {
	if st.Reservation == nil {
		return reservations.Reservation{}, store.Change{}, ReservationUnknown(reservationID)
	}
	r := *st.Reservation
	if r.Status == string(reservations.Cancelled) {
		return ReservationView(r, g), store.Change{}, nil
	}
	r.Status = string(reservations.Cancelled)
	c := store.Change{Free: mine(st, store.Reserved, r.ReservationID, r.Seats), Reservation: &r, Event: "cancelled"}
	return ReservationView(r, g), c, nil
}

// Rebooked looks at a rebooking before it starts: it gives the recorded answer if there
// is one, or tells why the reservation cannot be rebooked.
func Rebooked(st store.State, reservationID string, step Step) (*reservations.Reservation, error) {
	var out reservations.Reservation
	done, err := replay(step, st, &out)
	switch {
	case err != nil:
		return nil, err
	case done:
		out.Replayed = true
		return &out, nil
	case st.Reservation == nil:
		return nil, ReservationUnknown(reservationID)
	case st.Reservation.Status != string(reservations.Confirmed):
		return nil, nothingToRebook(reservationID)
	}
	return nil, nil
}

func nothingToRebook(reservationID string) error {
	return errs.E(errs.Conflict, "reservation %s is cancelled; there is nothing to rebook", reservationID)
}

// Replace is the turning point of a rebooking: it cancels the old reservation and
// records the new one as the answer of the request. Someone else's cancellation, or
// another rebooking, that came first is a Conflict.
func Replace(st store.State, g Geometry, reservationID string, step Step, answer reservations.Reservation) (reservations.Reservation, store.Change, error) {
	var out reservations.Reservation
	done, err := replay(step, st, &out)
	if done || err != nil {
		out.Replayed = done
		return out, store.Change{}, err
	}
	_, c, err := Cancel(st, g, reservationID)
	if err != nil {
		return out, c, err
	}
	if c.Empty() {
		return out, c, nothingToRebook(reservationID)
	}
	c.Record, err = step.record(st.Now, answer)
	return answer, c, err
}

// ChangeInput swaps one seat of a reservation for another.
type ChangeInput struct {
	Step
	ReservationID, From, To string
}

// ChangeSeat frees From and claims To, together.
func ChangeSeat(st store.State, g Geometry, in ChangeInput) (out reservations.Reservation, c store.Change, err error) {
	if out.Replayed, err = replay(in.Step, st, &out); out.Replayed || err != nil {
		return out, c, err
	}
	if st.Reservation == nil {
		return out, c, ReservationUnknown(in.ReservationID)
	}
	r := *st.Reservation
	if r.Status != string(reservations.Confirmed) {
		return out, c, errs.E(errs.Conflict, "reservation %s is cancelled; its seats cannot be changed", r.ReservationID)
	}
	at := slices.Index(r.Seats, in.From)
	if at < 0 {
		return out, c, errs.E(errs.Unprocessable, "seat %s is not part of reservation %s", in.From, r.ReservationID)
	}
	if err = sellable(r.FlightID, st.Flight); err != nil {
		return out, c, err
	}
	if err = claimable(st, g, []string{in.To}); err != nil {
		return out, c, err
	}
	r.Seats = slices.Clone(r.Seats)
	r.Seats[at] = in.To
	out = ReservationView(r, g)
	c = store.Change{
		Put: []string{in.To}, As: reservedBy(r),
		Free:        mine(st, store.Reserved, r.ReservationID, []string{in.From}),
		Reservation: &r, Event: "seat_changed",
	}
	c.Record, err = in.record(st.Now, out)
	return out, c, err
}
