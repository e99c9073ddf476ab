package redisstore_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations/internal/guess"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
)

// warm makes the store guess from now on: it has met the flight, the clock and the script.
func warm(t *testing.T, s *redisstore.Store, f store.Flight) {
	t.Helper()
	for n := range 2 {
		sub, decide := claim(f, "warm", fmt.Sprint("warm", n), fmt.Sprint(90+n, "K"), time.Minute)
		update(t, s, sub, decide)
	}
}

// TestClaimOfAKnownKey claims a free seat with the key of a hold that is gone: what the
// claim rests on is wrong in nothing else.
func TestClaimOfAKnownKey(t *testing.T) {
	s := open(t, dbtest.RedisAddr(t), redisstore.Options{Own: true})
	f := flight(1, 1)
	apply(t, s, 1, f)
	warm(t, s, f)
	sub, decide := claim(f, "ann", "h1", "1A", time.Minute)
	update(t, s, sub, decide)
	release := func(st store.State) (store.Change, error) {
		st.Hold.Status = "RELEASED"
		return store.Change{Free: []string{"1A"}, Hold: st.Hold, Event: "released"}, nil
	}
	update(t, s, store.Subject{Bucket: sub.Bucket, HoldID: "h1"}, release)

	again, decide := claim(f, "bob", "h2", "1A", time.Minute)
	again.Key = sub.Key
	var seen *idempotency.Record
	update(t, s, again, func(st store.State) (store.Change, error) {
		seen = st.Recorded
		return decide(st)
	})
	if seen == nil || string(seen.Answer) != `{"hold_id":"h1"}` {
		t.Errorf("the last decision saw %+v", seen)
	}
	if st := read(t, s, again); len(st.Seats) != 0 {
		t.Errorf("claimed anew: %+v", st.Seats)
	}
}

// group claims seats of a flight together, and tells how often it was decided.
func group(t *testing.T, s *redisstore.Store, f store.Flight, customer, hold string, ttl time.Duration, seats ...string) (decided int, err error) {
	t.Helper()
	sub, decide := claim(f, customer, hold, seats[0], ttl)
	sub.Seats = seats
	err = s.Update(t.Context(), sub, func(st store.State) (store.Change, error) {
		decided++
		for _, r := range st.Seats {
			if r.Taken(st.Now) {
				return store.Change{}, errs.E(errs.SeatTaken, "taken")
			}
		}
		c, err := decide(st)
		c.Put, c.Hold.Seats = seats, seats
		return c, err
	})
	return decided, err
}

// belong wants seats to be of holds, and the flight to have a version.
func belong(t *testing.T, s *redisstore.Store, f store.Flight, version int64, holds map[string]string) {
	t.Helper()
	st, err := s.Seats(t.Context(), f.FlightID)
	if err != nil {
		t.Fatal(err)
	}
	if st.Flight.Version != version {
		t.Errorf("version %d, want %d", st.Flight.Version, version)
	}
	for seat, hold := range holds {
		if st.Seats[seat].Ref != hold {
			t.Errorf("%s belongs to %q, want %q", seat, st.Seats[seat].Ref, hold)
		}
	}
}

// TestClaimOfSeveralSeats claims a group, then one that overlaps it, with a customer and
// without.
func TestClaimOfSeveralSeats(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		s := open(t, addrs, redisstore.Options{Own: true})
		f := flight(1, 1)
		apply(t, s, 1, f)
		warm(t, s, f)
		if _, err := group(t, s, f, "ann", "h1", time.Minute, "1A", "1B", "1C"); err != nil {
			t.Error(err)
		}
		for _, customer := range []string{"bob", ""} {
			if _, err := group(t, s, f, customer, "h2"+customer, time.Minute, "2A", "2B", "1C"); errs.CodeOf(err) != errs.SeatTaken {
				t.Errorf("a group with a taken seat for %q: %v", customer, err)
			}
		}
		belong(t, s, f, 3, map[string]string{"1A": "h1", "1B": "h1", "1C": "h1", "2A": "", "2B": ""})
		sub, _ := claim(f, "ann", "h1", "1A", 0)
		if st := read(t, s, sub); st.HeldSeats != 3 || !slices.Equal(read(t, s, store.Subject{Bucket: sub.Bucket, HoldID: "h1"}).Hold.Seats, []string{"1A", "1B", "1C"}) {
			t.Errorf("the group is held as %+v", st)
		}
	})
}

// TestClaimOfExpiredSeats claims seats whose hold has expired, on a guess.
func TestClaimOfExpiredSeats(t *testing.T) {
	s := open(t, dbtest.RedisAddr(t), redisstore.Options{Own: true})
	f := flight(1, 1)
	apply(t, s, 1, f)
	warm(t, s, f)
	const ttl = 50 * time.Millisecond
	if _, err := group(t, s, f, "", "h1", ttl, "1A", "1B", "2A", "3A"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(ttl + 10*time.Millisecond) // Redis's own clock judges what has expired
	once := false
	for _, seats := range [][]string{{"1B", "1C"}, {"2A"}, {"3A"}} { // a guess is lost where the machine stalls
		decided, err := group(t, s, f, "ann"+seats[0], "h"+seats[0], time.Minute, seats...)
		if err != nil {
			t.Error(err)
		}
		once = once || decided == 1
	}
	if !once {
		t.Error("none was claimed on a guess")
	}
	belong(t, s, f, 6, map[string]string{"1A": "h1", "1B": "h1B", "1C": "h1B", "2A": "h2A", "3A": "h3A"})
}

// TestClaimOfMore decides on a guess what is no mere claim: all of it is written.
func TestClaimOfMore(t *testing.T) {
	s := open(t, dbtest.RedisAddr(t), redisstore.Options{Own: true})
	f := flight(1, 1)
	apply(t, s, 1, f)
	warm(t, s, f)
	sub, decide := claim(f, "ann", "h1", "1A", time.Minute)
	update(t, s, sub, func(st store.State) (store.Change, error) {
		c, err := decide(st)
		c.Reservation = &store.Reservation{ReservationID: "r1", FlightID: f.FlightID, Seats: []string{"1A"}}
		return c, err
	})
	if r := read(t, s, store.Subject{Bucket: sub.Bucket, ReservationID: "r1"}).Reservation; r == nil {
		t.Error("the reservation is not there")
	}
	sub, decide = claim(f, "bob", "h2", "1B", time.Minute)
	sub.Seats = []string{"1B", "1C"} // 1C is only looked at
	update(t, s, sub, decide)
	if st := read(t, s, sub); len(st.Seats) != 1 || st.Seats["1B"].Ref != "h2" {
		t.Errorf("seats %+v", st.Seats)
	}
}

// onBothScripts runs a test with a claim, and with the same change without its hold, which
// is no claim.
func onBothScripts(t *testing.T, test func(t *testing.T, s *redisstore.Store, f store.Flight, sub store.Subject, decide func(store.State) (store.Change, error))) {
	for _, script := range []string{"claim", "commit"} {
		t.Run(script, func(t *testing.T) {
			s := open(t, dbtest.RedisAddr(t), redisstore.Options{Own: true})
			f := flight(1, 1)
			apply(t, s, 1, f)
			warm(t, s, f)
			sub, decide := claim(f, "ann", "h1", "1A", time.Minute)
			test(t, s, f, sub, func(st store.State) (store.Change, error) {
				c, err := decide(st)
				if script == "commit" {
					c.Hold = nil
				}
				return c, err
			})
		})
	}
}

// TestClaimDecidedTooLate lets a decision take longer than a guess of the time may be off:
// it is made again.
func TestClaimDecidedTooLate(t *testing.T) {
	onBothScripts(t, func(t *testing.T, s *redisstore.Store, _ store.Flight, sub store.Subject, decide func(store.State) (store.Change, error)) {
		decided := 0
		update(t, s, sub, func(st store.State) (store.Change, error) {
			if decided++; decided == 1 {
				time.Sleep(guess.Tolerance + 20*time.Millisecond)
			}
			return decide(st)
		})
		if decided != 2 {
			t.Errorf("decided %d times", decided)
		}
	})
}

// TestClaimWhoseClockRanAhead moves a guess's time into the future, as a Redis does whose
// clock is set back.
func TestClaimWhoseClockRanAhead(t *testing.T) {
	onBothScripts(t, func(t *testing.T, s *redisstore.Store, _ store.Flight, sub store.Subject, decide func(store.State) (store.Change, error)) {
		s.AdvanceGuess(time.Minute) // more than any delay on the way makes up for
		var times []int64
		update(t, s, sub, func(st store.State) (store.Change, error) {
			times = append(times, st.Now)
			return decide(st)
		})
		if len(times) != 2 || times[1] >= times[0] {
			t.Errorf("decided at %v", times)
		}
	})
}

// TestClaimOnAnotherConfiguration gives the flight another aircraft while it is decided.
func TestClaimOnAnotherConfiguration(t *testing.T) {
	onBothScripts(t, func(t *testing.T, s *redisstore.Store, f store.Flight, sub store.Subject, decide func(store.State) (store.Change, error)) {
		var configurations []string
		update(t, s, sub, func(st store.State) (store.Change, error) {
			if configurations = append(configurations, st.Flight.Configuration); len(configurations) == 1 {
				f.Configuration, f.Seq = "A321-200.1", 2
				apply(t, s, 2, f)
			}
			return decide(st)
		})
		if want := []string{geometry().ID, "A321-200.1"}; !slices.Equal(configurations, want) {
			t.Errorf("decided for %v, want %v", configurations, want)
		}
	})
}

// TestToleranceIsOne: the script refuses what Go calls too far off.
func TestToleranceIsOne(t *testing.T) {
	script, err := os.ReadFile("scripts/claim.lua")
	if want := fmt.Sprintf("local tolerance = %d ", guess.Tolerance.Microseconds()); err != nil || !strings.Contains(string(script), want) {
		t.Errorf("claim.lua has no %q, %v", want, err)
	}
}

// TestClaimUnderAnotherFence claims in a bucket that was frozen since it was last seen.
func TestClaimUnderAnotherFence(t *testing.T) {
	addr, ns := dbtest.RedisAddr(t), dbtest.Namespace()
	s := open(t, addr, redisstore.Options{Namespace: ns, Own: true})
	f := flight(1, 1)
	apply(t, s, 1, f)
	warm(t, s, f)
	sub, decide := claim(f, "ann", "h1", "1A", time.Minute)
	for _, fence := range []string{"ro 2", "sealed 2", ""} {
		setFence(t, addr, ns, sub.Bucket, fence)
		if err := s.Update(t.Context(), sub, decide); errs.CodeOf(err) != errs.Misdirected {
			t.Errorf("under %q: %v", fence, err)
		}
	}
	setFence(t, addr, ns, sub.Bucket, "active 3")
	belong(t, s, f, 2, nil)
}
