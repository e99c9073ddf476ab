package guess

import (
	"sync"
	"time"
)

// Tolerance is how far a guessed time may be off when it reaches the store.
const Tolerance = 50 * time.Millisecond

// Clock estimates a store's clock from its earlier answers. Times are microseconds.
type Clock struct {
	start time.Time
	mu    sync.Mutex
	ahead int64 // of the store's time beyond that since start; 0: nothing known yet
}

// NewClock makes a clock that knows nothing yet.
func NewClock() *Clock { return &Clock{start: time.Now()} }

// Elapsed is the time since the clock was made, for Learn.
func (c *Clock) Elapsed() int64 { return time.Since(c.start).Microseconds() }

// Learn takes a time of the store that was read between two moments of Elapsed.
func (c *Clock) Learn(now, sent, received int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = now - (sent+received)/2
}

// Now is 0 when nothing is known.
func (c *Clock) Now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ahead == 0 {
		return 0
	}
	return c.ahead + c.Elapsed()
}
