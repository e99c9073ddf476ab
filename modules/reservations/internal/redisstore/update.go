package redisstore

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/store"
)

// attempts bounds how often an update that met other writers starts again.
const attempts = 20

// decided is how long a decision may take to arrive, in microseconds; later it is made
// again on a newer state.
const decided = int64(2 * time.Second / time.Microsecond)

// Update implements store.Store: load, decide, and commit if nothing has changed in
// between. A claim of new seats is first tried on a guess of the state, which saves the
// load.
func (s *Store) Update(ctx context.Context, sub store.Subject, decide func(store.State) (store.Change, error)) error {
	if guess, ok := s.guess(sub); ok {
		change, err := decide(guess.State)
		if err == nil && !change.Empty() {
			tolerance := guessTolerance.Microseconds()
			done, err := s.commit(ctx, sub, guess, change, guess.Now-tolerance, guess.Now+tolerance)
			if done || err != nil {
				return redisdb.Fail(err)
			}
		}
	}
	for attempt := range attempts {
		if err := pause(ctx, attempt); err != nil {
			return err
		}
		loaded, err := s.load(ctx, sub)
		if err != nil {
			return redisdb.Fail(err)
		}
		change, err := decide(loaded.State)
		if err != nil || change.Empty() {
			return err
		}
		done, err := s.commit(ctx, sub, loaded, change, 0, loaded.until())
		if done || err != nil {
			return redisdb.Fail(err)
		}
	}
	return errs.E(errs.Unavailable, "too many others changed the same seats at once; try again")
}

// pause spreads out those who met, a little more each time.
func pause(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return errs.E(errs.Unavailable, "the seats were contended for too long").Because(ctx.Err())
	case <-time.After(rand.N(time.Duration(attempt) * time.Millisecond)): //nolint:gosec // spreads load, guards nothing
		return nil
	}
}

// guess assumes what is nearly always true of a new claim: the flight is as it was when
// last seen, the seats are free, the key is new, the customer holds nothing there yet.
func (s *Store) guess(sub store.Subject) (snapshot, bool) {
	if sub.FlightID == "" || len(sub.Seats) == 0 || sub.Key == "" {
		return snapshot{}, false
	}
	now := s.clock.now()
	known, ok := s.flights.get(sub.FlightID)
	if !ok || now == 0 {
		return snapshot{}, false
	}
	g := snapshot{
		flightID: sub.FlightID, flight: known.record,
		seats: make(map[string]string, len(sub.Seats)), customers: map[string]string{sub.CustomerID: ""},
	}
	for _, seat := range sub.Seats {
		g.seats[seat] = ""
	}
	g.Now, g.Flight = now, &known.flight
	g.State.Seats = map[string]store.Seat{}
	return g, true
}

// until is when the decision stops being right by itself: when a hold expires that it
// saw as live.
func (l *snapshot) until() int64 {
	end := l.Now + decided
	for _, seat := range l.State.Seats {
		if seat.Kind == store.Held && seat.ExpiresAt > l.Now {
			end = min(end, seat.ExpiresAt)
		}
	}
	if l.Hold != nil && l.Hold.ExpiresAt > l.Now {
		end = min(end, l.Hold.ExpiresAt)
	}
	return end
}

// commit sends the change with everything it rests on. Not done means that something
// was otherwise and nothing was written.
func (s *Store) commit(ctx context.Context, sub store.Subject, l snapshot, c store.Change, from, to int64) (done bool, err error) {
	args, err := l.arguments(sub, c, from, to)
	if err != nil {
		return false, err
	}
	sent := s.clock.elapsed()
	answer, err := s.run(ctx, s.scripts.commit, s.fences[sub.Bucket], args)
	if err != nil {
		return false, err
	}
	a := text(answer)
	if a == "" {
		return false, fmt.Errorf("redisstore: commit answered %v", answer)
	}
	if a[0] == 'f' {
		return false, misdirected(sub.Bucket, a[1:])
	}
	ok := true
	now := number(a[1:], &ok)
	if !ok {
		return false, fmt.Errorf("redisstore: commit answered %q", a)
	}
	s.clock.learn(now, sent, s.clock.elapsed())
	return a[0] == 'k', nil
}

// arguments are those of commit.lua.
func (l *snapshot) arguments(sub store.Subject, c store.Change, from, to int64) ([]any, error) {
	ref := ""
	switch {
	case c.Reservation != nil:
		ref = c.Reservation.ReservationID
	case c.Hold != nil:
		ref = c.Hold.HoldID
	}
	args := make([]any, 0, 40)
	args = append(args, l.fence, from, to, l.flightID, c.Event, ref)
	args = l.appendSeats(args, c)

	customers, err := l.recount(sub, c)
	if err != nil {
		return nil, err
	}
	checks := 1 + len(customers)
	at := len(args)
	args = append(args, nil, "flights", l.flightID, l.flight)
	for _, cust := range customers {
		args = append(args, "cust", l.flightID+"|"+cust.name, cust.had)
	}
	for _, check := range []struct{ key, field, had string }{
		{"holds", sub.HoldID, l.hold}, {"res", sub.ReservationID, l.reservation}, {"idem", sub.Key, l.recorded},
	} {
		if check.field != "" {
			checks++
			args = append(args, check.key, check.field, check.had)
		}
	}
	args[at] = checks
	return appendWrites(args, l.flightID, sub, c, customers)
}

// appendSeats adds every seat that was looked at or is to be written, with what it was
// and what it becomes.
func (l *snapshot) appendSeats(args []any, c store.Change) []any {
	news := make(map[string]string, len(l.seats))
	for seat := range l.seats {
		news[seat] = "="
	}
	for _, seat := range c.Free {
		news[seat] = ""
	}
	for seat, record := range c.Put {
		news[seat] = packSeat(record)
	}
	args = append(args, len(news))
	for seat, record := range news {
		args = append(args, seat, l.seats[seat], record)
	}
	return args
}

func appendWrites(args []any, flightID string, sub store.Subject, c store.Change, customers []recounted) ([]any, error) {
	if c.Hold != nil {
		args = append(args, "holds", c.Hold.HoldID, packHold(c.Hold))
	}
	if c.Reservation != nil {
		args = append(args, "res", c.Reservation.ReservationID, packReservation(c.Reservation))
	}
	if c.Record != nil {
		if sub.Key == "" {
			return nil, errs.E(errs.Internal, "redisstore: an answer to record without a key")
		}
		args = append(args, "idem", sub.Key, packRecord(c.Record))
	}
	for _, cust := range customers {
		if cust.now != cust.had {
			args = append(args, "cust", flightID+"|"+cust.name, cust.now)
		}
	}
	return args, nil
}

// recounted is a customer's record before and after a change.
type recounted struct{ name, had, now string }

// recount keeps the customers' records in step with the seats: a seat counts for whom
// it is held. Only the customers whose record the decision used or changes come back.
func (l *snapshot) recount(sub store.Subject, c store.Change) ([]recounted, error) {
	touched := map[string]counted{}
	of := func(customer string) (counted, error) {
		if held, ok := touched[customer]; ok {
			return held, nil
		}
		record, ok := l.customers[customer]
		if !ok {
			return nil, errs.E(errs.Internal, "redisstore: a seat is held for a customer that the subject does not name")
		}
		held, err := unpackCounted(record)
		touched[customer] = held
		return held, err
	}
	if sub.CustomerID != "" {
		if _, err := of(sub.CustomerID); err != nil {
			return nil, err
		}
	}
	gone := c.Free
	for seat := range maps.Keys(c.Put) {
		gone = append(gone[:len(gone):len(gone)], seat)
	}
	for _, seat := range gone {
		if was := l.State.Seats[seat]; was.Kind == store.Held && was.CustomerID != "" {
			held, err := of(was.CustomerID)
			if err != nil {
				return nil, err
			}
			delete(held, seat)
		}
	}
	for seat, record := range c.Put {
		if record.Kind == store.Held && record.CustomerID != "" {
			held, err := of(record.CustomerID)
			if err != nil {
				return nil, err
			}
			held[seat] = record.ExpiresAt
		}
	}
	all := make([]recounted, 0, len(touched))
	for name, held := range touched {
		all = append(all, recounted{name: name, had: l.customers[name], now: held.pack(l.Now)})
	}
	return all, nil
}
