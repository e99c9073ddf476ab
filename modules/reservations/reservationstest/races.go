package reservationstest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
)

func raceTests() []test {
	return []test{
		{"200 callers for one seat", oneSeat},
		{"overlapping triples", triples},
		{"expiry and confirm at once", expiryAgainstConfirm},
		{"one key from many callers", oneKey},
	}
}

// together runs fn for 0 to n-1, all started at once.
func together(n int, fn func(i int)) {
	start := make(chan struct{})
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	done.Wait()
}

func oneSeat(t *testing.T, w *world) {
	f, s := w.flight(t), w.harness.Service
	winners := make([]reservations.Hold, 200)
	together(len(winners), func(i int) {
		r := hold(f, fmt.Sprint("customer-", i), "12C")
		for range 2 { // the winner's second try gets its first answer, a loser loses again
			h, err := s.Hold(t.Context(), r)
			if err != nil && errs.CodeOf(err) != errs.SeatTaken {
				t.Errorf("caller %d: %v", i, err)
			}
			if err == nil && winners[i].HoldID != "" && h.HoldID != winners[i].HoldID {
				t.Errorf("caller %d got holds %s and %s", i, winners[i].HoldID, h.HoldID)
			}
			if err == nil {
				winners[i] = h
			}
		}
	})
	var won []reservations.Hold
	for _, h := range winners {
		if h.HoldID != "" {
			won = append(won, h)
		}
	}
	if len(won) != 1 {
		t.Fatalf("%d callers got the seat", len(won))
	}
	_, err := s.Confirm(t.Context(), on(won[0]))
	want(t, "confirm", err, "")
}

// triples lets many callers ask for three seats side by side. Some give theirs back at
// once, so that seats change hands while others ask.
func triples(t *testing.T, w *world) {
	f, s := w.flight(t), w.harness.Service
	var mu sync.Mutex
	owner := map[string]string{}
	kept := 0
	together(60, func(i int) {
		at := rand.IntN(12)
		seats := roomySeats()[at : at+3]
		h, err := s.Hold(t.Context(), hold(f, fmt.Sprint("customer-", i), seats...))
		if err != nil {
			if errs.CodeOf(err) != errs.SeatTaken {
				t.Errorf("caller %d: %v", i, err)
			}
			return
		}
		if i%3 == 0 {
			if _, err := s.Release(t.Context(), on(h)); err != nil {
				t.Errorf("release: %v", err)
			}
			return
		}
		if _, err := s.Confirm(t.Context(), on(h)); err != nil {
			t.Errorf("confirm: %v", err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		kept++
		for _, seat := range seats {
			if other, taken := owner[seat]; taken {
				t.Errorf("seat %s was sold to %s and to customer-%d", seat, other, i)
			}
			owner[seat] = fmt.Sprint("customer-", i)
		}
	})
	people, err := s.Occupants(t.Context(), f.FlightID)
	want(t, "occupants", err, "")
	if a, b := asJSON(t, people), asJSON(t, owner); a != b {
		t.Errorf("the flight says %s, the callers %s", a, b)
	}
	if len(people) != 3*kept {
		t.Errorf("%d groups of three got %d seats", kept, len(people))
	}
	if kept == 0 { // by chance all that got seats gave them back: they are to be had
		_, err := s.Hold(t.Context(), hold(f, "customer-last", roomySeats()[:3]...))
		want(t, "hold what was given back", err, "")
	}
}

// expiryAgainstConfirm confirms holds within a few milliseconds of their expiry, while
// a rival keeps asking for the seat: exactly one of the two gets it.
func expiryAgainstConfirm(t *testing.T, w *world) {
	const flights, rounds = 12, 6
	confirmed, expired := 0, 0
	var mu sync.Mutex
	for range rounds {
		list := w.flights(t, flights)
		together(flights, func(i int) {
			won, ok := duel(t, w, list[i])
			mu.Lock()
			defer mu.Unlock()
			if ok && won {
				confirmed++
			} else if ok {
				expired++
			}
		})
	}
	t.Logf("%d confirmed in time, %d expired", confirmed, expired)
}

// duel plays one round on one flight; won tells whether the confirm came in time.
func duel(t *testing.T, w *world, f fact) (won, ok bool) {
	s := w.harness.Service
	r := hold(f, "holder", "12C")
	r.TTLSeconds = 1
	asked := time.Now()
	h, err := s.Hold(t.Context(), r)
	if err != nil {
		t.Errorf("hold: %v", err)
		return false, false
	}
	expires := asked.Add(h.ExpiresAt.Sub(h.ServerTime)) // a little early, by how long the call took
	rival := make(chan error, 1)
	go func() {
		time.Sleep(time.Until(expires) - 5*time.Millisecond)
		ask := hold(f, "rival", "12C")
		var err error
		for range 400 {
			if _, err = s.Hold(t.Context(), ask); errs.CodeOf(err) != errs.SeatTaken {
				break
			}
			if time.Now().After(expires.Add(300 * time.Millisecond)) {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		rival <- err
	}()
	time.Sleep(time.Until(expires) - time.Duration(rand.IntN(80)-40)*time.Millisecond/4)
	_, confirmErr := s.Confirm(t.Context(), on(h))
	rivalErr := <-rival
	switch {
	case confirmErr == nil && errs.CodeOf(rivalErr) == errs.SeatTaken:
		won = true
	case errs.CodeOf(confirmErr) == errs.HoldExpired && rivalErr == nil:
	default:
		t.Errorf("%s: confirm %v, rival %v", f.FlightID, confirmErr, rivalErr)
		return false, false
	}
	got, err := s.Seats(t.Context(), f.FlightID)
	state := map[bool]reservations.SeatState{true: reservations.Reserved, false: reservations.Held}[won]
	if err != nil || got.Seats["12C"] != state {
		t.Errorf("%s: seat is %v (%v), want %s", f.FlightID, got.Seats, err, state)
	}
	return won, true
}

// oneKey sends one request many times at once: one effect, one answer.
func oneKey(t *testing.T, w *world) {
	f, s := w.flight(t), w.harness.Service
	ask := hold(f, "ann", "12C", "12D")
	answers := make([]reservations.Hold, 32)
	together(len(answers), func(i int) {
		var err error
		if answers[i], err = s.Hold(t.Context(), ask); err != nil {
			t.Errorf("caller %d: %v", i, err)
		}
	})
	first := 0
	for _, h := range answers {
		if !h.Replayed {
			first++
		}
		if h.HoldID != answers[0].HoldID || h.Token != answers[0].Token {
			t.Errorf("answers %+v and %+v differ", h, answers[0])
		}
	}
	if first != 1 {
		t.Errorf("%d of the answers were the first", first)
	}
	if got := w.states(t, f, all(reservations.Held, "12C", "12D")); got.Version != 1 {
		t.Errorf("the version is %d", got.Version)
	}
}
