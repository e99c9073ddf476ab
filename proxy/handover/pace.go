package handover

import (
	"sync"
	"time"
)

const (
	firstBatch = 16   // buckets, before anything was measured
	growth     = 2    // of what is tried, at most, from one batch to the next
	memory     = 0.95 // weight of all measurements beside the newest
	share      = 20   // of the pause budget one part in so many is aimed at
	multiple   = 1.3  // of the fixed part that may be aimed at instead
	copyShare  = 3    // of the pause budget one part in so many may be copied before the freeze
	firstFixed = 0.02 // seconds, before anything was measured
	firstRate  = 2000 // units a second, likewise
)

// pace is what moves in one direction have taught about their speed. A pause is a fixed
// part and one that grows with the units moved: a bucket is a unit, and so is a record.
// The two are told apart by a straight line through the pauses, the newest of which
// weigh most; so a machine that is busy with other things makes batches larger, for then
// it is the fixed part that grows.
type pace struct {
	mu      sync.Mutex
	size    int     // buckets of the next batch, at most
	fixed   float64 // seconds
	rate    float64 // units a second
	records float64 // of a bucket
	copies  float64 // seconds a unit, before the freeze
	sums    struct{ n, x, y, xx, xy float64 }
	pauses  [128]time.Duration
	moves   int // measured
}

func newPace() *pace { return &pace{size: firstBatch, fixed: firstFixed, rate: firstRate} }

// predict gives the pause to expect of a batch.
func (p *pace) predict(buckets int, records float64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration((p.fixed + (float64(buckets)+records)/p.rate) * float64(time.Second))
}

// limit gives the number of buckets of a batch whose pause should stay far within the
// budget, so that the slow ones stay within it too, but is long enough beside its fixed
// part for things to get done. What is copied before the pause must not take long either:
// the longer it takes, the more of it is written meanwhile and copied in vain.
func (p *pace) limit(budget time.Duration, most int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	aim := min(max(budget.Seconds()/share, multiple*p.fixed), budget.Seconds()/2)
	fit := p.size
	if p.moves > 0 {
		units := (aim - p.fixed) * p.rate
		if p.copies > 0 {
			units = min(units, budget.Seconds()/copyShare/p.copies)
		}
		fit = int(units / (1 + p.records))
	}
	if p.moves%2 == 1 { // a line needs batches of more than one size
		fit = fit * 3 / 4
	}
	return max(1, min(p.size, fit, most))
}

// moved learns from a move that took place, how long its pause was and the copying before.
func (p *pace) moved(buckets int, records int64, pause, copying, budget time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw(float64(buckets)+float64(records), pause.Seconds())
	units := float64(buckets) + float64(records)
	p.copies = memory*p.copies + (1-memory)*copying.Seconds()/units
	p.records = memory*p.records + (1-memory)*float64(records)/float64(buckets)
	if p.moves == 0 {
		p.records, p.copies = float64(records)/float64(buckets), copying.Seconds()/units
	}
	p.pauses[p.moves%len(p.pauses)] = pause
	p.moves++
	switch {
	case pause > budget:
		p.size = max(1, buckets/2)
	case pause < budget/2:
		p.size = min(max(p.size, buckets*growth), 1<<20)
	}
}

// draw puts a point to the line. Its slope is at most that of a pause without fixed part.
func (p *pace) draw(units, seconds float64) {
	s := &p.sums
	for sum, value := range map[*float64]float64{&s.n: 1, &s.x: units, &s.y: seconds, &s.xx: units * units, &s.xy: units * seconds} {
		*sum = memory**sum + value
	}
	steepest := s.y / s.x
	slope := steepest / 2
	if spread := s.n*s.xx - s.x*s.x; spread > 0.001*s.x*s.x {
		slope = min(max((s.n*s.xy-s.x*s.y)/spread, steepest/1000), steepest)
	}
	p.fixed = (s.y - slope*s.x) / s.n
	p.rate = 1 / slope
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
