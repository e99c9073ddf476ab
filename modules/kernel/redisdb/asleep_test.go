package redisdb

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestFerryCountsWhoIsAsleep lets callers lose patience at any moment: when all are back,
// nobody is taken for asleep, and nobody was left behind. A trip would wait for them in vain.
func TestFerryCountsWhoIsAsleep(t *testing.T) {
	f := &ferry{send: func(context.Context, []*passage) { time.Sleep(rand.N(time.Millisecond)) }}
	var gaveUp sync.Map
	var wg sync.WaitGroup
	for caller := range 50 {
		wg.Go(func() {
			for range 40 {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if caller%2 == 0 {
					ctx, cancel = context.WithTimeout(ctx, rand.N(2*time.Millisecond))
				}
				err := f.do(ctx, &passage{cmd: redis.NewCmd(ctx), wake: make(chan struct{}, 1)})
				cancel()
				if errors.Is(err, context.DeadlineExceeded) {
					gaveUp.Store(caller, true)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, some := gaveUp.Load(0); !some {
		t.Error("nobody lost patience")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asleep != 0 || f.gathers != nil || f.under != 0 || len(f.waiting) != 0 {
		t.Errorf("%d asleep, %d waiting, %d trips under way, one gathers: %t", f.asleep, len(f.waiting), f.under, f.gathers != nil)
	}
}

// TestFerryWaitsForWhoIsAsleep follows one caller: asleep from the end of the trip until
// they look, and never if they gave up during the trip.
func TestFerryWaitsForWhoIsAsleep(t *testing.T) {
	for _, givesUp := range []bool{false, true} {
		p := &passage{cmd: redis.NewCmd(t.Context()), wake: make(chan struct{}, 1)}
		leader := &passage{wake: make(chan struct{}, 1)}
		f := &ferry{under: 1, waiting: []*passage{p}, gathers: leader}
		f.send = func(context.Context, []*passage) { f.flags(p, givesUp) }
		f.trip(t.Context())
		want := 1
		if givesUp {
			want = 0
		}
		if f.asleep != want || len(leader.wake) != 0 {
			t.Errorf("gives up %t: %d asleep, leader roused %d times", givesUp, f.asleep, len(leader.wake))
		}
		if _, done := f.flags(p, false); !done || f.asleep != 0 || len(leader.wake) != want {
			t.Errorf("gives up %t: done %t, then %d asleep, leader roused %d times", givesUp, done, f.asleep, len(leader.wake))
		}
	}
}
