package handoversql

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"

	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
)

// Buckets are read together, as many as are likely to fit into memory.
const (
	readFirst = 16       // buckets, at first
	readBytes = 32 << 20 // of lines kept, unless they are of one bucket
)

// errTooMuch says that some buckets together have more than readBytes.
var errTooMuch = errors.New("too much to read at once")

// Read is a query of records; Line makes one of a row, which it may keep.
type Read struct {
	SQL  string
	Args []any
	Line func(*sql.Rows) (bucket int, line []byte, err error)
}

// Export implements handover.Participant.
func (p participant[P]) Export(ctx context.Context, epoch int64, buckets []int, each func(handover.Part) error) error {
	if err := handover.CheckBuckets(buckets); err != nil {
		return err
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	for n := readFirst; len(buckets) > 0; {
		some := buckets[:min(n, len(buckets))]
		c, err := p.read(ctx, epoch, some)
		if errors.Is(err, errTooMuch) {
			n = max(1, len(some)/2)
			continue
		}
		if err != nil {
			return err
		}
		for _, b := range some {
			slices.SortFunc(c.lines[b], bytes.Compare)
			for _, part := range handover.Split(b, c.lines[b]) {
				if err := each(part); err != nil {
					return err
				}
			}
			delete(c.lines, b)
		}
		buckets = buckets[len(some):]
		if c.size < readBytes/8 {
			n = min(2*n, AtOnce)
		}
	}
	return nil
}

// Digest implements handover.Participant.
func (p participant[P]) Digest(ctx context.Context, epoch int64, buckets []int) ([]handover.Digest, error) {
	d := handover.NewDigester(buckets)
	if err := p.Export(ctx, epoch, buckets, d.Add); err != nil {
		return nil, err
	}
	return d.Digests(), nil
}

// contents are the lines of some buckets.
type contents struct {
	lines map[int][][]byte
	size  int
	most  int
}

func (c *contents) add(b int, line []byte) error {
	c.lines[b] = append(c.lines[b], line)
	if c.size += len(line); c.most > 0 && c.size > c.most {
		return errTooMuch
	}
	return nil
}

// read reads at most AtOnce buckets.
func (p participant[P]) read(ctx context.Context, epoch int64, buckets []int) (*contents, error) {
	c := &contents{lines: map[int][][]byte{}, most: readBytes}
	if len(buckets) == 1 {
		c.most = 0
	}
	var queries []sqldb.Stmt
	for _, q := range p.data.Reads(buckets) {
		queries = append(queries, sqldb.Q(func(rows *sql.Rows) error {
			b, line, err := q.Line(rows)
			if err != nil {
				return err
			}
			return c.add(b, line)
		}, q.SQL, q.Args...))
	}
	return c, View(ctx, p.db, p.route, epoch, buckets, queries...)
}

// View runs queries at one moment, at which the buckets may be exported: their fences are
// of the epoch, 0 for any. errs: Misdirected.
func View(ctx context.Context, db *sqldb.DB, route string, epoch int64, buckets []int, queries ...sqldb.Stmt) error {
	tx, err := db.Reader().BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return sqldb.Fail(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	have, err := known(ctx, tx, route, buckets)
	if err != nil {
		return err
	}
	for _, b := range buckets {
		if f := have[b]; f.Mode == handover.Absent || epoch != 0 && f.Epoch != epoch {
			return Misdirected(f)
		}
	}
	for _, q := range queries {
		if err := sqldb.Each(ctx, tx, q); err != nil {
			return err
		}
	}
	return nil
}
