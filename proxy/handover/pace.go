package handover

import (
	"sync"
	"time"
)

const (
	firstBatch = 16   // buckets, before anything was measured
	growth     = 4    // of the batch after one that stayed well within the budget
	smoothing  = 0.3  // weight of the newest measurement
	share      = 20   // of the pause budget one part in so many is planned for
	firstFixed = 0.02 // seconds, before anything was measured
	firstRate  = 2000 // units a second, likewise
)

// pace is what moves in one direction have taught about their speed. A pause is a fixed
// part and one that grows with the units moved: a bucket is a unit, and so is a record.
type pace struct {
	mu      sync.Mutex
	size    int     // buckets of the next batch, at most
	fixed   float64 // seconds
	rate    float64 // units a second
	records float64 // of a bucket
	pauses  [128]time.Duration
	moves   int // measured
}

func newPace() *pace { return &pace{size: firstBatch, fixed: firstFixed, rate: firstRate} }

// predict gives the pause to expect of a batch.
func (p *pace) predict(buckets int, records float64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.estimate(float64(buckets) + records)
}

func (p *pace) estimate(units float64) time.Duration {
	return time.Duration((p.fixed + units/p.rate) * float64(time.Second))
}

// limit gives the number of buckets of a batch whose pause should stay far within the
// budget, so that the slow ones do too. Half of it may go to the part that is fixed, or
// nothing would ever get done.
func (p *pace) limit(budget time.Duration, most int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	units := (max(budget.Seconds()/share, 2*p.fixed) - p.fixed) * p.rate
	fit := int(units / (1 + p.records))
	if p.moves == 0 {
		fit = p.size
	}
	return max(1, min(p.size, fit, most))
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
	if seconds < p.fixed {
		p.fixed = seconds / 2
	} else if buckets <= firstBatch && records < firstBatch {
		p.fixed += weight * (seconds/2 - p.fixed)
	}
	p.rate += weight * (units/max(seconds-p.fixed, 1e-4) - p.rate)
	p.records += weight * (float64(records)/float64(buckets) - p.records)
	p.pauses[p.moves%len(p.pauses)] = pause
	p.moves++
	switch {
	case pause > budget:
		p.size = max(1, buckets/2)
	case pause < budget/2 && buckets >= p.size:
		p.size = min(p.size*growth, 1<<20)
	}
}

// gaveUp learns from a move whose pause reached the budget.
func (p *pace) gaveUp(buckets int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size = max(1, buckets/growth)
}

// recent gives the pauses of the last moves, in no order.
func (p *pace) recent() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]time.Duration(nil), p.pauses[:min(p.moves, len(p.pauses))]...)
}
