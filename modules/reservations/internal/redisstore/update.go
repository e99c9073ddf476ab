package redisstore

import (
	"context"
	"math/rand/v2"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/guess"
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
	if guessed, ok := s.guess(sub); ok && !mutant.FreezeWithoutDrain {
		change, err := decide(guessed.State)
		if err == nil && !change.Empty() {
			tolerance := guess.Tolerance.Microseconds()
			done, err := s.commit(ctx, sub, &guessed, change, guessed.Now-tolerance, guessed.Now+tolerance)
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
		if mode, _ := modeOf(loaded.fence); mutant.FreezeWithoutDrain && mode != store.ModeActive {
			return misdirected(sub.Bucket, loaded.fence)
		}
		change, err := decide(loaded.State)
		if err != nil || change.Empty() {
			return err
		}
		done, err := s.commit(ctx, sub, &loaded, change, 0, loaded.until())
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
	now := s.clock.Now()
	known, ok := s.flights.Get(sub.FlightID)
	if !ok || now == 0 {
		return snapshot{}, false
	}
	g := snapshot{flightID: sub.FlightID, flight: known.record, fields: make([]field, 0, 1+len(sub.Seats))}
	for _, seat := range sub.Seats {
		g.fields = append(g.fields, field{name: seat, becomes: unchanged})
	}
	if sub.CustomerID != "" {
		g.fields = append(g.fields, field{name: counts(sub.CustomerID), becomes: unchanged})
	}
	g.Now, g.Flight = now, &known.flight // nobody writes to it
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

// change enters what the fields become, and keeps the customers' counts in step with
// the seats: a seat counts for whom it is held.
func (l *snapshot) change(c store.Change) error {
	for _, seat := range c.Free {
		if err := l.uncount(seat); err != nil {
			return err
		}
		l.seat(seat).becomes = ""
	}
	for _, seat := range c.Put {
		if err := l.uncount(seat); err != nil {
			return err
		}
		l.seat(seat).becomes = packSeat(c.As)
		if c.As.Kind != store.Held || c.As.CustomerID == "" {
			continue
		}
		if err := l.recount(c.As.CustomerID, seat, c.As.ExpiresAt); err != nil {
			return err
		}
	}
	return nil
}

// seat gives the field of a seat; one that was not loaded must be absent.
func (l *snapshot) seat(name string) *field {
	if f := l.find(name); f != nil {
		return f
	}
	l.fields = append(l.fields, field{name: name, becomes: unchanged})
	return &l.fields[len(l.fields)-1]
}

// uncount takes a seat off the count of whoever holds it now.
func (l *snapshot) uncount(seat string) error {
	if was := l.State.Seats[seat]; was.Kind == store.Held && was.CustomerID != "" {
		return l.recount(was.CustomerID, seat, 0)
	}
	return nil
}

// recount sets until when a customer holds a seat.
func (l *snapshot) recount(customer, seat string, expires int64) error {
	f := l.find(counts(customer))
	if f == nil {
		return errs.E(errs.Internal, "redisstore: a seat is held for a customer that the subject does not name")
	}
	now := f.had
	if f.becomes != unchanged {
		now = f.becomes
	}
	held, err := unpackCounted(now)
	if err != nil {
		return err
	}
	f.becomes = append(held.without(seat), countedSeat{seat, expires}).pack(l.Now)
	return nil
}
