package redisstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
)

// files is where a Redis keeps what it acknowledged.
func files(t *testing.T, addr string) string {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = c.Close() }()
	dir, err := c.ConfigGet(t.Context(), "dir").Result()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir["dir"], "appendonlydir")
}

// backup copies a folder; replace puts the copy in its place.
func backup(t *testing.T, folder string) (replace func()) {
	t.Helper()
	kept := filepath.Join(t.TempDir(), "kept")
	if err := os.CopyFS(kept, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(folder, os.DirFS(kept)); err != nil {
			t.Fatal(err)
		}
	}
}

// settled asks until Redis answers again and what it has was compared: until the error is
// nil, or one that stays.
func settled(t *testing.T, ask func() error) error {
	t.Helper()
	var err error
	same := 0
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		before := err
		if err = ask(); err == nil {
			return nil
		}
		if same++; before == nil || before.Error() != err.Error() {
			same = 0
		}
		if same > 10 && !isDown(err) {
			return err
		}
	}
	t.Fatalf("Redis does not come back: %v", err)
	return nil
}

// isDown tells the errors of a server that is away from those of one that lost something,
// which have no cause.
func isDown(err error) bool { return errors.Unwrap(err) != nil }

// TestNothingStaleAfterALoss restarts Redis with less than it acknowledged, under readers.
// None of them may ever see what was before the last write.
func TestNothingStaleAfterALoss(t *testing.T) {
	first, elsewhere := flight(1, 1), flight(2, 1)
	b := bucket.Of(first.FlightID)
	for name, c := range map[string]struct {
		last func(t *testing.T, s *redisstore.Store) // acknowledged, and then lost
		wipe bool                                    // the file is emptied, not put back
		lost bool
	}{
		"nothing":        {last: func(*testing.T, *redisstore.Store) {}},
		"the last write": {last: func(t *testing.T, s *redisstore.Store) { write(t, s, first, "1B") }, lost: true},
		"an order": {last: func(t *testing.T, s *redisstore.Store) {
			order(t, s.Participant(), handover.Freeze, 5, b)
			order(t, s.Participant(), handover.SealSource, 5, b)
		}, lost: true},
		"the seal of what was frozen": {last: func(t *testing.T, s *redisstore.Store) {
			order(t, s.Participant(), handover.SealSource, 3, b)
		}, lost: true},
		"all": {last: func(*testing.T, *redisstore.Store) {}, wipe: true, lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := dbtest.StartRedis(t)
			s := open(t, server.Addr, redisstore.Options{Own: true})
			apply(t, s, 1, first, elsewhere)
			write(t, s, elsewhere, "1A")
			write(t, s, first, "1A")
			if name == "the seal of what was frozen" {
				order(t, s.Participant(), handover.Freeze, 3, b)
			}
			folder := files(t, server.Addr)
			replace := backup(t, folder)
			c.last(t, s)
			want, err := s.Seats(t.Context(), first.FlightID)
			sealed := err != nil

			stop := reading(t, s, first.FlightID, func(st store.State) bool { return sealed || len(st.Seats) != len(want.Seats) })
			server.Kill9()
			if replace(); c.wipe {
				if err := os.RemoveAll(folder); err != nil {
					t.Fatal(err)
				}
			}
			server.Restart()
			err = settled(t, func() error { _, err := s.Seats(t.Context(), first.FlightID); return err })
			stop()
			if c.lost != (errs.CodeOf(err) == errs.Unavailable) || !c.lost && err != nil {
				t.Errorf("the answer is %v", err)
			}
			checkLost(t, s, b, c.lost)
			if err := settled(t, func() error { _, err := s.Seats(t.Context(), elsewhere.FlightID); return err }); (err != nil) != c.wipe {
				t.Errorf("a bucket of which nothing else was lost: %v", err)
			}
		})
	}
}

// A bucket may be known by the answers to writes alone, when they were right guesses.
func TestLossOfWhatWasOnlyWritten(t *testing.T) {
	server := dbtest.StartRedis(t)
	s := open(t, server.Addr, redisstore.Options{Own: true})
	f, elsewhere := flight(1, 1), flight(2, 1)
	apply(t, s, 1, f, elsewhere)
	write(t, s, elsewhere, "1A") // from now on there is a clock to guess with
	sub, decide := claim(f, "ann", "h1", "1A", time.Minute)
	update(t, s, sub, decide)
	folder := files(t, server.Addr)
	server.Kill9()
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	server.Restart()
	if err := settled(t, func() error { _, err := s.Seats(t.Context(), f.FlightID); return err }); errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("the answer is %v", err)
	}
	checkLost(t, s, sub.Bucket, true)
}

// reading lets readers ask for a flight all the time, until it is stopped: none may be
// given what is stale.
func reading(t *testing.T, s *redisstore.Store, flightID string, stale func(store.State) bool) (stop func()) {
	t.Helper()
	var enough atomic.Bool
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for !enough.Load() && t.Context().Err() == nil {
				if st, err := s.Seats(t.Context(), flightID); err == nil && stale(st) {
					t.Errorf("a stale answer: %v", st.Seats)
					return
				}
			}
		})
	}
	return func() {
		enough.Store(true)
		readers.Wait()
	}
}

// checkLost wants a bucket to be told as gone, and not to be handed on as it is.
func checkLost(t *testing.T, s *redisstore.Store, b int, lost bool) {
	t.Helper()
	p := s.Participant()
	var status handover.Status
	err := settled(t, func() (err error) { status, err = p.Status(t.Context(), []int{b}); return err })
	if err != nil || (status.Fences[0] == handover.Fence{Bucket: b}) != lost {
		t.Errorf("the fence is told as %+v, %v", status.Fences, err)
	}
	if !lost {
		return
	}
	refused, err := p.Order(t.Context(), handover.Order{Op: handover.Freeze, Epoch: 9, Buckets: []int{b}})
	if err != nil || len(refused) != 1 || refused[0].Mode != handover.Absent {
		t.Errorf("an order is refused by %+v, %v", refused, err)
	}
	if err := p.Export(t.Context(), 0, []int{b}, func(handover.Part) error { return nil }); errs.CodeOf(err) != errs.Misdirected {
		t.Errorf("an export gives %v", err)
	}
	if err := s.Update(t.Context(), store.Subject{Bucket: b, FlightID: flight(1, 1).FlightID}, func(store.State) (store.Change, error) {
		t.Error("a lost bucket is decided upon")
		return store.Change{}, nil
	}); errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("a write gives %v", err)
	}
}

// TestLostBucketIsFilledAnew hands a bucket over to the store that had lost it.
func TestLostBucketIsFilledAnew(t *testing.T) {
	server := dbtest.StartRedis(t)
	s := open(t, server.Addr, redisstore.Options{Own: true})
	f := flight(1, 1)
	apply(t, s, 1, f)
	b := bucket.Of(f.FlightID)
	write(t, s, f, "1A")
	folder := files(t, server.Addr)
	server.Kill9()
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	server.Restart()
	ask := func() error { _, err := s.Seats(t.Context(), f.FlightID); return err }
	if err := settled(t, ask); errs.CodeOf(err) != errs.Unavailable {
		t.Fatalf("a lost bucket gives %v", err)
	}
	p := s.Participant()
	order(t, p, handover.Seal, 7, b)
	if refused, err := p.Order(t.Context(), handover.Order{Op: handover.Activate, Epoch: 7, Buckets: []int{b}, Seqs: []int64{0}}); err != nil || refused != nil {
		t.Fatal(refused, err)
	}
	apply(t, s, 2, f)
	write(t, s, f, "1B")
	if err := ask(); err != nil {
		t.Errorf("filled anew, it gives %v", err)
	}
}

// write blocks a seat.
func write(t *testing.T, s *redisstore.Store, f store.Flight, seat string) {
	t.Helper()
	sub := store.Subject{Bucket: bucket.Of(f.FlightID), FlightID: f.FlightID, Seats: []string{seat}}
	if err := s.Update(context.WithoutCancel(t.Context()), sub, func(store.State) (store.Change, error) {
		return store.Change{Put: []string{seat}, As: store.Seat{Kind: store.Blocked, Ref: "broken"}, Event: "blocked"}, nil
	}); err != nil {
		t.Fatal(err)
	}
}
