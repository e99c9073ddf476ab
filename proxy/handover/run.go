package handover

import (
	"context"
	"errors"
	"maps"
	"math"
	"sync"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/proxy/canary"
)

// status is what Progress tells of the past.
type status struct {
	desired   Desired
	known     bool // desired was read
	goal      int  // buckets to move since the desired state changed
	began     time.Time
	moved     int // since then, by this coordinator
	lastError string
	failures  int // moves that failed, one after the other
	rest      time.Time
	report    AuditReport
}

// Run keeps the actual owners moving towards the desired ones, recovers what others left
// behind, lets stores forget and audits them, until the context ends. Then it settles
// what is under way, within the grace, and returns nil. Start must have been called.
func (c *Coordinator) Run(ctx context.Context) error {
	if c.o.Desired == nil {
		return errs.E(errs.Invalid, "a coordinator that runs must be told what is desired")
	}
	var group sync.WaitGroup
	// Hearts beat while moves are settled, that is a little longer than all else.
	beats, stop := lingering(ctx, c.o.Grace)
	defer stop()
	var last sync.WaitGroup
	last.Go(func() { c.every(beats, c.o.Heartbeat, c.beat) })
	group.Go(func() { c.every(ctx, c.o.Poll, c.watch) })
	group.Go(func() {
		c.every(ctx, c.o.AuditEvery, func(ctx context.Context) error { _, err := c.Audit(ctx); return err })
	})
	group.Go(func() { c.every(ctx, c.o.AuditEvery, c.Purge) })
	group.Go(func() {
		c.every(ctx, c.o.Heartbeat, func(ctx context.Context) error { return c.recoverInto(ctx, &group) })
	})
	group.Go(func() { c.reconcile(ctx) })
	group.Wait()
	stop()
	last.Wait()
	return nil
}

// failedAgain is when something that failed is tried again, at the latest.
const failedAgain = 2 * time.Second

// every calls something again and again, and keeps its error for Progress.
func (c *Coordinator) every(ctx context.Context, period time.Duration, call func(context.Context) error) {
	for {
		pause := period
		if err := call(ctx); err != nil && ctx.Err() == nil {
			c.failed(err)
			pause = min(period, failedAgain)
		}
		if !wait(ctx, pause) {
			return
		}
	}
}

func (c *Coordinator) beat(ctx context.Context) error {
	return c.o.Journal.Heartbeat(ctx, c.o.ID, c.held())
}

// watch reads the journal when it has changed.
func (c *Coordinator) watch(ctx context.Context) error {
	now, err := c.o.Journal.Changed(ctx)
	if err == nil && now != c.owner.Snapshot().Changes {
		err = c.owner.Refresh(ctx)
	}
	return err
}

// recoverInto settles stale moves, each on its own: one may wait for its store for long.
func (c *Coordinator) recoverInto(ctx context.Context, group *sync.WaitGroup) error {
	stale, err := c.stale(ctx)
	for _, m := range stale {
		release := c.hold(m.ID)
		group.Go(func() {
			defer release()
			if err := c.takeOver(ctx, m, ""); err != nil && !isLost(err) {
				c.failed(err)
			}
		})
	}
	return err
}

// Kick makes Run look at once at what is desired.
func (c *Coordinator) Kick() {
	select {
	case c.kick <- struct{}{}:
	default: // it will look anyway
	}
}

func (c *Coordinator) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.lastError = err.Error()
}

// reconcile begins moves as long as something is to be moved.
func (c *Coordinator) reconcile(ctx context.Context) {
	var moves sync.WaitGroup
	defer moves.Wait()
	ended := make(chan struct{}, c.o.MaxMoves)
	running := 0
	for {
		for range running { // those that have ended
			select {
			case <-ended:
				running--
			default:
			}
		}
		for _, b := range c.next(ctx, running) {
			running++
			moves.Go(func() {
				c.run(ctx, b)
				ended <- struct{}{}
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-c.kick:
		case <-ended:
			running--
		case <-time.After(c.o.Poll):
		}
	}
}

// next gives the batches to begin now.
func (c *Coordinator) next(ctx context.Context, running int) []Batch {
	want, err := c.o.Desired(ctx)
	if err == nil {
		err = c.watch(ctx)
	}
	if err != nil {
		c.failed(err)
		return nil
	}
	s := c.owner.Snapshot()
	cohort := c.ranks.Cohort(want.Weight, want.Pins)
	c.aim(want, tally(cohort, s, c.o.Away.Name))
	if c.resting() {
		return nil
	}
	list := Plan(cohort, want.Paused, s, c.o.Home.Name, c.o.Away.Name, Limits{
		MaxMoves: c.o.MaxMoves,
		Add:      c.pace[0].limit(c.o.PauseBudget, c.o.MaxBuckets),
		GiveBack: c.pace[1].limit(c.o.PauseBudget, c.o.MaxBuckets),
	})
	return list[:min(len(list), max(0, c.o.MaxMoves-running))]
}

// run moves a batch, and afterwards leaves the machine as much time as its load asks.
func (c *Coordinator) run(ctx context.Context, b Batch) {
	if b.Reason == "" {
		b.Reason = "weight"
	}
	began := time.Now()
	_, err := c.Move(ctx, b)
	c.learned(b, err)
	if isLost(err) {
		wait(ctx, c.o.Poll) // somebody was faster, and may be again
		return
	}
	if c.o.Load == nil {
		return
	}
	wait(ctx, pauseAfter(time.Since(began), c.o.Load()))
}

const (
	mostLoad   = 0.95
	maxRest    = 5 * time.Second
	firstPause = 100 * time.Millisecond // after a move that failed; doubles up to maxPause
	maxPause   = 30 * time.Second
)

// learned makes the next try later the more moves have failed one after the other. One
// that somebody else was faster with is no failure.
func (c *Coordinator) learned(b Batch, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.status.failures, c.status.moved = 0, c.status.moved+len(b.Buckets)
	case isLost(err) || errors.Is(err, errGone):
	default:
		c.status.lastError = err.Error()
		c.status.rest = time.Now().Add(doubled(firstPause, c.status.failures, maxPause))
		c.status.failures++
	}
}

func (c *Coordinator) resting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.status.rest)
}

// aim notes what is desired; the way there is measured from its last change.
func (c *Coordinator) aim(want Desired, t Tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.status.desired
	if !c.status.known || old.Weight != want.Weight || !maps.Equal(old.Pins, want.Pins) {
		c.status.goal, c.status.began, c.status.moved = t.Wrong, time.Now(), 0
		c.status.failures, c.status.rest = 0, time.Time{}
	}
	c.status.desired, c.status.known = want, true
}

// Progress is what people see of a route's way.
type Progress struct {
	Tally
	Weight   canary.Weight `json:"weight"` // desired
	Paused   bool          `json:"paused"`
	Goal     int           `json:"goal"`  // buckets to be moved when what is desired last changed
	Done     int           `json:"done"`  // of those
	Rate     float64       `json:"rate"`  // buckets a second, by this coordinator
	Left     time.Duration `json:"left"`  // nanoseconds at that rate; 0 when there is none
	PauseP99 time.Duration `json:"pause"` // of the last moves, by this coordinator
	Batch    int           `json:"batch"` // buckets of the next batch towards the extracted side
	Failures int           `json:"failures"`
	Error    string        `json:"error"` // the last one, of whatever time
}

// Progress tells how far the route is. It reads nothing but memory.
func (c *Coordinator) Progress() Progress {
	s := c.owner.Snapshot()
	c.mu.Lock()
	st := c.status
	c.mu.Unlock()
	p := Progress{
		Tally: tally(c.ranks.Cohort(st.desired.Weight, st.desired.Pins), s, c.o.Away.Name), Weight: st.desired.Weight, Paused: st.desired.Paused,
		Goal: st.goal, Failures: st.failures, Error: st.lastError,
		Batch:    c.pace[0].limit(c.o.PauseBudget, c.o.MaxBuckets),
		PauseP99: p99(append(c.pace[0].recent(), c.pace[1].recent()...)),
	}
	p.Done = max(0, p.Goal-p.Wrong)
	if took := time.Since(st.began).Seconds(); st.moved > 0 && took > 0 {
		p.Rate = float64(st.moved) / took
		p.Left = time.Duration(float64(p.Wrong) / p.Rate * float64(time.Second))
	}
	return p
}

func ceil(f float64) int { return int(math.Ceil(f)) }
