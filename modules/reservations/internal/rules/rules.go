// Package rules decides what may happen to seats. Every decision is a pure function
// from what a store has loaded to what it is to write, or a refusal; it has no clock,
// no randomness and no I/O, so that each store can run it inside its own atomic step.
//
//	FREE → HELD(hold, token, expiry) → RESERVED(reservation) → FREE;  FREE ⇄ BLOCKED(reason)
//
// An expired hold's seats are free: expiry is judged against the store's clock
// whenever something is decided, and "expires now" is expired.
package rules

import (
	"crypto/subtle"
	"encoding/json"
	"slices"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/store"
)

// Policy is what an operator may set.
type Policy struct {
	MinTTL        time.Duration // of a hold
	HeldPerFlight int           // seats that one customer may hold on one flight
}

// Geometry is the seats that a configuration has, sorted.
type Geometry []string

// Has tells whether the configuration has the seat.
func (g Geometry) Has(seat string) bool {
	_, found := slices.BinarySearch(g, seat)
	return found
}

// missing lists the seats that the geometry lacks, nil if none.
func (g Geometry) missing(seats []string) []string {
	var list []string
	for _, s := range seats {
		if !g.Has(s) {
			list = append(list, s)
		}
	}
	return list
}

// Step makes a decision repeatable: Key is the request's idempotency key, "" for none,
// and Fingerprint digests the request.
type Step struct{ Key, Fingerprint string }

// keyed tells whether there is an answer to look for, and to record.
func (s Step) keyed() bool { return s.Key != "" && !mutant.NoIdempotency }

// replay gives the stored answer of the step's key in out, if there is one.
func replay[T any](s Step, st store.State, out *T) (bool, error) {
	if !s.keyed() || st.Recorded == nil {
		return false, nil
	}
	if err := st.Recorded.Check(s.Fingerprint); err != nil {
		return false, err
	}
	var stored T // a variable of its own, so that out need not be on the heap for who replays nothing
	if err := json.Unmarshal(st.Recorded.Answer, &stored); err != nil {
		return false, errs.E(errs.Internal, "the stored answer cannot be read").Because(err)
	}
	*out = stored
	return true, nil
}

// record is what the step's key is to answer from now on; nil without a key.
func (s Step) record(now int64, answer reservations.Reservation) (*idempotency.Record, error) {
	if !s.keyed() {
		return nil, nil
	}
	body, err := json.Marshal(answer)
	return s.recorded(now, body, err)
}

// recordHold is record for a hold.
func (s Step) recordHold(now int64, answer *reservations.Hold) (*idempotency.Record, error) {
	if !s.keyed() {
		return nil, nil
	}
	body, err := appendHold(make([]byte, 0, usualHold), answer)
	return s.recorded(now, body, err)
}

func (s Step) recorded(now int64, body []byte, err error) (*idempotency.Record, error) {
	if err != nil {
		return nil, errs.E(errs.Internal, "the answer cannot be stored").Because(err)
	}
	return &idempotency.Record{Fingerprint: s.Fingerprint, Answer: body, CreatedAt: now}, nil
}

// sellable refuses flights that are unknown or cancelled.
func sellable(flightID string, f *store.Flight) error {
	if f == nil {
		return FlightUnknown(flightID)
	}
	if !f.Open {
		return errs.E(errs.FlightNotOpen, "flight %s is cancelled; its seats are not sold", f.FlightID)
	}
	return nil
}

// claimable refuses seats that the flight lacks, then seats that are not free.
func claimable(st store.State, g Geometry, seats []string) error {
	if lacking := g.missing(seats); lacking != nil {
		return errs.E(errs.SeatUnknown, "flight %s has no seat %s", st.Flight.FlightID, list(lacking)).With("seats", lacking)
	}
	var conflicts []string
	for _, s := range seats {
		if r, ok := st.Seats[s]; ok && r.Taken(st.Now) {
			conflicts = append(conflicts, s)
		}
	}
	if conflicts != nil {
		return errs.E(errs.SeatTaken, "seat %s of flight %s is taken; choose another", list(conflicts), st.Flight.FlightID).
			With("conflicts", conflicts)
	}
	return nil
}

// mine lists those seats whose record is of this kind and refers to ref. A hold or
// reservation owns a seat only as long as the seat's record says so.
func mine(st store.State, kind store.Kind, ref string, seats []string) []string {
	var list []string
	for _, s := range seats {
		if r, ok := st.Seats[s]; ok && r.Kind == kind && r.Ref == ref {
			list = append(list, s)
		}
	}
	return list
}

// sameToken compares in a time that does not depend on where the tokens differ.
func sameToken(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// HoldView is a stored hold as callers see it at a time, without its token.
func HoldView(h store.Hold, now int64) reservations.Hold {
	status := reservations.HoldStatus(h.Status)
	if status == reservations.HoldActive && now >= h.ExpiresAt {
		status = reservations.HoldExpired
	}
	return reservations.Hold{
		HoldID: h.HoldID, FlightID: h.FlightID, CustomerID: h.CustomerID, Seats: h.Seats,
		Status: status, ExpiresAt: Instant(h.ExpiresAt), ServerTime: Instant(now),
		Extensions: h.Extensions, ReservationID: h.ReservationID,
	}
}

// ReservationView is a stored reservation as callers see it. Seats that the flight's
// present configuration lacks are displaced.
func ReservationView(r store.Reservation, g Geometry) reservations.Reservation {
	v := reservations.Reservation{
		ReservationID: r.ReservationID, FlightID: r.FlightID, CustomerID: r.CustomerID,
		Seats: r.Seats, Status: reservations.ReservationStatus(r.Status),
		CreatedAt: Instant(r.CreatedAt), HoldID: r.HoldID, Related: r.Related,
	}
	if v.Status == reservations.Confirmed {
		v.Displaced = g.missing(r.Seats)
	}
	return v
}

// Instant turns a store's time into a time.
func Instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
