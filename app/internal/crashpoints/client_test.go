package crashpoints_test

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
	"banyan/modules/reservations/reservationslocal"
	"banyan/proxy/handover/handovertestkit"
)

// booking is what a client asked for, and what it was told.
type booking struct {
	n       int
	ask     reservations.HoldRequest
	hold    reservations.Hold
	confirm reservations.HoldAction
	sold    reservations.Reservation // without an id: it is still a hold
}

// confirms tells whether a client goes on from the hold to the reservation.
func confirms(n int) bool { return n%2 == 1 }

// ledger is what clients know.
type ledger struct {
	t       testing.TB
	flights []string // by bucket

	mu    sync.Mutex
	acked map[int]booking
	by    map[int][]int // the bookings of a bucket, in their order
}

func newLedger(t testing.TB) *ledger {
	return &ledger{t: t, flights: flights(flown), acked: map[int]booking{}, by: map[int][]int{}}
}

// request is the nth booking; its seat is the next one that nobody was told is theirs.
func (l *ledger) request(b, n int) reservations.HoldRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return reservations.HoldRequest{
		FlightID: l.flights[b], CustomerID: fmt.Sprint("customer-", n), Seats: []string{seat(len(l.by[b]))}, Key: fmt.Sprint("hold-", n),
	}
}

func (l *ledger) note(b int, made booking) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.acked[made.n]; !known {
		l.by[b] = append(l.by[b], made.n)
	}
	l.acked[made.n] = made
}

func (l *ledger) get(n int) (booking, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	made, ok := l.acked[n]
	return made, ok
}

// of gives the bookings of a bucket.
func (l *ledger) of(b int) []booking {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []booking
	for _, n := range l.by[b] {
		list = append(list, l.acked[n])
	}
	return list
}

// side is one of the two services, as clients use it.
type side struct {
	*reservationslocal.Service
	ledger *ledger
}

// book makes a booking, and notes it when all of it was acknowledged.
func (s side) book(ctx context.Context, b int, made booking) error {
	var err error
	if made.hold, err = s.Hold(ctx, made.ask); err != nil {
		return err
	}
	if confirms(made.n) {
		made.confirm = reservations.HoldAction{HoldID: made.hold.HoldID, Token: made.hold.Token, Key: fmt.Sprint("confirm-", made.n)}
		if made.sold, err = s.Confirm(ctx, made.confirm); err != nil {
			return err
		}
	}
	s.ledger.note(b, made)
	return nil
}

// write makes the nth booking on a store that answers: it takes it, or says that another
// one has to.
func (s side) write(ctx context.Context, b, n int) error {
	err := s.book(ctx, b, booking{n: n, ask: s.ledger.request(b, n)})
	if err != nil && errs.CodeOf(err) != errs.Misdirected {
		s.ledger.t.Errorf("booking %d in bucket %d: %v", n, b, err)
	}
	return err
}

// has tells whether the nth booking is what its client was told. The newest one of a
// bucket stands for the flight.
func (s side) has(ctx context.Context, b, n int) (bool, error) {
	made, ok := s.ledger.get(n)
	if !ok {
		return false, fmt.Errorf("nobody was told of booking %d", n)
	}
	if err := s.still(ctx, made); err != nil {
		return false, err
	}
	list := s.ledger.of(b)
	if n != list[len(list)-1].n {
		return true, nil
	}
	if err := s.exactly(ctx, b, list); err != nil {
		return false, err
	}
	return true, s.guarded(ctx, made)
}

// still wants a booking to be there as it was acknowledged.
func (s side) still(ctx context.Context, made booking) error {
	if made.sold.ReservationID != "" {
		now, err := s.GetReservation(ctx, made.sold.ReservationID)
		return same("reservation", made.sold, now, err)
	}
	now, err := s.GetHold(ctx, made.hold.HoldID, made.hold.Token)
	was := made.hold
	was.ServerTime, was.Replayed = now.ServerTime, now.Replayed
	was.Token = now.Token // shown once
	return same("hold", was, now, err)
}

// again wants a retry to get the first answer.
func (s side) again(ctx context.Context, made booking) error {
	hold, err := s.Hold(ctx, made.ask)
	if err := retried("hold", made.hold, hold, hold.Replayed, err); err != nil {
		return err
	}
	if made.sold.ReservationID == "" {
		return nil
	}
	sold, err := s.Confirm(ctx, made.confirm)
	return retried("reservation", made.sold, sold, sold.Replayed, err)
}

func retried[T any](what string, was, is T, replayed bool, err error) error {
	if err == nil && !replayed {
		return fmt.Errorf("a retry was taken for a new request: %+v, was %+v", is, was)
	}
	reflect.ValueOf(&was).Elem().FieldByName("Replayed").SetBool(true)
	return same("answer to a retry of a "+what, was, is, err)
}

func same[T any](what string, was, is T, err error) error {
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(was, is) {
		return fmt.Errorf("the %s is %+v, was %+v", what, is, was)
	}
	return nil
}

// exactly wants the seats of a bucket's flight to be those of its bookings, and no others,
// each of one booking.
func (s side) exactly(ctx context.Context, b int, list []booking) error {
	want := map[string]reservations.SeatState{}
	for _, made := range list {
		for _, name := range made.ask.Seats {
			if _, twice := want[name]; twice {
				return fmt.Errorf("seat %s of bucket %d was sold twice", name, b)
			}
			want[name] = reservations.Held
			if made.sold.ReservationID != "" {
				want[name] = reservations.Reserved
			}
		}
	}
	now, err := s.Seats(ctx, s.ledger.flights[b])
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(now.Seats, want) {
		return fmt.Errorf("bucket %d has the seats %v, not %v", b, now.Seats, want)
	}
	return nil
}

// guarded wants retries answered, and the seat and the token denied to strangers.
func (s side) guarded(ctx context.Context, made booking) error {
	if err := s.again(ctx, made); err != nil {
		return err
	}
	stranger := made.ask
	stranger.CustomerID, stranger.Key = "stranger", stranger.Key+"-stranger"
	if _, err := s.Hold(ctx, stranger); errs.CodeOf(err) != errs.SeatTaken {
		return fmt.Errorf("a stranger asked for seat %v: %w", made.ask.Seats, err)
	}
	if _, err := s.GetHold(ctx, made.hold.HoldID, "00000000000000000000000000000000"); errs.CodeOf(err) != errs.TokenMismatch {
		return fmt.Errorf("a stranger's token opened hold %s: %w", made.hold.HoldID, err)
	}
	return nil
}

// kit lets the kit use a side.
func (s side) kit() handovertestkit.Store {
	return handovertestkit.Store{Participant: s.Participant(), Write: s.write, Has: s.has}
}
