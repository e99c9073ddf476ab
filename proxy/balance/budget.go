package balance

import (
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of retries: without them a backend that is slow to fail would get each
// request several times, just when it can serve the fewest.
const (
	// token is one retry, in thousandths, so that shares of it are whole numbers.
	token = 1000
	// perRequest is what each request earns: a fifth of a retry.
	perRequest = token / 5
	// perSecond is what time earns, so that a quiet backend has retries too.
	perSecond = 10 * token
	// most is what can be saved up; a budget begins with it.
	most = 100 * token
)

// Budget is a token bucket of retries: one for every five requests, and ten a second. It
// is safe for concurrent use.
type Budget struct {
	tokens atomic.Int64
	mu     sync.Mutex // guards last
	last   time.Time  // when time's earnings were added
}

// NewBudget gives a full one.
func NewBudget(now time.Time) *Budget {
	b := &Budget{last: now}
	b.tokens.Store(most)
	return b
}

// Request notes a request, retries not counted.
func (b *Budget) Request() {
	if b.tokens.Load() < most { // callers at the same moment may go over it by their number
		b.tokens.Add(perRequest)
	}
}

// Retry takes a token; false when there is none.
func (b *Budget) Retry(now time.Time) bool {
	b.earn(now)
	for {
		have := b.tokens.Load()
		if have < token {
			return false
		}
		if b.tokens.CompareAndSwap(have, have-token) {
			return true
		}
	}
}

// earn adds what time brought since the last retry.
func (b *Budget) earn(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := min(now.Sub(b.last), time.Minute) // more than fills it
	if since <= 0 {
		return
	}
	earned := int64(since) * perSecond / int64(time.Second)
	b.last = now.Add(-(since - time.Duration(earned)*time.Second/perSecond)) // less than a thousandth is kept for the next time
	if room := most - b.tokens.Load(); room > 0 {
		b.tokens.Add(min(earned, room))
	}
}
