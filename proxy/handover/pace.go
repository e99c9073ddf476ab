package handover

import (
	"sync"
	"time"
)

const (
	firstBatch = 16   // buckets, before anything was measured
	growth     = 2    // of the batch after one that stayed well below the aim
	smoothing  = 0.3  // weight of the newest measurement
	share      = 20   // of the pause budget one part in so many is aimed at
	multiple   = 3    // of the fixed part that may be aimed at instead
	drift      = 1.02 // by which the fixed part is thought to rise with every move
	firstFixed = 0.01 // seconds, before anything was measured
	firstRate  = 2000 // units a second, likewise
)

// pace is what moves in one direction have taught about their speed. A pause is a fixed
// part and one that grows with the units moved: a bucket is a unit, and so is a record.
// The fixed part is the shortest pause of late.
type pace struct {
	mu     sync.Mutex
	size   int     // buckets of the next batch, at most
	fixed  float64 // seconds
	rate   float64 // units a second
	pauses [128]time.Duration
	moves  int // measured
}

func newPace() *pace { return &pace{size: firstBatch, fixed: firstFixed, rate: firstRate} }

// predict gives the pause to expect of a batch.
func (p *pace) predict(buckets int, records float64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration((p.fixed + (float64(buckets)+records)/p.rate) * float64(time.Second))
}

// limit gives the number of buckets of the next batch, at most.
func (p *pace) limit(most int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(1, min(p.size, most))
}

// aim is the pause that a batch should not exceed: far within the budget, so that the
// slow ones stay within it too, but long enough beside the fixed part that things get
// done. It is called under the lock.
func (p *pace) aim(budget time.Duration) float64 {
	return min(max(budget.Seconds()/share, multiple*p.fixed), budget.Seconds()/2)
}

// moved learns from a move that took place.
func (p *pace) moved(buckets int, records int64, pause, budget time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	units, seconds := float64(buckets)+float64(records), pause.Seconds()
	weight := smoothing
	if p.moves == 0 {
		weight = 1
	}
	p.fixed = min(p.fixed*drift, seconds)
	p.rate += weight * (units/max(seconds-p.fixed, seconds/10, 1e-4) - p.rate)
	p.pauses[p.moves%len(p.pauses)] = pause
	p.moves++
	switch aim := p.aim(budget); {
	case seconds > aim:
		p.size = max(1, min(p.size, int(float64(buckets)*max(aim/seconds, 0.5))))
	case seconds < aim/2 && buckets >= p.size:
		p.size = min(p.size*growth, 1<<20)
	}
}

// gaveUp learns from a move whose pause reached the budget.
func (p *pace) gaveUp(buckets int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size = max(1, min(p.size, buckets/4))
}

// recent gives the pauses of the last moves, in no order.
func (p *pace) recent() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]time.Duration(nil), p.pauses[:min(p.moves, len(p.pauses))]...)
}
