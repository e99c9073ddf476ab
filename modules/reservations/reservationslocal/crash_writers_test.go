package reservationslocal_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
)

const (
	crashWriters = 12
	crashSeats   = 120
)

func crashSeat(n int) string { return strconv.Itoa(1+n/6) + string("ABCDEF"[n%6]) }

// book is what the service acknowledged.
type book struct {
	mu         sync.Mutex
	held       []reservations.Hold // not confirmed
	reserved   []reservations.Reservation
	taken      int // seats refused
	unanswered int // requests whose outcome was not told
}

// writers hold seats and confirm most of them, all through the crashes.
type writers struct {
	t     *testing.T
	child *child
	book  book
	end   context.CancelFunc
	done  sync.WaitGroup
}

func startWriters(t *testing.T, c *child) *writers {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	w := &writers{t: t, child: c, end: end}
	for id := range crashWriters {
		w.done.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				w.write(ctx, fmt.Sprintf("customer-%d-%d", id, n), n)
			}
		})
	}
	t.Cleanup(w.stop)
	return w
}

func (w *writers) stop() {
	w.end()
	w.done.Wait()
}

// write claims a seat or two on a flight that the others try at the same time.
func (w *writers) write(ctx context.Context, customer string, n int) {
	at := rand.IntN(crashSeats - 1)
	r := reservations.HoldRequest{
		FlightID: crashFlight(n / 4 % crashFlights), CustomerID: customer, Key: "hold-" + customer,
		Seats: []string{crashSeat(at), crashSeat(at + 1)}[:1+n%2],
	}
	h, err := insist(ctx, w, func(s reservations.Service) (reservations.Hold, error) { return s.Hold(ctx, r) })
	if errs.CodeOf(err) == errs.SeatTaken {
		w.note(func(b *book) { b.taken++ })
		return
	}
	if err != nil {
		w.unexpected(ctx, "hold", err)
		return
	}
	if n%5 == 0 {
		w.note(func(b *book) { b.held = append(b.held, h) })
		return
	}
	action := reservations.HoldAction{HoldID: h.HoldID, Token: h.Token, Key: "confirm-" + customer}
	c, err := insist(ctx, w, func(s reservations.Service) (reservations.Reservation, error) { return s.Confirm(ctx, action) })
	if err != nil {
		w.unexpected(ctx, "confirm", err)
		return
	}
	w.note(func(b *book) { b.reserved = append(b.reserved, c) })
}

func (w *writers) note(change func(*book)) {
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	change(&w.book)
}

func (w *writers) unexpected(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		w.t.Errorf("%s: %v", what, err)
	}
}

// insist repeats a request, with the same key, until it is answered.
func insist[T any](ctx context.Context, w *writers, ask func(reservations.Service) (T, error)) (T, error) {
	for {
		out, err := ask(w.child.service())
		code := errs.CodeOf(err)
		if code != errs.Unavailable && code != errs.BadGateway && code != errs.GatewayTimeout {
			return out, err
		}
		w.note(func(b *book) { b.unanswered++ })
		select {
		case <-ctx.Done():
			return out, err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// awaitProgress waits until some hundred more reservations are acknowledged.
func (w *writers) awaitProgress() {
	w.t.Helper()
	count := func() (n int) {
		w.note(func(b *book) { n = len(b.reserved) })
		return n
	}
	goal := count() + 100
	for deadline := time.Now().Add(20 * time.Second); count() < goal; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("no progress after the restart: %d reservations, %d wanted", count(), goal)
		}
	}
}

// verify compares the book with what the service says, and lists what is wrong.
func (b *book) verify(ctx context.Context, s reservations.Service) (wrong []string) {
	sold := map[string]string{} // flight and seat -> who was told that it is theirs
	claim := func(flight, who string, seats []string) {
		for _, seat := range seats {
			if other, twice := sold[flight+" "+seat]; twice {
				wrong = append(wrong, fmt.Sprintf("seat %s of %s was given to %s and to %s", seat, flight, other, who))
			}
			sold[flight+" "+seat] = who
		}
	}
	for _, h := range b.held {
		claim(h.FlightID, h.HoldID, h.Seats)
		now, err := s.GetHold(ctx, h.HoldID, h.Token)
		if err != nil || now.Status != reservations.HoldActive || !slices.Equal(now.Seats, h.Seats) {
			wrong = append(wrong, fmt.Sprintf("acknowledged hold %s of %v is now %+v, %v", h.HoldID, h.Seats, now, err))
		}
	}
	people := map[string]map[string]string{}
	for _, r := range b.reserved {
		claim(r.FlightID, r.ReservationID, r.Seats)
		now, err := s.GetReservation(ctx, r.ReservationID)
		if err != nil || now.Status != reservations.Confirmed || !slices.Equal(now.Seats, r.Seats) {
			wrong = append(wrong, fmt.Sprintf("acknowledged reservation %s of %v is now %+v, %v", r.ReservationID, r.Seats, now, err))
			continue
		}
		on, known := people[r.FlightID]
		if !known {
			if on, err = s.Occupants(ctx, r.FlightID); err != nil {
				wrong = append(wrong, fmt.Sprintf("occupants of %s: %v", r.FlightID, err))
			}
			people[r.FlightID] = on
		}
		for _, seat := range r.Seats {
			if on[seat] != r.CustomerID {
				wrong = append(wrong, fmt.Sprintf("seat %s of %s belongs to %q, not to %s", seat, r.FlightID, on[seat], r.CustomerID))
			}
		}
	}
	return wrong
}
