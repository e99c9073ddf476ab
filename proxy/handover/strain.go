package handover

import (
	"sync"
	"time"
)

const (
	restSamples = 256             // requests that weigh in the mean at rest
	nowSamples  = 32              // and in the present one
	settled     = 2 * time.Second // after a move until requests count as at rest
	tolerated   = 2               // times as long as at rest a request may take before moves yield
)

// Strain tells how much moves are in the way of a route's requests: how long these take
// now, against how long they take when nothing moves. Its Load is for Options.
type Strain struct {
	mu        sync.Mutex
	rest, now float64 // weighted means in seconds, 0 before the first request
	moved     time.Time
}

// Took notes how long a request took that ended at a time, without what it waited for a
// bucket that was frozen.
func (s *Strain) Took(d time.Duration, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mean(&s.now, d, nowSamples)
	if at.Sub(s.moved) > settled {
		mean(&s.rest, d, restSamples)
	}
}

func mean(m *float64, d time.Duration, samples float64) {
	if *m == 0 {
		*m = d.Seconds()
	}
	*m += (d.Seconds() - *m) / samples
}

// Moved notes that a move ended.
func (s *Strain) Moved(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved = at
}

// Load is 0 while requests take at most twice as long as at rest, 0.5 at four times,
// towards 1 the longer they take.
func (s *Strain) Load() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rest == 0 || s.now <= tolerated*s.rest {
		return 0
	}
	return 1 - tolerated*s.rest/s.now
}

// pauseAfter is how long to rest after a move that took a time, so that moves leave the
// given share, 0 to 1, of the machine's time to others.
func pauseAfter(took time.Duration, load float64) time.Duration {
	load = min(max(load, 0), mostLoad)
	return min(time.Duration(float64(took)*load/(1-load)), maxRest)
}
