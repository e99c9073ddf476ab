package handover

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
	"banyan/proxy/canary"
)

// Side is a backend that can own buckets.
type Side struct {
	Name        string
	Participant kernel.Participant
}

// Options are what a Coordinator is made of. Zero durations and numbers mean the
// defaults that their comments name.
type Options struct {
	Journal    *Journal
	Home, Away Side
	// Desired tells which buckets belong to Away; Run asks often. It may be nil if Run
	// is not called.
	Desired func(context.Context) (Desired, error)
	// ID names this coordinator among all that ever were; by default it is random.
	ID string

	PauseBudget time.Duration // of a move, from Freeze to the journal's idle; 500 ms
	StepTimeout time.Duration // of one order outside the pause; 10 s
	Grace       time.Duration // to settle what is under way when Run's context ends; 5 s
	Retain      time.Duration // before the former owner forgets; 24 h
	MaxMoves    int           // of the route at once, by all coordinators; 4
	MaxBuckets  int           // of a move; the kernel's MaxBuckets

	Poll       time.Duration // between looks at weights and journal; 250 ms
	Heartbeat  time.Duration // between signs of life; 1 s
	StaleAfter time.Duration // without a sign of life a move is looked at; 5 s
	AuditEvery time.Duration // 1 min

	// CopyFrozen copies nothing before it is frozen: longer pauses, but the source is read
	// once only.
	CopyFrozen bool
	// AcceptDataLoss lets a target become owner that may lose what it acknowledged.
	AcceptDataLoss bool
	// Load says how busy the machine is, 0 to 1; moves leave it its share. May be nil.
	Load func() float64
	// Observe hears of every move that ended here; it must not block. May be nil.
	Observe func(Report)
	// Faults stops the coordinator dead; for tests. Nil otherwise.
	Faults Faults
}

// Report is what Observe hears.
type Report struct {
	Move     Move
	Err      error // why it was not moved, nil if it was
	Took     map[Step]time.Duration
	Mismatch bool // source and target disagreed about the data that was copied
}

// Coordinator carries a route's moves out. Any number of them may work on one journal.
type Coordinator struct {
	o     Options
	owner *Map
	ranks *canary.Ranks
	pace  [2]*pace // towards Away, towards Home
	kick  chan struct{}
	gate  sync.RWMutex // whoever holds it alone is in its pause; see standAlone

	mu     sync.Mutex
	mine   map[int64]bool // moves under way here
	busy   map[int]bool   // buckets that were written while they were copied; see warm
	status status
}

// New makes a coordinator. Nothing happens before Start or Run. errs: Invalid.
func New(o Options) (*Coordinator, error) {
	if o.Journal == nil || o.Home.Participant == nil || o.Away.Participant == nil ||
		o.Home.Name == "" || o.Away.Name == "" || o.Home.Name == o.Away.Name {
		return nil, errs.E(errs.Invalid, "a handover needs a journal and two sides with different names")
	}
	if o.ID == "" {
		o.ID = rand.Text()
	}
	o.PauseBudget = positive(o.PauseBudget, 500*time.Millisecond)
	o.StepTimeout = positive(o.StepTimeout, 10*time.Second)
	o.Grace = positive(o.Grace, 5*time.Second)
	o.Retain = positive(o.Retain, 24*time.Hour)
	o.MaxMoves = positive(o.MaxMoves, 4)
	o.MaxBuckets = min(positive(o.MaxBuckets, kernel.MaxBuckets), kernel.MaxBuckets)
	o.Poll = positive(o.Poll, 250*time.Millisecond)
	o.Heartbeat = positive(o.Heartbeat, time.Second)
	o.StaleAfter = positive(o.StaleAfter, 5*time.Second)
	o.AuditEvery = positive(o.AuditEvery, time.Minute)
	return &Coordinator{
		o: o, owner: newMap(o.Journal), ranks: canary.NewRanks(o.Journal.Route()),
		pace: [2]*pace{newPace(), newPace()}, kick: make(chan struct{}, 1), mine: map[int64]bool{}, busy: map[int]bool{},
	}, nil
}

func positive[T time.Duration | int](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Start makes sure that the journal knows the route, and reads who owns what; the Map
// is of use from then on. errs: Unsafe when the journal was written under another home
// or another numbering of buckets, Unavailable.
func (c *Coordinator) Start(ctx context.Context) error {
	if err := c.o.Journal.Init(ctx, c.o.Home.Name); err != nil {
		return err
	}
	return c.owner.Refresh(ctx)
}

// Map tells who owns which bucket.
func (c *Coordinator) Map() *Map { return c.owner }

// Journal gives the route's journal.
func (c *Coordinator) Journal() *Journal { return c.o.Journal }

// Ranks gives the order in which buckets leave the home.
func (c *Coordinator) Ranks() *canary.Ranks { return c.ranks }

// side gives the backend of a name. errs: Unsafe for one that is not of the route any
// more, but is named by the journal.
func (c *Coordinator) side(name string) (Side, error) {
	switch name {
	case c.o.Home.Name:
		return c.o.Home, nil
	case c.o.Away.Name:
		return c.o.Away, nil
	}
	return Side{}, errs.E(errs.Unsafe, "the journal of route %s names the backend %s, which is neither %s nor %s", c.o.Journal.Route(), name, c.o.Home.Name, c.o.Away.Name)
}

// paceOf gives what is known of the speed towards a backend.
func (c *Coordinator) paceOf(target string) *pace {
	if target == c.o.Home.Name {
		return c.pace[1]
	}
	return c.pace[0]
}

// hold notes that a move is under way here, so that its heart beats, until the function
// that it gives is called.
func (c *Coordinator) hold(id int64) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mine[id] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.mine, id)
	}
}

// held gives the moves under way here.
func (c *Coordinator) held() []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]int64, 0, len(c.mine))
	for id := range c.mine {
		list = append(list, id)
	}
	return list
}

// lingering gives a context that ends some time after another one does, so that what is
// under way is settled rather than left to others.
func lingering(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-longer.Done():
		case <-time.After(grace):
			cancel()
		}
	})
	return longer, func() { stop(); cancel() }
}

// wait sleeps, and says false if the context ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// backoff is the delay before an attempt, from 1: 20 ms, doubling up to 2 s.
func backoff(attempt int) time.Duration {
	return min(20*time.Millisecond<<min(attempt-1, 7), 2*time.Second)
}
