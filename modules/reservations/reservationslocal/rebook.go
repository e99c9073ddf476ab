package reservationslocal

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/rules"
	"banyan/modules/reservations/internal/store"
)

// Rebook implements reservations.Bookings: hold the new seats on every leg, confirm
// them, then cancel the old reservation, which is the turning point and records the
// answer. A refusal before it takes everything back. Each step has a key made from the
// request's, so a retry goes on where the last try broke off; while the outcome of a
// step is unknown nothing is taken back, and the error says to try again. Without a key
// the request itself is the key.
//
// The new flights may be owned elsewhere, so the steps on them go to the peers; those on
// the old reservation are taken here, for its bucket decides who carries out a rebooking.
// No peer is asked to rebook, so a request does not wander.
func (s *Service) Rebook(ctx context.Context, r reservations.RebookRequest) (reservations.Reservation, error) {
	var none reservations.Reservation
	b, err := reservationBucket(r.ReservationID)
	if err == nil {
		err = rules.CheckKey(r.Key, false)
	}
	if err != nil {
		return none, err
	}
	legs, err := checkLegs(r)
	if err != nil {
		return none, err
	}
	step := rules.Step{Key: r.Key, Fingerprint: idempotency.Fingerprint("rebook", r)}
	if step.Key == "" {
		step.Key = "rebook:" + step.Fingerprint
	}
	old, err := s.store.Read(ctx, store.Subject{Bucket: b, ReservationID: r.ReservationID, Key: step.Key})
	if err != nil {
		return none, err
	}
	if done, err := rules.Rebooked(old, r.ReservationID, step); err != nil || done != nil {
		if done != nil {
			return *done, nil
		}
		return none, err
	}
	trip := rebooking{flights: s.store, peer: s.peer, step: step, customer: old.Reservation.CustomerID, legs: legs}
	if err := trip.find(ctx); err != nil {
		return none, err
	}
	if err := trip.book(ctx); err != nil {
		return none, trip.undo(ctx, err)
	}
	var out reservations.Reservation
	err = s.update(ctx, store.Subject{Bucket: b, ReservationID: r.ReservationID, Key: step.Key},
		func(st store.State, g rules.Geometry) (c store.Change, err error) {
			out, c, err = rules.Replace(st, g, r.ReservationID, step, trip.legs[0].booked)
			return c, err
		})
	if err != nil {
		return none, trip.undo(ctx, err)
	}
	return out, nil
}

// rebooking is the new side of a rebooking.
type rebooking struct {
	flights  store.Store // to look them up
	peer     reservations.Service
	step     rules.Step
	customer string
	legs     []*leg
}

type leg struct {
	designator, date string
	seats            []string
	flightID         string
	hold             reservations.Hold
	booked           reservations.Reservation
}

// find looks up every leg's flight before anything is held.
func (t *rebooking) find(ctx context.Context) error {
	for _, l := range t.legs {
		id, err := t.flights.FlightByNumber(ctx, l.designator, l.date)
		if err != nil {
			return err
		}
		if id == "" {
			return errs.E(errs.FlightUnknown, "there is no flight %s on %s", l.designator, l.date)
		}
		l.flightID = id
	}
	return nil
}

// book holds all legs, then confirms them.
func (t *rebooking) book(ctx context.Context) error {
	for i, l := range t.legs {
		if err := t.holdLeg(ctx, i, l); err != nil {
			return err
		}
	}
	for i, l := range t.legs {
		related := ""
		if len(t.legs) > 1 {
			other := t.legs[1-i].hold
			b, err := holdBucket(other.HoldID)
			if err != nil {
				return err
			}
			related = confirmedID(b, other.HoldID, other.Token)
		}
		booked, err := t.peer.Confirm(ctx, reservations.HoldAction{
			HoldID: l.hold.HoldID, Token: l.hold.Token, Related: related, Key: t.key("confirm " + l.hold.HoldID),
		})
		if err != nil {
			return ofLeg(err)
		}
		booked.Replayed = false
		l.booked = booked
	}
	return nil
}

// maxTries bounds how often one key's rebooking may be refused and tried again.
const maxTries = 16

// holdLeg holds the seats of a leg, or finds the hold of a try that broke off. A try
// that was taken back left a hold that is over; the next one has a key of its own.
func (t *rebooking) holdLeg(ctx context.Context, i int, l *leg) error {
	for try := range maxTries {
		h, err := t.peer.Hold(ctx, reservations.HoldRequest{
			FlightID: l.flightID, CustomerID: t.customer, Seats: l.seats, Key: t.key(fmt.Sprintf("hold %d %d", i, try)),
		})
		if err != nil {
			return ofLeg(err)
		}
		alive := true
		if h.Replayed {
			if alive, err = t.alive(ctx, h); err != nil {
				return ofLeg(err)
			}
		}
		if alive {
			l.hold = h
			return nil
		}
	}
	return errs.E(errs.Conflict, "this rebooking was refused %d times; use a new Idempotency-Key", maxTries)
}

// alive tells whether an earlier try's hold still stands for its seats.
func (t *rebooking) alive(ctx context.Context, h reservations.Hold) (bool, error) {
	now, err := t.peer.GetHold(ctx, h.HoldID, h.Token)
	if errs.CodeOf(err) == errs.HoldUnknown {
		return false, nil
	}
	if err != nil || now.Status == reservations.HoldActive {
		return err == nil, err
	}
	if now.Status != reservations.HoldConfirmed {
		return false, nil
	}
	r, err := t.peer.GetReservation(ctx, now.ReservationID)
	return r.Status == reservations.Confirmed, err
}

// ofLeg is the error of a step on a new flight. That its owner was not found says nothing
// of the old reservation's bucket, of which alone a Misdirected answer may speak: whoever
// routes would look for another owner of that.
func ofLeg(err error) error {
	if errs.CodeOf(err) == errs.Misdirected {
		return errs.E(errs.Unavailable, "the owner of a new flight was not found; send the same request again").Because(err)
	}
	return err
}

// undo takes back what was booked, if err is a refusal; if it is not known what
// happened, everything stays for the retry, also if that goes to the store which owns the
// old reservation by then. It gives the error to answer.
func (t *rebooking) undo(ctx context.Context, err error) error {
	if code := errs.CodeOf(err); code == errs.Misdirected || errs.Status(code) >= 500 {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for _, l := range t.legs {
		if l.hold.HoldID == "" {
			continue
		}
		if undone := t.undoLeg(ctx, l); undone != nil {
			return errs.E(errs.Unavailable, "the rebooking was refused and not all of it is taken back yet; send it again").Because(undone)
		}
	}
	return err
}

// undoLeg releases the hold, or cancels what it became.
func (t *rebooking) undoLeg(ctx context.Context, l *leg) error {
	h, err := t.peer.GetHold(ctx, l.hold.HoldID, l.hold.Token)
	if err != nil {
		return err
	}
	if h.Status == reservations.HoldConfirmed {
		_, err = t.peer.Cancel(ctx, h.ReservationID)
		return err
	}
	_, err = t.peer.Release(ctx, reservations.HoldAction{HoldID: l.hold.HoldID, Token: l.hold.Token})
	return err
}

// key makes a step's key from the request's.
func (t *rebooking) key(step string) string {
	return idempotency.Fingerprint("rebook step", []string{t.step.Key, t.step.Fingerprint, step})
}

// designatorForm is carrier, 1 to 4 digits and perhaps a suffix; a space is accepted.
var designatorForm = regexp.MustCompile(`^([A-Z][A-Z0-9]|[0-9][A-Z]) ?([0-9]{1,4})([A-Z]?)$`)

// checkLegs canonicalises the legs: AA0025 is AA25.
func checkLegs(r reservations.RebookRequest) ([]*leg, error) {
	asked := []reservations.Leg{r.Outbound}
	if r.Returning != nil {
		asked = append(asked, *r.Returning)
	}
	legs := make([]*leg, 0, len(asked))
	for _, a := range asked {
		if err := rules.CheckSeats(a.Seats); err != nil {
			return nil, err
		}
		part := designatorForm.FindStringSubmatch(a.FlightNum)
		if part == nil || strings.Trim(part[2], "0") == "" {
			return nil, errs.E(errs.Invalid, "flight_num must be a carrier and a number, such as AA34")
		}
		if _, err := time.Parse(time.DateOnly, a.FlightDate); err != nil {
			return nil, errs.E(errs.Invalid, "flight_date must be a local date, such as 2026-11-21")
		}
		legs = append(legs, &leg{
			designator: part[1] + strings.TrimLeft(part[2], "0") + part[3], date: a.FlightDate, seats: a.Seats,
		})
	}
	return legs, nil
}
