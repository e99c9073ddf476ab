package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
)

// widest remembers how many changes a call of a script carried at most, and tells when
// the command that keeps them from leaving is under way.
type widest struct {
	n       atomic.Int64
	blocked chan struct{}
}

func (w *widest) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (w *widest) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		buckets := int64(0) // each change names its own
		for _, a := range cmd.Args() {
			if key, ok := a.(*string); ok && strings.HasSuffix(*key, ":flights") {
				buckets++
			}
		}
		w.n.Store(max(w.n.Load(), buckets))
		if cmd.Name() == "blpop" {
			w.blocked <- struct{}{}
		}
		return next(ctx, cmd)
	}
}

func (w *widest) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestChangesOfOneCall lets claims travel in one call of the script, one of them into a
// bucket whose day is damaged: it fails and writes nothing, the others are not touched,
// and of two who claim a seat one gets it.
func TestChangesOfOneCall(t *testing.T) {
	addr, ns := dbtest.RedisAddr(t), dbtest.Namespace()
	db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addr})
	if err != nil {
		t.Fatal(err)
	}
	seen := &widest{blocked: make(chan struct{}, 1)}
	db.AddHook(seen)
	s, err := redisstore.Open(t.Context(), db, redisstore.Options{Namespace: ns, Own: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	const tries = 50 // until they meet
	for n := 0; n < tries && seen.n.Load() < 3; n++ {
		broken, whole := flight(1, 1), flight(n+2, 1)
		apply(t, s, 1, broken, whole)
		damaged := ns + ":" + redisdb.Tag(bucket.Of(broken.FlightID)) + ":day"
		if err := db.Set(t.Context(), damaged, "no hash", 0).Err(); err != nil {
			t.Fatal(err)
		}
		errsOf := atOnce(t, db, seen.blocked,
			held{s, broken, "ann", fmt.Sprint("a", n)}, held{s, whole, "bob", fmt.Sprint("b", n)}, held{s, whole, "eve", fmt.Sprint("e", n)})
		if errsOf[0] == nil {
			t.Error("a claim into a damaged bucket was acknowledged")
		}
		if (errsOf[1] == nil) == (errsOf[2] == nil) || errs.CodeOf(errsOf[1]) != errs.SeatTaken && errs.CodeOf(errsOf[2]) != errs.SeatTaken {
			t.Errorf("two claimed a seat: %v, %v", errsOf[1], errsOf[2])
		}
		for f, want := range map[store.Flight]int{broken: 0, whole: 1} {
			if st, err := s.Seats(t.Context(), f.FlightID); err != nil || len(st.Seats) != want || st.Flight.Version != int64(want) {
				t.Errorf("%s: %+v, want %d seats; %v", f.FlightID, st, want, err)
			}
		}
	}
	if seen.n.Load() < 3 {
		t.Errorf("at most %d changes travelled together in %d tries", seen.n.Load(), tries)
	}
}

// held is a hold of seat 1A to be made.
type held struct {
	s            *redisstore.Store
	f            store.Flight
	customer, id string
}

// atOnce makes holds while another command keeps all from leaving.
func atOnce(t *testing.T, db *redisdb.DB, blocked <-chan struct{}, holds ...held) []error {
	t.Helper()
	errsOf := make([]error, len(holds))
	gate := dbtest.Namespace()
	var wg sync.WaitGroup
	wg.Go(func() { _ = db.Once(t.Context(), redis.NewCmd(t.Context(), "blpop", gate, 2)) })
	<-blocked
	for i, h := range holds {
		sub, decide := claim(h.f, h.customer, h.id, "1A", time.Minute)
		// The first one loads the time; later ones are decided on a guess, and travel at once.
		wg.Go(func() { errsOf[i] = h.s.Update(t.Context(), sub, decide) })
	}
	time.Sleep(20 * time.Millisecond)
	if err := db.LPush(t.Context(), gate, "go").Err(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	return errsOf
}
