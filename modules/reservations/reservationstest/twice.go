package reservationstest

import (
	"context"
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
)

// twice sends every write a second time and compares: a success must be repeated word
// for word, a refusal with the same code.
type twice struct {
	reservations.Service
	t *testing.T
}

func again[T any](s twice, what string, replayed func(T) bool, call func() (T, error)) (T, error) {
	s.t.Helper()
	first, err := call()
	second, err2 := call()
	if errs.CodeOf(err) != errs.CodeOf(err2) {
		s.t.Errorf("%s, sent again: first %v, then %v", what, err, err2)
	}
	if err != nil || err2 != nil {
		return first, err
	}
	if a, b := asJSON(s.t, first), asJSON(s.t, second); a != b {
		s.t.Errorf("%s, sent again: first %s, then %s", what, a, b)
	}
	if replayed != nil && (replayed(first) || !replayed(second)) {
		s.t.Errorf("%s: replayed is %v, then %v; want false, then true", what, replayed(first), replayed(second))
	}
	return first, nil
}

func holdReplayed(h reservations.Hold) bool               { return h.Replayed }
func reservationReplayed(r reservations.Reservation) bool { return r.Replayed }

func (s twice) Hold(ctx context.Context, r reservations.HoldRequest) (reservations.Hold, error) {
	s.t.Helper()
	return again(s, "hold", holdReplayed, func() (reservations.Hold, error) { return s.Service.Hold(ctx, r) })
}

func (s twice) Extend(ctx context.Context, r reservations.HoldAction) (reservations.Hold, error) {
	s.t.Helper()
	return again(s, "extend", holdReplayed, func() (reservations.Hold, error) { return s.Service.Extend(ctx, r) })
}

func (s twice) Confirm(ctx context.Context, r reservations.HoldAction) (reservations.Reservation, error) {
	s.t.Helper()
	return again(s, "confirm", reservationReplayed, func() (reservations.Reservation, error) { return s.Service.Confirm(ctx, r) })
}

// Release again, with or without a key, tells the same but for the time.
func (s twice) Release(ctx context.Context, r reservations.HoldAction) (reservations.Hold, error) {
	s.t.Helper()
	return again(s, "release", nil, func() (reservations.Hold, error) {
		h, err := s.Service.Release(ctx, r)
		h.ServerTime = h.ExpiresAt
		return h, err
	})
}

func (s twice) Reserve(ctx context.Context, r reservations.ReserveRequest) (reservations.Reservation, error) {
	s.t.Helper()
	return again(s, "reserve", nil, func() (reservations.Reservation, error) { return s.Service.Reserve(ctx, r) })
}

func (s twice) Cancel(ctx context.Context, id string) (reservations.Reservation, error) {
	s.t.Helper()
	return again(s, "cancel", nil, func() (reservations.Reservation, error) { return s.Service.Cancel(ctx, id) })
}

func (s twice) ChangeSeat(ctx context.Context, r reservations.ChangeSeatRequest) (reservations.Reservation, error) {
	s.t.Helper()
	return again(s, "change seat", reservationReplayed, func() (reservations.Reservation, error) { return s.Service.ChangeSeat(ctx, r) })
}

func (s twice) Rebook(ctx context.Context, r reservations.RebookRequest) (reservations.Reservation, error) {
	s.t.Helper()
	return again(s, "rebook", reservationReplayed, func() (reservations.Reservation, error) { return s.Service.Rebook(ctx, r) })
}

func (s twice) Block(ctx context.Context, r reservations.BlockRequest) (reservations.SeatStates, error) {
	s.t.Helper()
	return again(s, "block", nil, func() (reservations.SeatStates, error) { return s.Service.Block(ctx, r) })
}

func (s twice) Unblock(ctx context.Context, flightID, seat string) (reservations.SeatStates, error) {
	s.t.Helper()
	return again(s, "unblock", nil, func() (reservations.SeatStates, error) { return s.Service.Unblock(ctx, flightID, seat) })
}
