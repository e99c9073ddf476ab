package reservationslocal_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations/internal/store"
)

// alike are texts that differ from each other in what careless stores lose: case, spaces
// at the end, forms of one character, bytes after a NUL.
func alike() []string {
	return []string{
		"ann", "Ann", " ann", "ann ", "ann\x00", "an\x00n", "é", "e\u0301", "É", "ß", "ss", "🚀", `"`, `\`, "a,b=1", "#", "1:2", "\n", "00ff", "9E12", "09E12",
	}
}

func plane(n int) store.Flight {
	return store.Flight{
		FlightID: fmt.Sprintf("AA%d-JFK-20261121", n), Designator: fmt.Sprintf("AA%d", n), Date: "2026-11-21", Configuration: "A-6.1", Open: true, Seq: 1,
	}
}

func rows() []string { return []string{"1A", "1B", "1C", "2A", "2B", "2C"} }

// scatter writes at random and tells what was written about.
func scatter(t *testing.T, to store.Store, r *rand.Rand, flights []store.Flight) []store.Subject {
	t.Helper()
	pick := func() string { return alike()[r.IntN(len(alike()))] }
	var asked []store.Subject
	for n := range 80 {
		f := flights[r.IntN(len(flights))]
		b, seats, customer := bucket.Of(f.FlightID), rows()[r.IntN(3):][:1+r.IntN(3)], pick()
		sub := store.Subject{Bucket: b, FlightID: f.FlightID, Seats: seats, CustomerID: customer, Key: fmt.Sprintf("%s%d-%x", pick(), n, r.Uint64())}
		hold, booking := bucket.NewID(bucket.HoldPrefix, b), bucket.NewID(bucket.ReservationPrefix, b)
		kind, recorded, ttl := r.IntN(4), r.IntN(2) == 0, time.Duration(r.IntN(3)-1)*time.Hour
		words := []string{pick(), pick(), pick()}
		err := to.Update(t.Context(), sub, func(st store.State) (store.Change, error) {
			c := store.Change{Event: "x", Put: seats}
			expires := st.Now + ttl.Microseconds()
			c.As = store.Seat{Kind: store.Blocked, Ref: words[0]}
			switch kind {
			case 0:
				c.As = store.Seat{Kind: store.Held, Ref: hold, CustomerID: customer, ExpiresAt: expires}
				c.Hold = &store.Hold{
					HoldID: hold, FlightID: f.FlightID, CustomerID: customer, Token: words[1], Seats: seats,
					Status: "HELD", CreatedAt: st.Now, ExpiresAt: expires, Extensions: n % 4,
				}
			case 1:
				c.As = store.Seat{Kind: store.Reserved, Ref: booking, CustomerID: customer}
				c.Reservation = &store.Reservation{
					ReservationID: booking, FlightID: f.FlightID, CustomerID: customer, Seats: seats,
					Status: "CONFIRMED", CreatedAt: st.Now, HoldID: hold, Related: booking,
				}
			case 2:
				c.Free, c.Put = seats, nil
			}
			if recorded {
				c.Record = &idempotency.Record{Fingerprint: words[1], Answer: []byte(words[2]), CreatedAt: st.Now}
			}
			return c, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		asked = append(asked, sub, store.Subject{Bucket: b, HoldID: hold, Key: sub.Key}, store.Subject{Bucket: b, ReservationID: booking})
	}
	return asked
}

// remember reads what a store knows. The time is left out, and seats that were not asked
// for: stores load what suits them beside those.
func remember(t *testing.T, from store.Store, asked []store.Subject) []store.State {
	t.Helper()
	states := make([]store.State, len(asked))
	for i, sub := range asked {
		st, err := from.Read(t.Context(), sub)
		if err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(st.Seats, func(seat string, r store.Seat) bool {
			if sub.FlightID != "" {
				return !slices.Contains(sub.Seats, seat)
			}
			return r.Ref != sub.HoldID+sub.ReservationID // it is somebody else's now
		})
		states[i] = store.State{Flight: st.Flight, Hold: st.Hold, Reservation: st.Reservation, Seats: st.Seats, HeldSeats: st.HeldSeats, Recorded: st.Recorded}
	}
	return states
}

// TestStateSurvivesTheRoundTrip moves random states to a store of another kind and back:
// each store must answer every question as the first did, and both name one digest.
func TestStateSurvivesTheRoundTrip(t *testing.T) {
	for name, sides := range map[string]func(t *testing.T) [2]side{
		"sqlite and redis": func(t *testing.T) [2]side {
			return [2]side{sqlSide(t, dbtest.SQLite(t), true), redisSide(t, dbtest.RedisAddr(t), false)}
		},
		"mysql and cluster": func(t *testing.T) [2]side {
			return [2]side{sqlSide(t, dbtest.MySQL(t), true), redisSide(t, strings.Join(dbtest.RedisCluster(t), ","), false)}
		},
		"redis and sqlite": func(t *testing.T) [2]side {
			return [2]side{redisSide(t, dbtest.RedisAddr(t), true), sqlSide(t, dbtest.SQLite(t), false)}
		},
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) {
				roundTrip(t, rand.New(rand.NewPCG(seed, 7)), sides(t))
			})
		}
	}
}

func roundTrip(t *testing.T, r *rand.Rand, sides [2]side) {
	t.Helper()
	flights := []store.Flight{plane(1), plane(2), plane(3)}
	var buckets []int
	for _, f := range flights {
		buckets = append(buckets, bucket.Of(f.FlightID))
	}
	for _, s := range sides {
		if err := s.Apply(t.Context(), "flights", 1, []store.Configuration{{ID: "A-6.1", Seats: rows()}}, flights); err != nil {
			t.Fatal(err)
		}
	}
	asked := scatter(t, sides[0], r, flights)
	first := remember(t, sides[0], asked)
	there, err := move(t.Context(), 3, sides[0], sides[1], buckets)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "there", asked, first, remember(t, sides[1], asked))
	back, err := move(t.Context(), 4, sides[1], sides[0], buckets)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "back", asked, first, remember(t, sides[0], asked))
	if !slices.Equal(there, back) {
		t.Errorf("%v came back as %v", there, back)
	}
	scatter(t, sides[0], r, flights) // and it goes on
	if _, err := move(t.Context(), 5, sides[0], sides[1], buckets); err != nil {
		t.Fatal(err)
	}
	scatter(t, sides[1], r, flights)
}

func same(t *testing.T, where string, asked []store.Subject, want, got []store.State) {
	t.Helper()
	for i, sub := range asked {
		if !reflect.DeepEqual(want[i], got[i]) {
			t.Fatalf("%s, asked for %+v:\nwas %+v\nis  %+v", where, sub, want[i], got[i])
		}
	}
}
