package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
)

// sqlParticipant hands buckets of an SQL store over. An order locks the rows of its
// fences; every write of the store shares the lock of its bucket's fence until it is
// committed, so that an order which has the lock has no write beside it.
type sqlParticipant struct {
	store *SQL
	db    *sqldb.DB
}

var _ handover.Participant = sqlParticipant{}

// Participant gives the side of the store that takes over buckets and hands them on.
func (s *SQL) Participant() handover.Participant { return sqlParticipant{store: s, db: s.db} }

// fencesAtOnce bounds the buckets of a statement; a database that takes long lists for
// tables of their own does so above it.
const fencesAtOnce = 256

// lockTries bounds how often a transaction runs that did not get its locks. The database
// gives up a wait after some seconds; whoever orders has a deadline of their own.
const lockTries = 4

// errRaced says that somebody made a fence that was not there a moment ago.
var errRaced = errors.New("a fence was made meanwhile")

// do runs a transaction, again if it could not get its locks. It then left no trace.
func (p sqlParticipant) do(ctx context.Context, fn func(*sqldb.Tx) error) error {
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

// Status implements handover.Participant.
func (p sqlParticipant) Status(ctx context.Context, buckets []int) (handover.Status, error) {
	var st handover.Status
	if len(buckets) > 0 {
		if err := handover.CheckBuckets(buckets); err != nil {
			return st, err
		}
	}
	err := p.store.checkDurable(ctx, SQLOptions{})
	if err != nil && errs.CodeOf(err) != errs.Unsafe {
		return st, err
	}
	st.Durable = err == nil
	if st.Follows, err = p.follows(ctx); err != nil {
		return st, err
	}
	query := "SELECT bucket,epoch,mode,seq FROM fences WHERE route=?"
	if len(buckets) == 0 {
		st.Fences, err = p.readFences(ctx, query+" ORDER BY bucket", Route)
		return st, err
	}
	known := map[int]handover.Fence{}
	for chunk := range slices.Chunk(buckets, fencesAtOnce) {
		in, args := inBuckets(chunk)
		found, err := p.readFences(ctx, query+" AND "+in, append([]any{Route}, args...)...)
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

// follows tells how far the copies of others' data are.
func (p sqlParticipant) follows(ctx context.Context) (map[string]int64, error) {
	var feeds []struct {
		Source  string `db:"source"`
		LastSeq int64  `db:"last_seq"`
	}
	if err := p.db.Reader().SelectContext(ctx, &feeds, "SELECT source,last_seq FROM feeds"); err != nil {
		return nil, sqldb.Fail(err)
	}
	follows := make(map[string]int64, len(feeds))
	for _, f := range feeds {
		follows[f.Source] = f.LastSeq
	}
	return follows, nil
}

func (p sqlParticipant) readFences(ctx context.Context, query string, args ...any) ([]handover.Fence, error) {
	rows, err := p.db.Reader().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, sqldb.Fail(err)
	}
	defer func() { _ = rows.Close() }()
	var fences []handover.Fence
	for rows.Next() {
		f, err := scanFence(rows)
		if err != nil {
			return nil, sqldb.Fail(err)
		}
		fences = append(fences, f)
	}
	return fences, sqldb.Fail(rows.Err())
}

func scanFence(rows *sql.Rows) (f handover.Fence, err error) {
	var mode string
	err = rows.Scan(&f.Bucket, &f.Epoch, &mode, &f.Seq)
	f.Mode = handover.Mode(mode)
	return f, err
}

// padded repeats the last of some buckets until there are 1, 4, 16, 64 or 256: statements with
// lists come in few texts then. SQLite keeps a number of texts prepared, and those of the
// write path must find room.
func padded(buckets []int) []int {
	size := 1
	for size < len(buckets) {
		size *= 4
	}
	all := slices.Clone(buckets)
	for len(all) < size {
		all = append(all, buckets[len(buckets)-1])
	}
	return all
}

// inBuckets is the condition on tables whose keys start with the bucket.
func inBuckets(buckets []int) (string, []any) {
	all := padded(buckets)
	args := make([]any, len(all))
	for i, b := range all {
		args[i] = b
	}
	return "bucket IN " + sqldb.Marks(1, len(all)), args
}

// inIDs is the condition on tables whose key is an id that carries the bucket.
func inIDs(column, prefix string, buckets []int) (string, []any) {
	all := padded(buckets)
	args := make([]any, 0, 2*len(all))
	for _, b := range all {
		// The full stop is next to the dash.
		args = append(args, fmt.Sprintf("%s%04d-", prefix, b), fmt.Sprintf("%s%04d.", prefix, b))
	}
	either := strings.Repeat(" OR "+column+">=? AND "+column+"<?", len(all))
	return "(" + strings.TrimPrefix(either, " OR ") + ")", args
}
