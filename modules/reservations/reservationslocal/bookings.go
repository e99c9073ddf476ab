package reservationslocal

import (
	"context"
	"slices"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/rules"
	"banyan/modules/reservations/internal/store"
)

// Reserve implements reservations.Bookings.
func (s *Service) Reserve(ctx context.Context, r reservations.ReserveRequest) (reservations.Reservation, error) {
	var out reservations.Reservation
	if err := first(rules.CheckFlightID(r.FlightID), rules.CheckCustomer(r.CustomerID), rules.CheckSeats(r.Seats), rules.CheckKey(r.Key, false)); err != nil {
		return out, err
	}
	b := bucket.Of(r.FlightID)
	in := rules.ReserveInput{
		Step:          rules.Step{Key: r.Key, Fingerprint: idempotency.Fingerprint("reserve", r)},
		ReservationID: bucket.NewID(bucket.ReservationPrefix, b), FlightID: r.FlightID, CustomerID: r.CustomerID,
		Seats: slices.Clone(r.Seats),
	}
	already := ""
	err := s.update(ctx, store.Subject{Bucket: b, FlightID: r.FlightID, Seats: in.Seats, Key: r.Key},
		func(st store.State, g rules.Geometry) (c store.Change, err error) {
			out, already, c, err = rules.Reserve(st, g, in)
			return c, err
		})
	if err == nil && already != "" {
		out, err = s.GetReservation(ctx, already)
		out.Replayed = true
	}
	return answer(out, err)
}

// GetReservation implements reservations.Bookings.
func (s *Service) GetReservation(ctx context.Context, reservationID string) (reservations.Reservation, error) {
	b, err := reservationBucket(reservationID)
	if err != nil {
		return reservations.Reservation{}, err
	}
	st, err := s.store.Read(ctx, store.Subject{Bucket: b, ReservationID: reservationID})
	if err != nil {
		return reservations.Reservation{}, err
	}
	if st.Reservation == nil {
		return reservations.Reservation{}, rules.ReservationUnknown(reservationID)
	}
	g, err := s.geometryOf(ctx, st.Flight)
	if err != nil {
		return reservations.Reservation{}, err
	}
	return rules.ReservationView(*st.Reservation, g), nil
}

// Cancel implements reservations.Bookings.
func (s *Service) Cancel(ctx context.Context, reservationID string) (reservations.Reservation, error) {
	var out reservations.Reservation
	b, err := reservationBucket(reservationID)
	if err != nil {
		return out, err
	}
	err = s.update(ctx, store.Subject{Bucket: b, ReservationID: reservationID},
		func(st store.State, g rules.Geometry) (c store.Change, err error) {
			out, c, err = rules.Cancel(st, g, reservationID)
			return c, err
		})
	return answer(out, err)
}

// ChangeSeat implements reservations.Bookings.
func (s *Service) ChangeSeat(ctx context.Context, r reservations.ChangeSeatRequest) (reservations.Reservation, error) {
	var out reservations.Reservation
	b, err := reservationBucket(r.ReservationID)
	if err == nil {
		err = first(rules.CheckSeat(r.From), rules.CheckSeat(r.To), rules.CheckKey(r.Key, true))
	}
	if err == nil && r.From == r.To {
		err = errs.E(errs.Invalid, "from and to are the same seat, %s", r.To)
	}
	if err != nil {
		return out, err
	}
	in := rules.ChangeInput{
		Step:          rules.Step{Key: r.Key, Fingerprint: idempotency.Fingerprint("change-seat", r)},
		ReservationID: r.ReservationID, From: r.From, To: r.To,
	}
	err = s.update(ctx, store.Subject{Bucket: b, ReservationID: r.ReservationID, Seats: []string{r.To}, Key: r.Key},
		func(st store.State, g rules.Geometry) (c store.Change, err error) {
			out, c, err = rules.ChangeSeat(st, g, in)
			return c, err
		})
	return answer(out, err)
}
