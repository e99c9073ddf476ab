package redisstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
)

// aged writes a hold with a recorded answer that ended some time ago.
func aged(t *testing.T, s *redisstore.Store, f store.Flight, id, seat string, ago time.Duration) {
	t.Helper()
	sub := store.Subject{Bucket: bucket.Of(f.FlightID), FlightID: f.FlightID, CustomerID: "ann", Key: "key-" + id, Seats: []string{seat}}
	update(t, s, sub, func(st store.State) (store.Change, error) {
		end := st.Now - ago.Microseconds()
		h := &store.Hold{HoldID: id, FlightID: f.FlightID, CustomerID: "ann", Seats: []string{seat}, Status: "HELD", ExpiresAt: end}
		return store.Change{
			Put: []string{seat}, As: store.Seat{Kind: store.Held, Ref: id, CustomerID: "ann", ExpiresAt: end},
			Hold:   h,
			Record: &idempotency.Record{Fingerprint: "fp", Answer: []byte("{}"), CreatedAt: end},
			Event:  "held",
		}, nil
	})
}

func TestSweep(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		ns := dbtest.Namespace()
		s := open(t, addrs, redisstore.Options{Own: true, Namespace: ns})
		f, moving := flight(1, 1), flight(2, 1)
		apply(t, s, 1, f, moving)
		b := bucket.Of(f.FlightID)
		client(t, addrs, func(ctx context.Context, db *redisdb.DB) error { // an event of 1970
			return db.HSet(ctx, ns+":"+redisdb.Tag(b)+":day", "eF 1", "1:14:held0:").Err()
		})
		aged(t, s, f, "live", "1A", -time.Hour)
		aged(t, s, f, "expired", "1B", time.Second)
		aged(t, s, f, "old", "1C", 25*time.Hour)
		aged(t, s, moving, "untouched", "1C", 25*time.Hour)
		setFence(t, addrs, ns, bucket.Of(moving.FlightID), "ro 2")

		const wanted = 5 // two seats, the old hold, its answer, the old event
		if n, err := s.Sweep(t.Context()); n != wanted || err != nil {
			t.Errorf("%d records went, want %d; %v", n, wanted, err)
		}
		if n, err := s.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("%d records went the second time, %v", n, err)
		}
		st, err := s.Seats(t.Context(), f.FlightID)
		if err != nil || len(st.Seats) != 1 || st.Seats["1A"].Ref != "live" {
			t.Errorf("left are %v, %v", st.Seats, err)
		}
		for id, there := range map[string]bool{"live": true, "expired": true, "old": false} {
			st := read(t, s, store.Subject{Bucket: b, HoldID: id, Key: "key-" + id})
			if (st.Hold != nil) != there || (st.Recorded != nil) != there {
				t.Errorf("%s: %+v", id, st)
			}
		}
		if st := read(t, s, store.Subject{Bucket: bucket.Of(moving.FlightID), HoldID: "untouched"}); st.Hold == nil || len(st.Seats) != 1 {
			t.Errorf("a bucket on the move was swept: %+v", st)
		}
	})
}

// TestSweepGoesRound has more to remove than one sweep looks at.
func TestSweepGoesRound(t *testing.T) {
	addr, ns := dbtest.RedisAddr(t), dbtest.Namespace()
	s := open(t, addr, redisstore.Options{Own: true, Namespace: ns})
	const records = 12000
	client(t, addr, func(ctx context.Context, db *redisdb.DB) error {
		for b := range 3 {
			values := make([]any, 0, 2*records/3)
			for n := range records / 3 {
				values = append(values, fmt.Sprintf("ikey-%d", n), "1:51:f2:{}")
			}
			if err := db.HSet(ctx, ns+":"+redisdb.Tag(b*4000)+":day", values...).Err(); err != nil {
				return err
			}
		}
		return nil
	})
	gone := 0
	for round := 0; gone < records; round++ {
		n, err := s.Sweep(t.Context())
		if err != nil || round > 10 {
			t.Fatalf("%d of %d went in %d sweeps, %v", gone, records, round, err)
		}
		if gone += n; n > 6000 {
			t.Errorf("one sweep took %d records", n)
		}
	}
}
