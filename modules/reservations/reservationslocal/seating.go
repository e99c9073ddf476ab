package reservationslocal

import (
	"context"

	"banyan/modules/kernel/bucket"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/rules"
	"banyan/modules/reservations/internal/store"
)

// Seats implements reservations.Seating.
func (s *Service) Seats(ctx context.Context, flightID string) (reservations.SeatStates, error) {
	st, err := s.seats(ctx, flightID)
	if err != nil {
		return reservations.SeatStates{}, err
	}
	return rules.SeatStates(st), nil
}

// Occupants implements reservations.Seating.
func (s *Service) Occupants(ctx context.Context, flightID string) (map[string]string, error) {
	st, err := s.seats(ctx, flightID)
	if err != nil {
		return nil, err
	}
	return rules.Occupants(st), nil
}

func (s *Service) seats(ctx context.Context, flightID string) (store.State, error) {
	if err := rules.CheckFlightID(flightID); err != nil {
		return store.State{}, err
	}
	st, err := s.store.Seats(ctx, flightID)
	if err == nil && st.Flight == nil {
		err = rules.FlightUnknown(flightID)
	}
	return st, err
}

// Block implements reservations.Seating.
func (s *Service) Block(ctx context.Context, r reservations.BlockRequest) (reservations.SeatStates, error) {
	if err := first(rules.CheckFlightID(r.FlightID), rules.CheckSeat(r.Seat), rules.CheckReason(r.Reason)); err != nil {
		return reservations.SeatStates{}, err
	}
	return s.seating(ctx, r.FlightID, r.Seat, func(st store.State, g rules.Geometry) (store.Change, error) {
		return rules.Block(st, g, r.FlightID, r.Seat, r.Reason)
	})
}

// Unblock implements reservations.Seating.
func (s *Service) Unblock(ctx context.Context, flightID, seat string) (reservations.SeatStates, error) {
	if err := first(rules.CheckFlightID(flightID), rules.CheckSeat(seat)); err != nil {
		return reservations.SeatStates{}, err
	}
	return s.seating(ctx, flightID, seat, func(st store.State, g rules.Geometry) (store.Change, error) {
		return rules.Unblock(st, g, flightID, seat)
	})
}

func (s *Service) seating(ctx context.Context, flightID, seat string, decide func(store.State, rules.Geometry) (store.Change, error)) (reservations.SeatStates, error) {
	sub := store.Subject{Bucket: bucket.Of(flightID), FlightID: flightID, Seats: []string{seat}}
	if err := s.update(ctx, sub, decide); err != nil {
		return reservations.SeatStates{}, err
	}
	return s.Seats(ctx, flightID)
}
