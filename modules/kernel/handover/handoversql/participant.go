// Package handoversql is the part of a handover that is the same for every context whose
// store is a table of fences beside its data, on MySQL, MariaDB or SQLite: a context says
// how the data of its buckets is read, written and wiped, and gets a Participant.
//
// An order locks the rows of its fences. Every write of the context must share the lock
// of its bucket's fence until it is committed, so that an order which has the lock has no
// write beside it. The table is fences (route, bucket, epoch, mode, seq), the key of
// which is (route, bucket).
package handoversql

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
)

// Data is what a context keeps in buckets. P is a part of it on its way, decoded.
type Data[P any] interface {
	// Follows says how far the copies of others' data are: see handover.Status.
	Follows(ctx context.Context) (map[string]int64, error)
	// Wipes are statements that delete what is kept of buckets, at most limit rows each.
	// They go along keys: see Delete.
	Wipes(buckets []int, limit int) []sqldb.Stmt
	// Reads are the queries of all that is kept of buckets. They go along keys.
	Reads(buckets []int) []Read
	// Decode reads a part's records. errs: Invalid for a record that this context does not
	// write, or that would not be found in its bucket again.
	Decode(part handover.Part) (P, error)
	// Insert stores parts of an epoch in tx.
	Insert(ctx context.Context, tx *sqldb.Tx, epoch int64, parts []P) error
}

// Hooks are what some contexts do beside; each may be nil.
type Hooks struct {
	// Ready is called before everything else, and may refuse.
	Ready func(ctx context.Context) error
	// Moved is told the fences that an order or a part moves, in the transaction of it.
	Moved func(ctx context.Context, tx *sqldb.Tx, before map[int]handover.Fence, to []handover.Fence) error
}

// lockTries bounds how often a transaction runs that did not get its locks. The database
// gives up a wait after some seconds; whoever orders has a deadline of their own.
const lockTries = 4

// errRaced says that somebody made a fence that was not there a moment ago.
var errRaced = errors.New("a fence was made meanwhile")

// participant implements handover.Participant.
type participant[P any] struct {
	db    *sqldb.DB
	route string
	data  Data[P]
	hooks Hooks
}

// New makes the participant of the route's buckets in db, whose schema is migrated.
func New[P any](db *sqldb.DB, route string, data Data[P], hooks Hooks) handover.Participant {
	return participant[P]{db: db, route: route, data: data, hooks: hooks}
}

// Misdirected is the error for a bucket that the store does not serve as it would have to.
func Misdirected(f handover.Fence) error {
	mode := f.Mode
	if mode == handover.Absent {
		mode = "absent"
	}
	return errs.E(errs.Misdirected, "bucket %d is not served here (%s)", f.Bucket, mode).
		With("bucket", f.Bucket).With("epoch", f.Epoch).With("mode", string(mode))
}

// Durable tells whether what the database has acknowledged survives a crash.
func Durable(ctx context.Context, db *sqldb.DB) (bool, error) {
	if db.Dialect() != sqldb.MySQL {
		return true, nil
	}
	var flush int
	err := db.Reader().GetContext(ctx, &flush, "SELECT @@innodb_flush_log_at_trx_commit")
	return flush == 1, sqldb.Fail(err)
}

// do runs a transaction, again if it could not get its locks. It then left no trace.
func (p participant[P]) do(ctx context.Context, fn func(*sqldb.Tx) error) error {
	var err error
	for range lockTries {
		err = p.db.Do(ctx, fn)
		class := sqldb.ClassOf(err)
		again := class == sqldb.Deadlock || class == sqldb.Busy || errors.Is(err, errRaced)
		if !again || ctx.Err() != nil {
			break
		}
	}
	return err
}

func (p participant[P]) ready(ctx context.Context) error {
	if p.hooks.Ready == nil {
		return nil
	}
	return p.hooks.Ready(ctx)
}

// Status implements handover.Participant.
func (p participant[P]) Status(ctx context.Context, buckets []int) (st handover.Status, err error) {
	if len(buckets) > 0 {
		if err := handover.CheckBuckets(buckets); err != nil {
			return st, err
		}
	}
	if err := p.ready(ctx); err != nil {
		return st, err
	}
	if st.Durable, err = Durable(ctx, p.db); err != nil {
		return st, err
	}
	if st.Follows, err = p.data.Follows(ctx); err != nil {
		return st, err
	}
	if len(buckets) == 0 {
		err = sqldb.Each(ctx, p.db.Reader(), fences(p.route, nil, func(f handover.Fence) { st.Fences = append(st.Fences, f) }))
		return st, err
	}
	known, err := known(ctx, p.db.Reader(), p.route, buckets)
	for _, b := range buckets {
		st.Fences = append(st.Fences, known[b])
	}
	return st, err
}

// known reads the fences of buckets, some at a time.
func known(ctx context.Context, from sqldb.Querier, route string, buckets []int) (map[int]handover.Fence, error) {
	have := make(map[int]handover.Fence, len(buckets))
	for chunk := range slices.Chunk(buckets, AtOnce) {
		for _, b := range chunk {
			have[b] = handover.Fence{Bucket: b}
		}
		if err := sqldb.Each(ctx, from, fences(route, chunk, func(f handover.Fence) { have[f.Bucket] = f })); err != nil {
			return nil, err
		}
	}
	return have, nil
}

// fences reads the fences of at most AtOnce buckets, of all if none are named.
func fences(route string, buckets []int, take func(handover.Fence)) sqldb.Stmt {
	text, args := "SELECT bucket,epoch,mode,seq FROM fences WHERE route=?", []any{route}
	if len(buckets) > 0 {
		in, some := In("bucket", buckets)
		text, args = text+" AND "+in, append(args, some...)
	}
	return sqldb.Q(func(rows *sql.Rows) error {
		f, err := ScanFence(rows)
		if err == nil {
			take(f)
		}
		return err
	}, text+" ORDER BY bucket", args...)
}

// Lock reads the fences of at most AtOnce buckets, in their order, and keeps them as they
// are until the commit, after the writes under way. SQLite needs no lock: it has one writer.
func Lock(d sqldb.Dialect, route string, buckets []int, take func(handover.Fence)) sqldb.Stmt {
	s := fences(route, buckets, take)
	if d == sqldb.MySQL {
		s.SQL += " FOR UPDATE"
	}
	return s
}

// ScanFence reads a row of bucket, epoch, mode and seq.
func ScanFence(rows *sql.Rows) (f handover.Fence, err error) {
	var mode string
	err = rows.Scan(&f.Bucket, &f.Epoch, &mode, &f.Seq)
	f.Mode = handover.Mode(mode)
	return f, err
}
