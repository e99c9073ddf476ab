package reservationslocal_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/store"
)

// schedule gives both stores six flights, three of each owner, and tells them by owner.
func (y *system) schedule(t *testing.T) (of [2][]store.Flight) {
	t.Helper()
	var all []store.Flight
	for n := 1; len(all) < 6; n++ {
		f := plane(n)
		if o := y.owners[bucket.Of(f.FlightID)]; len(of[o]) < 3 {
			of[o] = append(of[o], f)
			all = append(all, f)
		}
	}
	for _, s := range y.sides {
		if err := s.Apply(t.Context(), "flights", 1, []store.Configuration{{ID: "A-6.1", Seats: rows()}}, all); err != nil {
			t.Fatal(err)
		}
	}
	return of
}

// trip books the first flight and asks to have it rebooked to the others.
func (y *system) trip(t *testing.T, flights [3]store.Flight) (reservations.Reservation, reservations.RebookRequest) {
	t.Helper()
	old, err := y.Reserve(t.Context(), reservations.ReserveRequest{FlightID: flights[0].FlightID, CustomerID: "ann", Seats: []string{"1A"}})
	if err != nil {
		t.Fatal(err)
	}
	leg := func(f store.Flight, seat string) reservations.Leg {
		return reservations.Leg{FlightNum: f.Designator, FlightDate: f.Date, Seats: []string{seat}}
	}
	back := leg(flights[2], "2B")
	return old, reservations.RebookRequest{ReservationID: old.ReservationID, Outbound: leg(flights[1], "2A"), Returning: &back, Key: "k"}
}

// rebooked checks all three flights.
func (y *system) rebooked(t *testing.T, flights [3]store.Flight, old, got reservations.Reservation) {
	t.Helper()
	for i, want := range []map[string]reservations.SeatState{{}, {"2A": reservations.Reserved}, {"2B": reservations.Reserved}} {
		if is, err := y.Seats(t.Context(), flights[i].FlightID); err != nil || !reflect.DeepEqual(is.Seats, want) {
			t.Errorf("flight %d: %v, not %v (%v)", i, is.Seats, want, err)
		}
	}
	was, err := y.GetReservation(t.Context(), old.ReservationID)
	if err != nil || was.Status != reservations.Cancelled {
		t.Errorf("the old one is %+v, %v", was, err)
	}
	other, err := y.GetReservation(t.Context(), got.Related)
	if err != nil || other.FlightID != flights[2].FlightID || other.Related != got.ReservationID {
		t.Errorf("the other leg of %+v is %+v, %v", got, other, err)
	}
}

// TestRebookAcrossStores rebooks with every choice of owners.
func TestRebookAcrossStores(t *testing.T) {
	for name, start := range splits() {
		t.Run(name, func(t *testing.T) {
			for owners := range 8 {
				y := start(t)
				of := y.schedule(t)
				var flights [3]store.Flight
				for i := range flights {
					flights[i] = of[owners>>i&1][i]
				}
				old, ask := y.trip(t, flights)
				got, err := y.Rebook(t.Context(), ask)
				if err != nil {
					t.Fatalf("owners %03b: %v", owners, err)
				}
				y.rebooked(t, flights, old, got)
				again, err := y.Rebook(t.Context(), ask)
				if err != nil || !again.Replayed || again.ReservationID != got.ReservationID {
					t.Errorf("owners %03b: again %+v, %v", owners, again, err)
				}
				if alone := owners == 0 || owners == 7; alone != (y.crossed.Load() == 0) {
					t.Errorf("owners %03b: %d calls from one to the other", owners, y.crossed.Load())
				}
			}
		})
	}
}

// TestRebookNeverMisdirectsForItsLegs asks a service that looks for all flights in its own
// store. Whoever routed the request to the old reservation's owner was right: it must not
// be told 421. What was begun goes on when the owners are found.
func TestRebookNeverMisdirectsForItsLegs(t *testing.T) {
	y := newSystem(t, [2]side{sqlSide(t, dbtest.SQLite(t), true), redisSide(t, dbtest.RedisAddr(t), false)}, nil)
	of := y.schedule(t)
	for n, flights := range [][3]store.Flight{
		{of[0][0], of[1][0], of[0][1]}, // the first step fails
		{of[0][2], of[0][1], of[1][1]}, // the second: a hold is left for the retry
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			old, ask := y.trip(t, flights)
			ask.Key = fmt.Sprint("k", n)
			y.services[0].Peers(y.services[0])
			for range 2 {
				_, err := y.Rebook(t.Context(), ask)
				var e *errs.Error
				if !errors.As(err, &e) || e.Code != errs.Unavailable || e.Fields["bucket"] != nil {
					t.Fatalf("a leg elsewhere gives %v", err)
				}
			}
			if was, err := y.GetReservation(t.Context(), old.ReservationID); err != nil || was.Status != reservations.Confirmed {
				t.Errorf("the old one is %+v, %v", was, err)
			}
			y.services[0].Peers(y.spread)
			got, err := y.Rebook(t.Context(), ask)
			if err != nil {
				t.Fatal(err)
			}
			y.rebooked(t, flights, old, got)
			for _, f := range flights[1:] { // for the next
				r := got
				if f.FlightID != r.FlightID {
					r.ReservationID = got.Related
				}
				if _, err := y.Cancel(t.Context(), r.ReservationID); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestRebookFollowsItsReservation moves the old reservation away when the new seats are
// booked: its bucket's 421 must come back, and the request go on at the new owner.
func TestRebookFollowsItsReservation(t *testing.T) {
	y := newSystem(t, [2]side{sqlSide(t, dbtest.SQLite(t), true), redisSide(t, dbtest.RedisAddr(t), false)}, direct)
	of := y.schedule(t)
	flights := [3]store.Flight{of[0][0], of[0][1], of[1][0]}
	old, ask := y.trip(t, flights)
	b := bucket.Of(flights[0].FlightID)
	y.services[0].Peers(confirmThen{y.spread, func() {
		if y.owners[b] == 0 {
			if _, err := move(t.Context(), 5, y.sides[0], y.sides[1], []int{b}); err != nil {
				t.Error(err)
			}
			y.owners[b] = 1
		}
	}})
	_, err := y.services[0].Rebook(t.Context(), ask)
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != errs.Misdirected || fmt.Sprint(e.Fields["bucket"]) != fmt.Sprint(b) || e.Fields["mode"] != string(handover.Sealed) {
		t.Fatalf("the bucket moved away, and the answer is %v", err)
	}
	got, err := y.services[1].Rebook(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	y.rebooked(t, flights, old, got)
}

// confirmThen does something after every confirmation.
type confirmThen struct {
	reservations.Service
	then func()
}

func (c confirmThen) Confirm(ctx context.Context, r reservations.HoldAction) (reservations.Reservation, error) {
	booked, err := c.Service.Confirm(ctx, r)
	c.then()
	return booked, err
}
