package balance_test

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banyan/proxy/balance"
)

func seeded() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// TestTwo: different members only, and every pair about equally often.
func TestTwo(t *testing.T) {
	random := seeded()
	set := balance.Set(0).With(0).With(3).With(17).With(63)
	const rounds = 60_000
	pairs := map[[2]int]int{}
	for range rounds {
		a, b := set.Two(random.Uint64())
		if a == b || !set.Has(a) || !set.Has(b) {
			t.Fatalf("%d and %d of %b", a, b, set)
		}
		pairs[[2]int{a, b}]++
	}
	if len(pairs) != 12 {
		t.Errorf("%d pairs came up, not 12", len(pairs))
	}
	for pair, n := range pairs {
		if math.Abs(float64(n)-rounds/12) > rounds/12*0.1 {
			t.Errorf("the pair %v came up %d times of %d", pair, n, rounds)
		}
	}
	if a, b := balance.Set(0).With(5).Two(random.Uint64()); a != 5 || b != 5 {
		t.Errorf("of one: %d and %d", a, b)
	}
	if a, _ := balance.Set(0).Two(random.Uint64()); a != -1 {
		t.Errorf("of none: %d", a)
	}
	for _, extreme := range []uint64{0, math.MaxUint64, math.MaxUint32, math.MaxUint32 << 32} {
		if a, b := set.Two(extreme); a == b || !set.Has(a) || !set.Has(b) {
			t.Errorf("%x gives %d and %d", extreme, a, b)
		}
	}
}

// TestChoose: the busiest of several is never taken, and no memory is.
func TestChoose(t *testing.T) {
	loads := []int64{4, 9, 0, 4}
	set := balance.Set(0b1111)
	load := func(i int) int64 { return loads[i] }
	random, counts := seeded(), [4]int{}
	for range 30_000 {
		counts[balance.Choose(set, random.Uint64(), load)]++
	}
	if counts[1] != 0 {
		t.Errorf("the busiest was taken %d times", counts[1])
	}
	if counts[2] < 14_000 || counts[2] > 16_000 {
		t.Errorf("the idle one was taken %d times of 30000, want about half: it is in half of all pairs", counts[2])
	}
	if balance.Choose(0, 1, load) != -1 {
		t.Error("something was chosen of nothing")
	}
	if n := testing.AllocsPerRun(1000, func() { balance.Choose(set, 12345, load) }); n != 0 {
		t.Errorf("%v allocations per choice", n)
	}
}

func TestShare(t *testing.T) {
	const window = 10 * time.Second
	last := 0.0
	for since := time.Duration(0); since <= window; since += window / 100 {
		share := balance.Share(since, window)
		if share < last || share < 0.1 || share > 1 {
			t.Fatalf("after %s the share is %v, before it was %v", since, share, last)
		}
		last = share
	}
	for since, want := range map[time.Duration]float64{0: 0.1, time.Second: 0.1, 5 * time.Second: 0.5, window: 1, time.Hour: 1} {
		if got := balance.Share(since, window); got != want {
			t.Errorf("after %s the share is %v, want %v", since, got, want)
		}
	}
	if got := balance.Share(0, 0); got != 1 {
		t.Errorf("without a window the share is %v", got)
	}
}

// TestRefusals: answers of 502, 503 and 504 have a count of their own.
func TestRefusals(t *testing.T) {
	o := balance.Outlier{Failures: 3, Gateway: 4, Base: time.Second, Max: 4 * time.Second}
	now := time.Unix(1_700_000_000, 0)
	var r balance.Record
	for range 3 {
		r = r.Refuse(o, now, 0, true)
	}
	if r.Ejected(now) || r.Suspect(o) || r.Clean() {
		t.Fatalf("after three: %+v", r)
	}
	if passed := r.Pass(o, now); passed.Refuse(o, now, 0, true).Ejected(now) || !passed.Clean() {
		t.Error("they count though they were not in a row")
	}
	if full := r.Refuse(o, now, 0, false); full.Ejected(now) || !full.Suspect(o) {
		t.Errorf("without room: %+v", full)
	}
	for _, mixed := range []balance.Record{r.Fail(o, now, 0, true).Fail(o, now, 0, true), r.Refuse(balance.Outlier{Failures: 3}, now, 0, true)} {
		if mixed.Ejected(now) {
			t.Errorf("ejected by neither count: %+v", mixed)
		}
	}
	r = r.Refuse(o, now, 0, true)
	if !r.Ejected(now) || r.Until != now.Add(time.Second) {
		t.Fatalf("not ejected for a second: %+v", r)
	}
	now = r.Until
	if again := r.Refuse(o, now, 0, true); again.Until != now.Add(2*time.Second) {
		t.Errorf("on probation one is not enough: %+v", again)
	}
	if again := r.Fail(o, now, 0, true); again.Until != now.Add(2*time.Second) {
		t.Errorf("on probation one of the other kind is not enough: %+v", again)
	}
}

func TestBackoff(t *testing.T) {
	o := balance.Outlier{Failures: 5, Base: 5 * time.Second, Max: time.Minute}
	for n, want := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 3: 20 * time.Second, 4: 40 * time.Second, 5: time.Minute, 6: time.Minute, 1 << 40: time.Minute} {
		for _, random := range []float64{-1, 0, 0.5, 1, 2} {
			got := balance.Backoff(o, n, random)
			if got > want || got < want*4/5 {
				t.Errorf("ejection %d lasts %s, want %s less a fifth at most", n, got, want)
			}
		}
		if balance.Backoff(o, n, 0.2) == balance.Backoff(o, n, 0.7) {
			t.Errorf("ejection %d is not spread", n)
		}
	}
}

func TestRoom(t *testing.T) {
	for n, most := range []int{0, 0, 1, 1, 2, 2, 3, 3} {
		ejected := 0
		for ejected < 100 && balance.Room(ejected, n) {
			ejected++
		}
		if ejected != most {
			t.Errorf("%d of %d are ejected, want %d at most", ejected, n, most)
		}
	}
}

// TestRecord walks an instance through failures, ejections and recovery.
func TestRecord(t *testing.T) {
	o := balance.Outlier{Failures: 3, Base: time.Second, Max: 4 * time.Second}
	now := time.Unix(1_700_000_000, 0)
	var r balance.Record
	fail := func(room bool) { r = r.Fail(o, now, 0, room) }
	fail(true)
	fail(true)
	r = r.Pass(o, now)
	fail(true)
	fail(true)
	if r.Ejected(now) {
		t.Fatal("ejected by failures that were not in a row")
	}
	if r.Suspect(o) {
		t.Error("suspected before its time")
	}
	fail(false)
	if r.Ejected(now) || !r.Suspect(o) {
		t.Fatal("ejected without room, or not suspected")
	}
	fail(true)
	if !r.Ejected(now) || r.Until != now.Add(time.Second) {
		t.Fatalf("not ejected for a second: %+v", r)
	}
	late := r
	fail(true)
	if r != late || r.Pass(o, now) != late {
		t.Error("requests that were under way change the record of an ejected instance")
	}
	now = now.Add(time.Second)
	if r.Ejected(now) {
		t.Error("it does not come back")
	}
	fail(true) // on probation: one is enough
	if r.Until != now.Add(2*time.Second) || r.Ejections != 2 {
		t.Errorf("the second ejection in a row: %+v", r)
	}
	now = r.Until
	r = r.Pass(o, now)
	fail(true)
	if r.Ejected(now) {
		t.Error("one failure ejects an instance that has answered")
	}
	now = now.Add(o.Max)
	if r = r.Pass(o, now); !r.Clean() {
		t.Errorf("after a good time there is still something against it: %+v", r)
	}
	never := balance.Record{}
	for range 100 {
		never = never.Fail(balance.Outlier{Base: time.Second, Max: time.Second}, now, 0, true)
	}
	if never.Ejected(now) || never.Suspect(balance.Outlier{}) {
		t.Error("ejected though ejection is off")
	}
}

// TestBudget: a fifth of the requests, ten a second, and what was saved up.
func TestBudget(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	b := balance.NewBudget(now)
	retries := func() (n int) {
		for n < 10_000 && b.Retry(now) {
			n++
		}
		return n
	}
	if got := retries(); got != 100 {
		t.Errorf("it begins with %d retries, want 100", got)
	}
	for range 250 {
		b.Request()
	}
	if got := retries(); got != 50 {
		t.Errorf("250 requests earn %d retries, want 50", got)
	}
	now = now.Add(3 * time.Second)
	if got := retries(); got != 30 {
		t.Errorf("three seconds earn %d retries, want 30", got)
	}
	for range 1000 {
		now = now.Add(time.Microsecond)
		b.Retry(now) // asked all the time, it must still add up
	}
	now = now.Add(time.Second - time.Millisecond)
	if got := retries(); got != 10 {
		t.Errorf("a second in small steps earns %d retries, want 10", got)
	}
	now = now.Add(time.Hour)
	for range 10_000 {
		b.Request()
	}
	if got := retries(); got != 100 {
		t.Errorf("%d retries were saved up, want 100 at most", got)
	}
}

func TestBudgetTogether(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	b := balance.NewBudget(now)
	var got atomic.Int64
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 1000 {
				if b.Retry(now) {
					got.Add(1)
				}
			}
		})
	}
	callers.Wait()
	if got.Load() != 100 {
		t.Errorf("%d retries were given of 100", got.Load())
	}
}
