package reservationslocal

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/rules"
	"banyan/modules/reservations/internal/store"
)

// Hold implements reservations.Holds.
func (s *Service) Hold(ctx context.Context, r reservations.HoldRequest) (reservations.Hold, error) {
	var out reservations.Hold
	ttl, err := s.policy.TTL(r.TTLSeconds)
	if err == nil {
		err = first(rules.CheckFlightID(r.FlightID), rules.CheckCustomer(r.CustomerID), rules.CheckSeats(r.Seats), rules.CheckKey(r.Key, true))
	}
	if err != nil {
		return out, err
	}
	b := bucket.Of(r.FlightID)
	in := rules.HoldInput{
		Step:   rules.Step{Key: r.Key, Fingerprint: rules.HoldFingerprint(r)},
		HoldID: bucket.NewID(bucket.HoldPrefix, b), Token: newToken(),
		FlightID: r.FlightID, CustomerID: r.CustomerID, Seats: slices.Clone(r.Seats), TTL: ttl,
	}
	sub := store.Subject{Bucket: b, FlightID: r.FlightID, Seats: in.Seats, CustomerID: r.CustomerID, Key: r.Key}
	err = s.update(ctx, sub, func(st store.State, g rules.Geometry) (c store.Change, err error) {
		out, c, err = s.policy.Hold(st, g, in)
		return c, err
	})
	return answer(out, err)
}

// GetHold implements reservations.Holds.
func (s *Service) GetHold(ctx context.Context, holdID, token string) (reservations.Hold, error) {
	b, err := holdBucket(holdID)
	if err != nil {
		return reservations.Hold{}, err
	}
	if err := rules.CheckToken(token); err != nil {
		return reservations.Hold{}, err
	}
	st, err := s.store.Read(ctx, store.Subject{Bucket: b, HoldID: holdID})
	if err != nil {
		return reservations.Hold{}, err
	}
	return rules.View(st, holdID, token)
}

// Extend implements reservations.Holds.
func (s *Service) Extend(ctx context.Context, r reservations.HoldAction) (reservations.Hold, error) {
	var out reservations.Hold
	ttl, err := s.policy.TTL(r.TTLSeconds)
	if err != nil {
		return out, err
	}
	r.Related = ""
	err = s.act(ctx, "extend", r, true, func(st store.State, g rules.Geometry, in rules.ActionInput) (c store.Change, err error) {
		in.TTL = ttl
		out, c, err = rules.Extend(st, g, in)
		return c, err
	})
	return answer(out, err)
}

// Confirm implements reservations.Holds.
func (s *Service) Confirm(ctx context.Context, r reservations.HoldAction) (reservations.Reservation, error) {
	var out reservations.Reservation
	if err := rules.CheckRelated(r.Related); err != nil {
		return out, err
	}
	r.TTLSeconds = 0 // means nothing here
	err := s.act(ctx, "confirm", r, true, func(st store.State, g rules.Geometry, in rules.ActionInput) (c store.Change, err error) {
		in.Related = r.Related
		out, c, err = rules.Confirm(st, g, in)
		return c, err
	})
	return answer(out, err)
}

// Release implements reservations.Holds.
func (s *Service) Release(ctx context.Context, r reservations.HoldAction) (reservations.Hold, error) {
	var out reservations.Hold
	r.TTLSeconds, r.Related = 0, ""
	err := s.act(ctx, "release", r, false, func(st store.State, _ rules.Geometry, in rules.ActionInput) (c store.Change, err error) {
		out, c, err = rules.Release(st, in)
		return c, err
	})
	return answer(out, err)
}

type action func(store.State, rules.Geometry, rules.ActionInput) (store.Change, error)

// act is what all actions on a hold share.
func (s *Service) act(ctx context.Context, operation string, r reservations.HoldAction, keyed bool, decide action) error {
	b, err := holdBucket(r.HoldID)
	if err == nil {
		err = first(rules.CheckToken(r.Token), rules.CheckKey(r.Key, keyed))
	}
	if err != nil {
		return err
	}
	in := rules.ActionInput{
		Step:   rules.Step{Key: r.Key, Fingerprint: idempotency.Fingerprint(operation, r)},
		HoldID: r.HoldID, Token: r.Token, ReservationID: confirmedID(b, r.HoldID, r.Token),
	}
	return s.update(ctx, store.Subject{Bucket: b, HoldID: r.HoldID, Key: r.Key},
		func(st store.State, g rules.Geometry) (store.Change, error) { return decide(st, g, in) })
}

// confirmedID is the id that a hold's reservation will have. Only who knows the token
// can tell it before; the two of a round trip can therefore name each other.
func confirmedID(b int, holdID, token string) string {
	sum := sha256.Sum256([]byte("reservation of " + holdID + " " + token))
	encoding := base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)
	return fmt.Sprintf("%s%04d-%s", bucket.ReservationPrefix, b, encoding.EncodeToString(sum[:10]))
}

// first gives the first error.
func first(checks ...error) error {
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

// answer gives nothing but the error when there is one: a decision that was made may
// still not have been committed.
func answer[T any](out T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}
