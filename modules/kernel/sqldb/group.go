package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// maxGroup bounds how many transactions share one commit.
const maxGroup = 128

// grouper is SQLite's one writer. Transactions that arrive while a commit is under
// way share the next one, each in a savepoint of its own, so that many callers pay
// for one fsync and one caller's failure stays its own.
type grouper struct {
	conn  *sql.Conn
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
	defer g.cache.close()
	for {
		select {
		case j := <-g.jobs:
			g.commit(g.gather(j))
		case <-g.quit:
			return
		}
	}
}

// gather takes what is waiting, without waiting for more.
func (g *grouper) gather(first *job) []*job {
	batch := []*job{first}
	for len(batch) < maxGroup {
		select {
		case j := <-g.jobs:
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// commit runs a batch in one transaction and answers every caller.
func (g *grouper) commit(batch []*job) {
	// Not the callers' contexts: an interrupted statement would roll back everyone.
	ctx := context.Background()
	tx := &Tx{conn: g.conn, cache: g.cache}
	err := tx.runOne(ctx, S("BEGIN IMMEDIATE"))
	for _, j := range batch {
		if err == nil {
			err = tx.savepoint(ctx, j)
		}
	}
	if err == nil {
		err = tx.runOne(ctx, S("COMMIT"))
	}
	if err != nil {
		_, _ = g.conn.ExecContext(ctx, "ROLLBACK")
	}
	for _, j := range batch {
		if err != nil {
			j.err = err
		}
		j.answer <- j.err
	}
}

// savepoint runs one caller's transaction. The error it returns is fatal to the
// whole batch; the caller's own is kept in the job.
func (t *Tx) savepoint(ctx context.Context, j *job) error {
	if j.err = j.ctx.Err(); j.err != nil {
		return nil
	}
	if err := t.runOne(ctx, S("SAVEPOINT caller")); err != nil {
		return err
	}
	t.last = nil
	j.err = protect(func() error {
		if err := j.fn(t); err != nil {
			return err
		}
		return t.runEach(ctx, t.last)
	})
	if j.err != nil {
		if err := t.runOne(ctx, S("ROLLBACK TO caller")); err != nil {
			return errors.Join(j.err, err)
		}
	}
	return t.runOne(ctx, S("RELEASE caller"))
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
