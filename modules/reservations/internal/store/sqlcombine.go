package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// Bounds of the combiner.
const (
	combineSlots   = 2  // batches under way
	combineAtOnce  = 32 // claims in a batch
	combineWaiting = 256
	combineTries   = 4 // of a batch, before each of its claims is on its own
	// combinePatience is short beside the commit that a batch pays for.
	combinePatience = 200 * time.Microsecond
)

// combiner lets claims on MySQL that arrive while others are under way share their
// statements, for most of a small transaction's cost is its statements, not its rows: one
// SELECT for many flights unless their state was guessed, one multi-row INSERT for each
// table, one commit. What is refused together is tried together again, and at last alone.
type combiner struct {
	store    *SQL
	jobs     chan *job
	finished chan []*job
	quit     chan struct{}
	once     sync.Once
	done     sync.WaitGroup
}

type job struct {
	ctx    context.Context //nolint:containedctx // travels with the job to the worker
	sub    Subject
	decide func(State) (Change, error)
	answer chan error

	st      State // read or guessed
	refusal error // instead of st
	change  Change
}

func newCombiner(s *SQL) *combiner {
	c := &combiner{
		store: s, jobs: make(chan *job, combineWaiting),
		finished: make(chan []*job, combineSlots), quit: make(chan struct{}),
	}
	c.done.Go(c.work)
	return c
}

// do hands a claim over and waits for its outcome, even beyond the end of ctx once it
// was handed over, so that the outcome is known.
//
// A guess is decided upon here; if it leads to a refusal, that is decided on the truth.
func (c *combiner) do(ctx context.Context, sub Subject, guessed *State, decide func(State) (Change, error)) error {
	j := &job{ctx: ctx, sub: sub, decide: decide, answer: make(chan error, 1)}
	if guessed != nil {
		change, err := decide(*guessed)
		if err != nil || change.Record == nil { // without a record nothing would tell that the key is not new
			return c.store.alone(ctx, sub, decide)
		}
		j.st, j.change = *guessed, change
	}
	select {
	case c.jobs <- j:
	case <-ctx.Done():
		return sqldb.Fail(ctx.Err())
	case <-c.quit:
		return errs.E(errs.Unavailable, "the store is closed")
	}
	select {
	case err := <-j.answer:
		return err
	case <-c.quit:
	}
	c.done.Wait()
	select {
	case err := <-j.answer:
		return err
	default:
		return errs.E(errs.Unavailable, "the store is closed")
	}
}

func (c *combiner) close() {
	c.once.Do(func() { close(c.quit) })
	c.done.Wait()
}

// work starts a batch whenever there is a slot and a claim that may be written.
func (c *combiner) work() {
	t := turns{busy: map[string]bool{}}
	under, crowd := 0, 1
	for {
		if under < combineSlots && t.any() {
			c.gather(&t, crowd)
			batch := t.take()
			crowd = len(batch)
			under++
			c.done.Go(func() {
				c.run(batch)
				c.finished <- batch
			})
			continue
		}
		jobs := c.jobs
		if len(t.waiting) >= combineWaiting {
			jobs = nil
		}
		select {
		case j := <-jobs:
			t.waiting = append(t.waiting, j)
		case batch := <-c.finished:
			under--
			t.leave(batch)
		case <-c.quit:
			return
		}
	}
}

// gather takes who has come. While there is a crowd, it waits a moment for those who have
// just been answered to come back: few full batches are cheaper than many small ones.
func (c *combiner) gather(t *turns, crowd int) {
	var late <-chan time.Time
	for len(t.waiting) < combineWaiting {
		select {
		case j := <-c.jobs:
			t.waiting = append(t.waiting, j)
			continue
		default:
		}
		if len(t.waiting) >= crowd {
			return
		}
		if late == nil {
			late = time.After(combinePatience)
		}
		select {
		case j := <-c.jobs:
			t.waiting = append(t.waiting, j)
		case <-late:
			return
		}
	}
}

func (c *combiner) run(batch []*job) {
	batch = c.guessed(batch)
	if len(batch) == 0 {
		return
	}
	if len(batch) > 1 {
		c.together(batch)
		return
	}
	j := batch[0]
	if err := c.store.optimistic(j.ctx, j.sub, j.decide); refused(err) {
		c.alone(batch)
	} else {
		j.answer <- err
	}
}

// guessed writes for those whose state was guessed, and gives the others. When a guess
// was wrong, all are others.
func (c *combiner) guessed(batch []*job) (rest []*job) {
	var writers []*job
	for _, j := range batch {
		if j.st.guessed {
			writers = append(writers, j)
		} else {
			rest = append(rest, j)
		}
	}
	if len(writers) == 0 {
		return rest
	}
	for _, j := range writers {
		if known, ok := c.store.flights.Get(j.sub.FlightID); ok && known.Seq == j.st.Flight.Seq {
			j.st.Flight = &known // another batch may have written since the guess
		}
	}
	queue(writers)
	err := c.store.writeGuessed(context.Background(), writers)
	if refused(err) {
		return batch
	}
	for _, j := range writers {
		j.answer <- err
	}
	return rest
}

// alone runs claims by themselves, outside the slots: one that waits for a lock holds up
// no other.
func (c *combiner) alone(batch []*job) {
	for _, j := range batch {
		c.done.Go(func() { j.answer <- c.store.alone(j.ctx, j.sub, j.decide) })
	}
}

// together decides for all on what it reads, and again for those whom another replica was
// faster than, a few times: alone, each would meet it.
func (c *combiner) together(batch []*job) {
	for range combineTries {
		if batch = c.attempt(batch); len(batch) == 0 {
			return
		}
	}
	c.alone(batch)
}

// attempt reads for all, decides each, and writes for those that have something to write;
// they are given back if that was refused. The others are answered on the way.
func (c *combiner) attempt(batch []*job) (again []*job) {
	// Not the callers' contexts: one that ends must not take the others with it.
	ctx := context.Background()
	if err := c.load(ctx, batch); err != nil {
		c.alone(batch)
		return nil
	}
	var writers []*job
	for _, j := range batch {
		switch change, err := j.choose(); {
		case err != nil || change.Empty():
			j.answer <- err
		default:
			j.change = change
			writers = append(writers, j)
		}
	}
	if len(writers) == 0 {
		return nil
	}
	queue(writers)
	err := c.write(ctx, writers)
	switch {
	case sqldb.ClassOf(err) == sqldb.Busy: // somebody keeps a lock: it is to hold up only who wants it
		c.alone(writers)
	case refused(err):
		return writers
	default:
		for _, j := range writers {
			j.answer <- err
		}
	}
	return nil
}

// choose decides by what was loaded.
func (j *job) choose() (c Change, err error) {
	if err = j.ctx.Err(); err != nil {
		return c, sqldb.Fail(err)
	}
	if j.refusal != nil {
		return c, j.refusal
	}
	return j.decide(j.st)
}

// errNotActive says that a fence closed after it was read. sqldb leaves errors of ours
// as they are.
var errNotActive error = errs.E(errs.Misdirected, "one of the buckets is not served here")

// refused tells whether a transaction certainly wrote nothing, because of one of its
// claims or another writer.
func refused(err error) bool {
	if errors.Is(err, errNotActive) {
		return true
	}
	switch sqldb.ClassOf(err) {
	case sqldb.Duplicate, sqldb.Violation, sqldb.Deadlock, sqldb.Busy:
		return true
	case sqldb.NoError, sqldb.Other:
	}
	return false
}

// load reads the state of every claim with one SELECT over a list of the subjects.
func (c *combiner) load(ctx context.Context, batch []*job) error {
	d := c.store.db.Dialect()
	one := newSnapshot(d, Subject{Key: "?", FlightID: "?"}, true)
	var text strings.Builder
	args := make([]any, 0, 6*len(batch)+1)
	for i, j := range batch {
		if i > 0 {
			text.WriteString(" UNION ALL ")
		}
		text.WriteString("SELECT ? AS n,? AS bucket,? AS flight_id,? AS k,? AS seats,? AS customer")
		var key any
		if j.sub.Key != "" {
			key = j.sub.Key
		}
		args = append(args, i, j.sub.Bucket, j.sub.FlightID, key, strings.Join(j.sub.Seats, ","), j.sub.CustomerID)
	}
	args = append(args, Route)
	query := "SELECT q.n," + one.columns.String() + " FROM (" + text.String() + ") q" +
		" LEFT JOIN fences fe ON fe.bucket=q.bucket AND fe.route=?" +
		" LEFT JOIN flights f ON f.flight_id=q.flight_id" +
		" LEFT JOIN events i ON i.bucket=q.bucket AND i.request_key=q.k" +
		" LEFT JOIN seats s ON s.bucket=q.bucket AND s.flight_id=q.flight_id" +
		" AND (FIND_IN_SET(s.seat,q.seats) OR (s.customer_id=q.customer AND s.kind='H'))"
	sent := c.store.clock.Elapsed()
	rows, err := c.store.db.Reader().QueryContext(ctx, query, args...)
	if err != nil {
		return sqldb.Fail(err)
	}
	defer func() { _ = rows.Close() }()
	found := make([]*snapshot, len(batch))
	for rows.Next() {
		var n int
		if err := rows.Scan(append([]any{&n}, one.dest...)...); err != nil || n < 0 || n >= len(batch) {
			return errs.E(errs.Internal, "the database numbered its answers wrongly").Because(err)
		}
		if found[n] == nil {
			found[n] = one.copyFor(batch[n].sub)
		}
		found[n].take(one.seat)
	}
	if err := rows.Err(); err != nil {
		return sqldb.Fail(err)
	}
	for i, j := range batch {
		if found[i] == nil {
			return errs.E(errs.Internal, "the database left out an answer")
		}
		c.store.learn(found[i], sent)
		j.st, j.refusal = found[i].state(ModeActive)
	}
	return nil
}

// write commits the changes of all claims, or none. The fences are kept active until
// the commit; the events come before all else, for they find out who was too slow.
func (c *combiner) write(ctx context.Context, batch []*job) error {
	epochs := map[int]int64{}
	args := []any{Route, ModeActive}
	flights := make([]any, 0, len(batch))
	var all []write
	for _, j := range batch {
		if _, seen := epochs[j.sub.Bucket]; !seen {
			epochs[j.sub.Bucket] = j.st.epoch
			args = append(args, j.sub.Bucket)
		}
		flights = append(flights, j.sub.FlightID)
		all = append(all, newEvent(j.sub, j.st, j.change, expr("?", j.st.epoch)))
		all = append(all, c.store.records(j.sub, j.st, j.change)...)
	}
	return c.store.db.Do(ctx, func(tx *sqldb.Tx) error {
		active := 0
		fences := sqldb.Q(func(rows *sql.Rows) error {
			var b int
			var epoch int64
			err := rows.Scan(&b, &epoch)
			if epochs[b] == epoch {
				active++
			}
			return err
		}, "SELECT bucket,epoch FROM fences WHERE route=? AND mode=? AND bucket IN "+sqldb.Marks(1, len(epochs))+
			fenceLock(c.store.db.Dialect()), args...)
		// Shared with other batches, but not with who decides under the flight's lock.
		locks := sqldb.Q(ignoreRow, "SELECT flight_id FROM flights WHERE flight_id IN "+sqldb.Marks(1, len(flights))+
			c.store.db.Dialect().ShareLock(), flights...)
		if err := tx.Run(ctx, append([]sqldb.Stmt{fences, locks}, merge(all)...)...); err != nil {
			return err
		}
		if active != len(epochs) {
			return errNotActive
		}
		return nil
	})
}
