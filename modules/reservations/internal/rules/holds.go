package rules

import (
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/store"
)

// HoldInput asks for a hold whose id and token the caller has made.
type HoldInput struct {
	Step
	HoldID, Token, FlightID, CustomerID string
	Seats                               []string
	TTL                                 time.Duration
}

// Hold claims all seats or none.
func (p Policy) Hold(st store.State, g Geometry, in HoldInput) (out reservations.Hold, c store.Change, err error) {
	if out.Replayed, err = replay(in.Step, st, &out); out.Replayed || err != nil {
		return out, c, err
	}
	if err = sellable(in.FlightID, st.Flight); err != nil {
		return out, c, err
	}
	if err = claimable(st, g, in.Seats); err != nil {
		return out, c, err
	}
	if n := st.HeldSeats + len(in.Seats); n > p.HeldPerFlight {
		return out, c, errs.E(errs.CapExceeded, "a customer may hold %d seats of a flight; %d are held already", p.HeldPerFlight, st.HeldSeats).
			With("held", st.HeldSeats).With("limit", p.HeldPerFlight)
	}
	h := store.Hold{
		HoldID: in.HoldID, FlightID: in.FlightID, CustomerID: in.CustomerID, Token: in.Token, Seats: in.Seats,
		Status: string(reservations.HoldActive), CreatedAt: st.Now, ExpiresAt: st.Now + in.TTL.Microseconds(),
	}
	out = HoldView(h, st.Now)
	out.Token = in.Token
	c = store.Change{Put: h.Seats, As: heldBy(h), Hold: &h, Event: "held"}
	c.Record, err = in.recordHold(st.Now, &out)
	return out, c, err
}

func heldBy(h store.Hold) store.Seat {
	return store.Seat{Kind: store.Held, Ref: h.HoldID, CustomerID: h.CustomerID, ExpiresAt: h.ExpiresAt}
}

// ActionInput is about a hold that exists. ReservationID and Related are for Confirm:
// the id that the reservation is to have, and the other one of a round trip.
type ActionInput struct {
	Step
	HoldID, Token, ReservationID, Related string
	TTL                                   time.Duration // Extend
}

// shown refuses who does not know the hold and its token.
func (in ActionInput) shown(st store.State) error {
	if st.Hold == nil {
		return HoldUnknown(in.HoldID)
	}
	if !sameToken(st.Hold.Token, in.Token) {
		return errs.E(errs.TokenMismatch, "the token is not the one of hold %s", in.HoldID)
	}
	return nil
}

// live refuses a hold that has ended, whichever way.
func live(st store.State, g Geometry) error {
	h := *st.Hold
	switch reservations.HoldStatus(h.Status) {
	case reservations.HoldReleased:
		return errs.E(errs.HoldReleased, "hold %s was released; hold the seats again", h.HoldID)
	case reservations.HoldConfirmed:
		return errs.E(errs.Conflict, "hold %s is confirmed as reservation %s", h.HoldID, h.ReservationID).
			With("reservation_id", h.ReservationID)
	case reservations.HoldActive, reservations.HoldExpired:
	}
	if st.Now >= h.ExpiresAt || len(mine(st, store.Held, h.HoldID, h.Seats)) != len(h.Seats) {
		return errs.E(errs.HoldExpired, "hold %s has expired; hold the seats again", h.HoldID).
			With("expires_at", Instant(h.ExpiresAt))
	}
	if err := sellable(h.FlightID, st.Flight); err != nil {
		return err
	}
	if lacking := g.missing(h.Seats); lacking != nil {
		return errs.E(errs.SeatUnknown, "the aircraft of flight %s was changed and has no seat %s; hold others", h.FlightID, list(lacking)).
			With("seats", lacking)
	}
	return nil
}

// View shows a hold to who knows its token.
func View(st store.State, holdID, token string) (reservations.Hold, error) {
	if err := (ActionInput{HoldID: holdID, Token: token}).shown(st); err != nil {
		return reservations.Hold{}, err
	}
	return HoldView(*st.Hold, st.Now), nil
}

// Extend moves the expiry to now + TTL, never past the longest life of a hold.
func Extend(st store.State, g Geometry, in ActionInput) (out reservations.Hold, c store.Change, err error) {
	if err = in.shown(st); err != nil {
		return out, c, err
	}
	if out.Replayed, err = replay(in.Step, st, &out); out.Replayed || err != nil {
		return out, c, err
	}
	if err = live(st, g); err != nil {
		return out, c, err
	}
	h := *st.Hold
	last := h.CreatedAt + reservations.MaxLifetime.Microseconds()
	if h.Extensions >= reservations.MaxExtensions || h.ExpiresAt >= last {
		return out, c, errs.E(errs.ExtensionsExhausted, "a hold may be extended %d times and lasts at most %s; confirm it before %s",
			reservations.MaxExtensions, reservations.MaxLifetime, Instant(h.ExpiresAt).Format(time.RFC3339))
	}
	h.ExpiresAt = min(st.Now+in.TTL.Microseconds(), last)
	h.Extensions++
	out = HoldView(h, st.Now)
	c = store.Change{Put: h.Seats, As: heldBy(h), Hold: &h, Event: "extended"}
	c.Record, err = in.recordHold(st.Now, &out)
	return out, c, err
}

// Confirm turns the hold into a reservation.
func Confirm(st store.State, g Geometry, in ActionInput) (out reservations.Reservation, c store.Change, err error) {
	if err = in.shown(st); err != nil {
		return out, c, err
	}
	if out.Replayed, err = replay(in.Step, st, &out); out.Replayed || err != nil {
		return out, c, err
	}
	if err = live(st, g); err != nil {
		return out, c, err
	}
	h := *st.Hold
	h.Status, h.ReservationID = string(reservations.HoldConfirmed), in.ReservationID
	r := store.Reservation{
		ReservationID: in.ReservationID, FlightID: h.FlightID, CustomerID: h.CustomerID, Seats: h.Seats,
		Status: string(reservations.Confirmed), CreatedAt: st.Now, HoldID: h.HoldID, Related: in.Related,
	}
	out = ReservationView(r, g)
	c = store.Change{Put: r.Seats, As: reservedBy(r), Hold: &h, Reservation: &r, Event: "confirmed"}
	c.Record, err = in.record(st.Now, out)
	return out, c, err
}

// Release frees the seats of a hold that is not confirmed. Doing it again, or to an
// expired hold, is no error.
func Release(st store.State, in ActionInput) (out reservations.Hold, c store.Change, err error) {
	if err = in.shown(st); err != nil {
		return out, c, err
	}
	if out.Replayed, err = replay(in.Step, st, &out); out.Replayed || err != nil {
		return out, c, err
	}
	h := *st.Hold
	switch reservations.HoldStatus(h.Status) {
	case reservations.HoldConfirmed:
		return out, c, errs.E(errs.Conflict, "hold %s is confirmed; cancel reservation %s instead", h.HoldID, h.ReservationID).
			With("reservation_id", h.ReservationID)
	case reservations.HoldReleased:
		return HoldView(h, st.Now), c, nil
	case reservations.HoldActive, reservations.HoldExpired:
	}
	h.Status = string(reservations.HoldReleased)
	out = HoldView(h, st.Now)
	c = store.Change{Free: mine(st, store.Held, h.HoldID, h.Seats), Hold: &h, Event: "released"}
	c.Record, err = in.recordHold(st.Now, &out)
	return out, c, err
}
