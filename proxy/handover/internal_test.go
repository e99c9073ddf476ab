package handover

import (
	"testing"
	"time"
)

// TestWhatWasPublishedIsNotUndone: a reading of the journal that began before something
// was decided here, and ended after it.
func TestWhatWasPublishedIsNotUndone(t *testing.T) {
	now := &Snapshot{Changes: 4, Names: []string{"home", "away"}, Buckets: []Bucket{
		{Changed: 9, Owner: 1, Target: 1, Epoch: 5}, {Changed: 3, Owner: 1, Refused: true},
	}}
	read := &Snapshot{Changes: 8, Names: []string{"home", "other"}, Buckets: []Bucket{{Changed: 7}, {Changed: 8, Epoch: 6}}}
	if err := read.merge(now); err != nil {
		t.Fatal(err)
	}
	if b := read.Buckets[0]; b.Changed != 9 || read.Names[b.Owner] != "away" || b.Epoch != 5 {
		t.Errorf("bucket 0 went back to %+v of %v", b, read.Names)
	}
	if b := read.Buckets[1]; b.Changed != 8 || b.Owner != 0 || !b.Refused {
		t.Errorf("bucket 1 is %+v", b)
	}
	if read.Changes != 8 {
		t.Errorf("the reading's counter became %d: what was missed would never be read", read.Changes)
	}
}

// TestPaceKeepsWithinTheBudget: batches grow while pauses are short, and shrink when
// records are many, or a pause was too long.
func TestPaceKeepsWithinTheBudget(t *testing.T) {
	const budget = 500 * time.Millisecond
	p := newPace()
	if n := p.limit(budget, 1000); n != firstBatch {
		t.Errorf("the first batch has %d buckets", n)
	}
	sizes := []int{}
	for range 8 {
		n := p.limit(budget, 1000)
		sizes = append(sizes, n)
		p.moved(n, 0, 5*time.Millisecond+time.Duration(n)*20*time.Microsecond, 0, budget)
	}
	if n := p.limit(budget, 1000); n < 300 {
		t.Errorf("empty buckets move in batches of %v", sizes)
	}
	for range 20 { // a record takes a millisecond, and a bucket has ten
		n := p.limit(budget, 1000)
		p.moved(n, int64(10*n), 5*time.Millisecond+time.Duration(10*n)*time.Millisecond, 0, budget)
	}
	n := p.limit(budget, 1000)
	if predicted := p.predict(n, float64(10*n)); predicted > budget/10 || n < 1 || n > 10 {
		t.Errorf("batches of %d, predicted %s", n, predicted)
	}
	p.gaveUp(n)
	if after := p.limit(budget, 1000); after > max(1, n/2) {
		t.Errorf("after one that was given up: %d, before %d", after, n)
	}
	for range 20 {
		p.gaveUp(p.limit(budget, 1000))
	}
	if p.limit(budget, 1000) != 1 {
		t.Error("a batch has at least one bucket")
	}
}

func TestP99(t *testing.T) {
	list := make([]time.Duration, 100)
	for i := range list {
		list[i] = time.Duration(100 - i)
	}
	if p99(list) != 99 || p99(list[:1]) != 1 || p99(nil) != 0 {
		t.Error("wrong quantiles")
	}
}

func TestPauseAfter(t *testing.T) {
	for _, c := range []struct {
		load float64
		want time.Duration
	}{{0, 0}, {0.5, time.Second}, {0.75, 3 * time.Second}, {1, maxRest}, {-1, 0}} {
		if got := pauseAfter(time.Second, c.load); got != c.want {
			t.Errorf("at a load of %v: %s, want %s", c.load, got, c.want)
		}
	}
}
