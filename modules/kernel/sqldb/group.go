package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Bounds of a group.
const (
	maxGroup = 128 // transactions that share one commit
	// patience is how long an open group waits for a crowd, short beside the sync that
	// each further group would cost.
	patience = time.Millisecond
)

// grouper is SQLite's one writer. Transactions that arrive while others run share
// their commit, so that many callers pay for one fsync. Those who have just been answered
// tend to come back at once: before it commits, a group waits a moment until it is as large
// as the last one. When one of them fails after writing, all run again in savepoints, and
// its failure stays its own.
type grouper struct {
	conn  *sql.Conn
	crowd int // size of the last group
	cache *stmtCache
	jobs  chan *job
	quit  chan struct{}
	once  sync.Once
	done  chan struct{}
}

type job struct {
	ctx    context.Context //nolint:containedctx // travels with the job to the writer
	fn     func(*Tx) error
	answer chan error
	err    error
}

var errClosed = errors.New("sqldb: the database is closed")

func newGrouper(conn *sql.Conn) *grouper {
	g := &grouper{
		conn: conn, cache: newStmtCache(), jobs: make(chan *job, 2*maxGroup),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	go g.run()
	return g
}

// do hands fn to the writer and waits for its commit. Once the writer has taken it,
// the caller waits for the outcome even if its context ends: no unknown outcomes.
func (g *grouper) do(ctx context.Context, fn func(*Tx) error) error {
	j := &job{ctx: ctx, fn: fn, answer: make(chan error, 1)}
	select {
	case g.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-g.quit:
		return errClosed
	}
	select {
	case err := <-j.answer:
		return err
	case <-g.done:
		select {
		case err := <-j.answer:
			return err
		default:
			return errClosed
		}
	}
}

func (g *grouper) close() {
	g.once.Do(func() { close(g.quit) })
	<-g.done
}

func (g *grouper) run() {
	defer close(g.done)
	defer func() { _ = g.conn.Close() }()
	defer g.cache.close(g.conn)
	for {
		select {
		case j := <-g.jobs:
			g.commit(j)
		case <-g.quit:
			return
		}
	}
}

// commit runs the first caller's transaction and those that arrive meanwhile, commits
// them together, and only then answers: what one of them read may be another's write.
func (g *grouper) commit(first *job) {
	// Not the callers' contexts: an interrupted statement would roll back everyone.
	ctx := context.Background()
	batch, err := g.together(ctx, first)
	if errors.Is(err, errSpoilt) {
		err = g.apart(ctx, batch)
	}
	for _, j := range batch {
		if err != nil {
			j.err = err
		}
		j.answer <- j.err
	}
}

// errSpoilt says that a caller failed after it had written.
var errSpoilt = errors.New("sqldb: a transaction of the group failed half-way")

// together runs callers one after the other without savepoints, which cost more than
// most transactions: a caller that fails has usually read only, and leaves no trace.
func (g *grouper) together(ctx context.Context, first *job) ([]*job, error) {
	var batch []*job
	err := g.transaction(ctx, func(tx *Tx) error {
		late := lateness{}
		defer late.stop()
		for j := first; j != nil; j = g.next(len(batch), &late) {
			batch = append(batch, j)
			if tx.wrote = false; tx.attempt(ctx, j) != nil && tx.wrote {
				return errSpoilt
			}
		}
		return nil
	})
	if len(batch) == 0 {
		batch = append(batch, first) // BEGIN failed
	}
	g.crowd = len(batch)
	return batch, err
}

// next is a caller that waits already, or comes while a crowd is still awaited; nil when
// there is none or the group is full.
func (g *grouper) next(size int, late *lateness) *job {
	if size == maxGroup {
		return nil
	}
	select {
	case j := <-g.jobs:
		return j
	default:
	}
	if size >= g.crowd {
		return nil
	}
	select {
	case j := <-g.jobs:
		return j
	case <-late.after(patience):
	case <-g.quit:
	}
	return nil
}

// lateness is a timer that starts when it is first asked for.
type lateness struct{ timer *time.Timer }

func (l *lateness) after(d time.Duration) <-chan time.Time {
	if l.timer == nil {
		l.timer = time.NewTimer(d)
	}
	return l.timer.C
}

func (l *lateness) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

// apart runs the same callers again, each in a savepoint.
func (g *grouper) apart(ctx context.Context, batch []*job) error {
	return g.transaction(ctx, func(tx *Tx) error {
		for _, j := range batch {
			if err := tx.savepoint(ctx, j); err != nil {
				return err
			}
		}
		return nil
	})
}

func (g *grouper) transaction(ctx context.Context, fn func(*Tx) error) error {
	tx := &Tx{conn: g.conn, cache: g.cache}
	err := tx.runOne(ctx, S("BEGIN IMMEDIATE"))
	if err == nil {
		err = fn(tx)
	}
	if err == nil {
		err = tx.runOne(ctx, S("COMMIT"))
	}
	if err != nil {
		_, _ = g.conn.ExecContext(ctx, "ROLLBACK")
	}
	return err
}

// savepoint runs one caller's transaction. The error it returns is fatal to the
// whole batch; the caller's own is kept in the job.
func (t *Tx) savepoint(ctx context.Context, j *job) error {
	if err := t.runOne(ctx, S("SAVEPOINT caller")); err != nil {
		return err
	}
	if t.attempt(ctx, j) != nil {
		if err := t.runOne(ctx, S("ROLLBACK TO caller")); err != nil {
			return errors.Join(j.err, err)
		}
	}
	return t.runOne(ctx, S("RELEASE caller"))
}

// attempt runs a caller's function and keeps its error in the job.
func (t *Tx) attempt(ctx context.Context, j *job) error {
	if j.err = j.ctx.Err(); j.err != nil {
		return j.err
	}
	t.last = nil
	j.err = protect(func() error {
		if err := j.fn(t); err != nil {
			return err
		}
		return t.runEach(ctx, t.last)
	})
	return j.err
}

// protect turns a caller's panic into an error: it must take neither the writer with it
// nor an open transaction back into the pool.
func protect(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sqldb: panic in a transaction: %v", p)
		}
	}()
	return fn()
}
