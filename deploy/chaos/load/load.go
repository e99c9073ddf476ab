// Package load is customers that hold, confirm, change and cancel seats, and look at
// what is theirs, through any router. What a customer does not hear the end of it asks
// for again under the same key, as long as it takes.
package load

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"banyan/deploy/chaos/history"
)

// Flight is what is sold: few seats, so that customers meet.
type Flight struct {
	ID    string
	Seats []string
}

// watchers: one of so many clients only looks at flights.
const watchers = 4

// Options are what a Load is made of.
type Options struct {
	Routers  []string // base addresses
	Flights  []Flight
	Clients  int
	Seed     uint64
	Timeout  time.Duration // of an attempt
	Think    time.Duration // between a client's operations, at most
	Patience time.Duration // with an operation, in all its attempts
	Recorder *history.Recorder
}

// Counts are of attempts.
type Counts struct {
	Attempts, Refused, Unknown int64
	Errors5xx, Misdirected     int64 // of the unknown: answered with 5xx, with 421
	Broken                     int64 // of the unknown: not answered
}

// Load runs clients.
type Load struct {
	o      Options
	client http.Client

	attempts, refused, unknown, errors5xx, misdirected, broken atomic.Int64

	mu      sync.Mutex
	doubted []*operation // given up, or refused after an attempt that was given up
}

// New makes a load; Run starts it.
func New(o Options) *Load {
	return &Load{o: o, client: http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: o.Clients, IdleConnTimeout: 20 * time.Second, DisableCompression: true,
	}}}
}

// Counts tells what has happened so far.
func (l *Load) Counts() Counts {
	return Counts{
		Attempts: l.attempts.Load(), Refused: l.refused.Load(), Unknown: l.unknown.Load(),
		Errors5xx: l.errors5xx.Load(), Misdirected: l.misdirected.Load(), Broken: l.broken.Load(),
	}
}

// keep records an attempt and counts it.
func (l *Load) keep(a history.Attempt) {
	l.o.Recorder.Add(a)
	l.attempts.Add(1)
	switch {
	case a.Outcome == history.Refused:
		l.refused.Add(1)
	case a.Outcome != history.Unknown:
	case a.HTTP == http.StatusMisdirectedRequest:
		l.misdirected.Add(1)
	case a.HTTP >= http.StatusInternalServerError:
		l.errors5xx.Add(1)
	default:
		l.broken.Add(1)
	}
	if a.Outcome == history.Unknown {
		l.unknown.Add(1)
	}
}

func (l *Load) doubt(o *operation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubted = append(l.doubted, o)
}

// Run lets the clients work until selling ends, and then finish what they have begun; ctx
// breaks that off.
func (l *Load) Run(ctx context.Context, selling <-chan struct{}) {
	var clients sync.WaitGroup
	for n := range l.o.Clients {
		clients.Go(func() {
			c := &client{Load: l, number: n, rand: rand.New(rand.NewPCG(l.o.Seed, uint64(n)))}
			act := c.visit
			if n%watchers == watchers-1 {
				act = c.watch
			}
			for ctx.Err() == nil {
				select {
				case <-selling:
					return
				default:
					act(ctx)
				}
			}
		})
	}
	clients.Wait()
}

// Settle asks once more for what was given up or refused after an attempt that was given
// up; no attempt may be on its way any more. It gives the operations whose end is still
// unknown.
func (l *Load) Settle(ctx context.Context) (lost []string, asked int) {
	l.mu.Lock()
	list := l.doubted
	l.doubted = nil
	l.mu.Unlock()
	seen := map[string]bool{}
	for i, o := range list {
		if seen[o.Op] {
			continue
		}
		seen[o.Op] = true
		asked++
		o.Settled = true
		if _, ok := l.settled(ctx, o, func(n int) int { return i % n }, l.o.Patience); !ok {
			lost = append(lost, o.Op)
		}
	}
	return lost, asked
}
