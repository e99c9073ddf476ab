package redisstore_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
)

// trips counts what goes to Redis.
type trips struct{ n atomic.Int64 }

func (c *trips) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (c *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}

func (c *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// take counts since the last take.
func (c *trips) take() int64 { return c.n.Swap(0) }

// openCounted opens two stores on one namespace, the first with its trips counted.
func openCounted(t *testing.T, addr string) (counted, other *redisstore.Store, c *trips, db *redisdb.DB) {
	t.Helper()
	ns := dbtest.Namespace()
	other = open(t, addr, redisstore.Options{Namespace: ns, Own: true})
	db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addr})
	if err != nil {
		t.Fatal(err)
	}
	c = &trips{}
	db.AddHook(c)
	counted, err = redisstore.Open(t.Context(), db, redisstore.Options{Namespace: ns})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = counted.Close() })
	return counted, other, c, db
}

// TestGuess checks that a fresh claim costs one trip, and that a wrong guess is noticed.
func TestGuess(t *testing.T) {
	s, other, c, _ := openCounted(t, dbtest.RedisAddr(t))
	f := flight(7, 1)
	apply(t, other, 1, f)
	sub, decide := claim(f, "ann", "h1", "1A", time.Minute)
	update(t, s, sub, decide)
	if n := c.take(); n < 2 {
		t.Fatalf("%d trips for a flight never seen", n)
	}
	sub, decide = claim(f, "bob", "h0", "2B", time.Minute)
	update(t, s, sub, decide) // shows the server the script
	c.take()
	sub, decide = claim(f, "bea", "h2", "1B", time.Minute)
	update(t, s, sub, decide)
	if n := c.take(); n != 1 {
		t.Errorf("%d trips for a fresh claim, want 1", n)
	}
	sub, decide = claim(f, "eve", "h3", "1B", time.Minute)
	if err := s.Update(t.Context(), sub, decide); errs.CodeOf(err) != errs.SeatTaken {
		t.Errorf("a taken seat: %v", err)
	}
	var held int
	sub, decide = claim(f, "ann", "h4", "1C", time.Minute)
	update(t, s, sub, func(st store.State) (store.Change, error) {
		held = st.HeldSeats
		return decide(st)
	})
	if held != 1 {
		t.Errorf("the last decision saw %d seats held by the customer, want 1", held)
	}
	f.Open, f.Seq = false, 2
	apply(t, other, 2, f)
	sub, decide = claim(f, "zoe", "h5", "1D", time.Minute)
	err := s.Update(t.Context(), sub, func(st store.State) (store.Change, error) {
		if !st.Flight.Open {
			return store.Change{}, errs.E(errs.FlightNotOpen, "cancelled")
		}
		return decide(store.State{Now: st.Now})
	})
	if errs.CodeOf(err) != errs.FlightNotOpen {
		t.Errorf("a flight cancelled since it was cached: %v", err)
	}
}

// TestKnownKey sends a claim's key again, as a retry does that never saw the answer.
func TestKnownKey(t *testing.T) {
	s := open(t, dbtest.RedisAddr(t), redisstore.Options{Own: true})
	f := flight(8, 1)
	apply(t, s, 1, f)
	sub := store.Subject{Bucket: bucket.Of(f.FlightID), FlightID: f.FlightID, Seats: []string{"1A"}, CustomerID: "ann", Key: "k"}
	want := idempotency.Record{Fingerprint: "fp", Answer: []byte(`{"a":"ü|1:2"}`), CreatedAt: 5}
	var seen *idempotency.Record
	for range 3 {
		update(t, s, sub, func(st store.State) (store.Change, error) {
			if seen = st.Recorded; seen != nil {
				return store.Change{}, nil
			}
			return store.Change{Record: &want, Event: "x"}, nil
		})
	}
	if seen == nil || seen.Fingerprint != want.Fingerprint || string(seen.Answer) != string(want.Answer) || seen.CreatedAt != want.CreatedAt {
		t.Errorf("recorded %+v", seen)
	}
	if v := read(t, s, sub).Flight.Version; v != 1 {
		t.Errorf("version %d after one change and two retries", v)
	}
}

// TestExpiryBetweenDecisionAndCommit lets a hold expire after the decision was made.
func TestExpiryBetweenDecisionAndCommit(t *testing.T) {
	s := open(t, dbtest.RedisAddr(t), redisstore.Options{Own: true})
	f := flight(9, 1)
	apply(t, s, 1, f)
	sub, decide := claim(f, "ann", "h1", "1A", 300*time.Millisecond)
	update(t, s, sub, decide)
	decisions := 0
	late := errors.New("too late")
	err := s.Update(t.Context(), store.Subject{Bucket: sub.Bucket, HoldID: "h1", Key: "confirm"}, func(st store.State) (store.Change, error) {
		decisions++
		if st.Now >= st.Hold.ExpiresAt {
			return store.Change{}, late
		}
		time.Sleep(350 * time.Millisecond)
		return store.Change{Put: []string{"1A"}, As: store.Seat{Kind: store.Reserved, Ref: "r1", CustomerID: "ann"}, Event: "confirmed"}, nil
	})
	if !errors.Is(err, late) || decisions != 2 {
		t.Errorf("%d decisions, then %v", decisions, err)
	}
	sub2, decide2 := claim(f, "bob", "h2", "1A", time.Minute)
	update(t, s, sub2, decide2)
	st := read(t, s, store.Subject{Bucket: sub.Bucket, FlightID: f.FlightID, Seats: []string{"1A"}, CustomerID: "ann"})
	if st.Seats["1A"].Ref != "h2" || st.HeldSeats != 0 {
		t.Errorf("after the seat went to another: %+v", st)
	}
}

// TestCounts follows a customer's held seats through claim, extension, sale and release.
func TestCounts(t *testing.T) {
	s := open(t, dbtest.RedisAddr(t), redisstore.Options{Own: true})
	f := flight(10, 1)
	apply(t, s, 1, f)
	b := bucket.Of(f.FlightID)
	for _, seat := range geometry().Seats {
		sub, decide := claim(f, "ann", "h"+seat, seat, time.Minute)
		update(t, s, sub, decide)
	}
	expect := func(what string, n int) {
		t.Helper()
		if got := read(t, s, store.Subject{Bucket: b, FlightID: f.FlightID, CustomerID: "ann"}).HeldSeats; got != n {
			t.Errorf("%s: %d seats held, want %d", what, got, n)
		}
	}
	expect("after three claims", 3)
	change := func(hold string, c store.Change) {
		t.Helper()
		update(t, s, store.Subject{Bucket: b, HoldID: hold}, func(store.State) (store.Change, error) { return c, nil })
	}
	change("h1A", store.Change{Put: []string{"1A"}, As: store.Seat{Kind: store.Reserved, Ref: "r", CustomerID: "ann"}})
	expect("after a sale", 2)
	change("h1B", store.Change{Free: []string{"1B"}})
	expect("after a release", 1)
	now := read(t, s, store.Subject{Bucket: b, FlightID: f.FlightID}).Now
	change("h1C", store.Change{Put: []string{"1C"}, As: store.Seat{Kind: store.Held, Ref: "h1C", CustomerID: "ann", ExpiresAt: now + 50_000}})
	expect("after a short extension", 1)
	time.Sleep(60 * time.Millisecond)
	expect("after expiry", 0)
	st, err := s.Seats(t.Context(), f.FlightID)
	if err != nil || len(st.Seats) != 2 || st.Flight.Version != 6 {
		t.Errorf("seats %+v, %v", st, err)
	}
}

// TestServerForgetsScripts empties the script cache, as a restart does.
func TestServerForgetsScripts(t *testing.T) {
	addr := dbtest.StartRedis(t).Addr
	s := open(t, addr, redisstore.Options{Own: true})
	forget := func() {
		client(t, addr, func(ctx context.Context, db *redisdb.DB) error { return db.ScriptFlush(ctx).Err() })
	}
	f := flight(11, 1)
	for seq := range int64(3) {
		forget()
		apply(t, s, seq+1, f)
		forget()
		sub, decide := claim(f, "ann", "h"+geometry().Seats[seq], geometry().Seats[seq], time.Minute)
		update(t, s, sub, decide)
		forget()
		if _, err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st := read(t, s, store.Subject{Bucket: bucket.Of(f.FlightID), FlightID: f.FlightID, CustomerID: "ann"}); st.HeldSeats != 3 {
		t.Errorf("%d seats held, want 3", st.HeldSeats)
	}
}
