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

// Data is what a context keeps in buckets.
type Data interface {
	// Status tells what the participant says of itself beside its fences. It is called
	// before everything else, too, and may refuse.
	Status(ctx context.Context) (durable bool, follows map[string]int64, err error)
	// Wipes are statements that delete what is kept of buckets, at most limit rows each.
	Wipes(buckets []int, limit int) []sqldb.Stmt
	// Reads are the queries of all that is kept of buckets.
	Reads(buckets []int) []Read
	// Insert stores what came as records, in tx. errs: Invalid for a record that this
	// context does not write, or that would not be found in its bucket again.
	Insert(ctx context.Context, tx *sqldb.Tx, parts []handover.Part) error
	// Moved is told the fences that an order or a part moves, in the transaction of it.
	Moved(ctx context.Context, tx *sqldb.Tx, before map[int]handover.Fence, to []handover.Fence) error
}

// Read is a query of records; Line makes one of a row, which it may keep.
type Read struct {
	SQL  string
	Args []any
	Line func(*sql.Rows) (bucket int, line []byte, err error)
}

// AtOnce bounds the buckets of a statement; a database that takes long lists for tables
// of their own does so above it.
const AtOnce = 256

// lockTries bounds how often a transaction runs that did not get its locks. The database
// gives up a wait after some seconds; whoever orders has a deadline of their own.
const lockTries = 4

// errRaced says that somebody made a fence that was not there a moment ago.
var errRaced = errors.New("a fence was made meanwhile")

// participant implements handover.Participant.
type participant struct {
	db    *sqldb.DB
	route string
	data  Data
}

// New makes the participant of the route's buckets in db, whose schema is migrated.
func New(db *sqldb.DB, route string, data Data) handover.Participant {
	return participant{db: db, route: route, data: data}
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

// do runs a transaction, again if it could not get its locks. It then left no trace.
func (p participant) do(ctx context.Context, fn func(*sqldb.Tx) error) error {
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

// ready wants the data to be in order.
func (p participant) ready(ctx context.Context) error {
	_, _, err := p.data.Status(ctx)
	return err
}

// Status implements handover.Participant.
func (p participant) Status(ctx context.Context, buckets []int) (st handover.Status, err error) {
	if len(buckets) > 0 {
		if err := handover.CheckBuckets(buckets); err != nil {
			return st, err
		}
	}
	if st.Durable, st.Follows, err = p.data.Status(ctx); err != nil {
		return st, err
	}
	const query = "SELECT bucket,epoch,mode,seq FROM fences WHERE route=?"
	if len(buckets) == 0 {
		st.Fences, err = p.readFences(ctx, query+" ORDER BY bucket", p.route)
		return st, err
	}
	known := map[int]handover.Fence{}
	for chunk := range slices.Chunk(buckets, AtOnce) {
		in, args := In("bucket", chunk)
		found, err := p.readFences(ctx, query+" AND "+in, append([]any{p.route}, args...)...)
		if err != nil {
			return st, err
		}
		for _, f := range found {
			known[f.Bucket] = f
		}
	}
	for _, b := range buckets {
		f := known[b]
		f.Bucket = b
		st.Fences = append(st.Fences, f)
	}
	return st, nil
}

func (p participant) readFences(ctx context.Context, query string, args ...any) ([]handover.Fence, error) {
	rows, err := p.db.Reader().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, sqldb.Fail(err)
	}
	defer func() { _ = rows.Close() }()
	var fences []handover.Fence
	for rows.Next() {
		f, err := ScanFence(rows)
		if err != nil {
			return nil, sqldb.Fail(err)
		}
		fences = append(fences, f)
	}
	return fences, sqldb.Fail(rows.Err())
}

// ScanFence reads a row of bucket, epoch, mode and seq.
func ScanFence(rows *sql.Rows) (f handover.Fence, err error) {
	var mode string
	err = rows.Scan(&f.Bucket, &f.Epoch, &mode, &f.Seq)
	f.Mode = handover.Mode(mode)
	return f, err
}

// In is the condition that a column is one of at most AtOnce buckets. The last is
// repeated until there are 1, 16 or 256: statements with lists come in few texts then.
// SQLite keeps a number of texts prepared, and those of the write path must find room.
func In(column string, buckets []int) (string, []any) {
	size := 1
	for size < len(buckets) {
		size *= 16
	}
	args := make([]any, size)
	for i := range args {
		args[i] = buckets[min(i, len(buckets)-1)]
	}
	return column + " IN " + sqldb.Marks(1, size), args
}
