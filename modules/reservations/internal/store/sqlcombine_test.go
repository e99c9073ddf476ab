package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/store"
)

// crowd is a store with many flights, and a claim for one of them.
func crowd(t *testing.T) (*sqldb.DB, *store.SQL, []store.Flight) {
	t.Helper()
	db := dbtest.MySQL(t)
	migrate(t, db)
	s, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: true})
	if err != nil {
		t.Fatal(err)
	}
	var flights []store.Flight
	for i := range 40 {
		flights = append(flights, store.Flight{FlightID: fmt.Sprintf("CC%d-JFK-20261121", i+1), Designator: "CC1", Date: "2026-11-21", Configuration: "A", Open: true, Seq: 1})
	}
	if err := s.Apply(t.Context(), "flights", 1, nil, flights); err != nil {
		t.Fatal(err)
	}
	return db, s, flights
}

func claim(flightID string) store.Subject {
	return store.Subject{Bucket: bucket.Of(flightID), FlightID: flightID, Seats: []string{"1A"}, CustomerID: "ann", Key: "key"}
}

func all(flights []store.Flight, run func(i int, f store.Flight)) {
	var done sync.WaitGroup
	for i, f := range flights {
		done.Go(func() { run(i, f) })
	}
	done.Wait()
}

// Claims that come together each get their own state, decision and outcome. The state of
// the decision that counted is the last one seen: an earlier one may have been a guess.
func TestCombinedClaimsAreEachTheirOwn(t *testing.T) {
	_, s, flights := crowd(t)
	for round := range 3 {
		all(flights, func(i int, f store.Flight) {
			refuse := errs.E(errs.CapExceeded, "no")
			var seen store.State
			err := s.Update(t.Context(), claim(f.FlightID), func(st store.State) (store.Change, error) {
				seen = st
				if i%5 == 0 {
					return store.Change{}, refuse
				}
				c := store.Change{Put: []string{"1A"}, As: store.Seat{Kind: store.Held, Ref: f.FlightID, CustomerID: "ann", ExpiresAt: st.Now + 1e9}, Event: "held"}
				if round == 0 {
					c.Record = &idempotency.Record{Fingerprint: f.FlightID, Answer: []byte(`{}`)}
				}
				return c, nil
			})
			wanted := round
			if i%5 == 0 {
				wanted = 0
			}
			if seen.Flight.FlightID != f.FlightID || int(seen.Flight.Version) != wanted || (seen.Recorded != nil) != (wanted > 0) ||
				len(seen.Seats) != min(wanted, 1) || seen.HeldSeats != min(wanted, 1) {
				t.Errorf("round %d, flight %s sees %+v of %+v", round, f.FlightID, seen, seen.Flight)
			}
			if (errs.CodeOf(err) == errs.CapExceeded) != (i%5 == 0) || (err != nil && i%5 != 0) {
				t.Errorf("flight %d: %v", i, err)
			}
		})
	}
	for i, f := range flights {
		st, err := s.Seats(t.Context(), f.FlightID)
		if err != nil || (i%5 == 0) != (len(st.Seats) == 0) || (i%5 != 0 && st.Seats["1A"].Ref != f.FlightID) {
			t.Errorf("flight %d: %+v (%v)", i, st, err)
		}
	}
}

// A fence that closes after the reads stops its own claim and no other.
func TestCombinedClaimsWithOneClosedFence(t *testing.T) {
	db, s, flights := crowd(t)
	closed := flights[7].FlightID
	var once sync.Once
	all(flights, func(_ int, f store.Flight) {
		err := s.Update(t.Context(), claim(f.FlightID), func(store.State) (store.Change, error) {
			if f.FlightID == closed {
				once.Do(func() {
					exec(t, db, "UPDATE fences SET mode='ro',epoch=epoch+1 WHERE route=? AND bucket=?", store.Route, bucket.Of(closed))
				})
			}
			return store.Change{Put: []string{"1A"}, As: store.Seat{Kind: store.Blocked, Ref: "x"}, Event: "blocked"}, nil
		})
		want := errs.Code("")
		if f.FlightID == closed {
			want = errs.Misdirected
		}
		if errs.CodeOf(err) != want && (f.FlightID == closed || bucket.Of(f.FlightID) != bucket.Of(closed)) {
			t.Errorf("%s: %v", f.FlightID, err)
		}
	})
	if st, err := s.Seats(t.Context(), closed); err != nil || len(st.Seats) != 0 {
		t.Errorf("the closed bucket has %v (%v)", st.Seats, err)
	}
}

// One of a crowd that loses to another writer decides again; the others do not notice.
func TestCombinedClaimThatLosesDecidesAgain(t *testing.T) {
	db, s, flights := crowd(t)
	other, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: true}) // another replica
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	all(flights, func(i int, f store.Flight) {
		seen := int64(0)
		err := s.Update(t.Context(), claim(f.FlightID), func(st store.State) (store.Change, error) {
			if i == 3 {
				once.Do(func() {
					if err := other.Update(t.Context(), claim(f.FlightID), block("1A")); err != nil {
						t.Error(err)
					}
				})
			}
			seen = st.Flight.Version
			return block("1B")(st)
		})
		if err != nil || (seen == 1) != (i == 3) {
			t.Errorf("flight %d decided on version %d (%v)", i, seen, err)
		}
	})
}

// Claims of one flight that come together are written one behind the other, by two replicas
// at once: two for each seat, of which one is refused, and no customer holds more than one.
func TestCombinedClaimsOfOneFlight(t *testing.T) {
	db, s, flights := crowd(t)
	const seats = 30
	flight := flights[0].FlightID
	other, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: true})
	if err != nil {
		t.Fatal(err)
	}
	replicas := []*store.SQL{s, other}
	for _, r := range replicas {
		if _, err := r.Read(t.Context(), claim(flight)); err != nil {
			t.Fatal(err)
		}
	}
	var held atomic.Int64
	var done sync.WaitGroup
	for i := range 3 * seats {
		sub := claim(flight)
		// The third of each three is of the first one's customer, for a seat of its own.
		sub.Seats = []string{fmt.Sprintf("%d%c", i/3+1, "AAB"[i%3])}
		sub.CustomerID, sub.Key = fmt.Sprint("c", i/3, i%3%2), fmt.Sprint("key ", i)
		done.Go(func() {
			err := replicas[i%2].Update(t.Context(), sub, func(st store.State) (store.Change, error) {
				if len(st.Seats) > 0 || st.HeldSeats > 0 {
					return store.Change{}, errs.E(errs.SeatTaken, "no")
				}
				return store.Change{
					Put: sub.Seats, As: store.Seat{Kind: store.Held, Ref: sub.Key, CustomerID: sub.CustomerID, ExpiresAt: st.Now + 1e9},
					Record: &idempotency.Record{Fingerprint: "f", Answer: []byte(`{}`), CreatedAt: st.Now}, Event: "held",
				}, nil
			})
			if err == nil {
				held.Add(1)
			} else if errs.CodeOf(err) != errs.SeatTaken {
				t.Errorf("claim %d: %v", i, err)
			}
		})
	}
	done.Wait()
	st, err := s.Seats(t.Context(), flight)
	if err != nil || int64(len(st.Seats)) != held.Load() || st.Flight.Version != held.Load() {
		t.Fatalf("%d claims succeeded, and there are %d seats of version %d (%v)", held.Load(), len(st.Seats), st.Flight.Version, err)
	}
	customers := map[string]string{}
	for seat, r := range st.Seats {
		if other := customers[r.CustomerID]; other != "" {
			t.Errorf("%s holds %s and %s", r.CustomerID, other, seat)
		}
		customers[r.CustomerID] = seat
	}
	var events int64
	if err := db.Reader().GetContext(t.Context(), &events, "SELECT COUNT(DISTINCT version) FROM events WHERE flight_id=?", flight); err != nil || events != held.Load() {
		t.Errorf("%d claims and %d events (%v)", held.Load(), events, err)
	}
}
