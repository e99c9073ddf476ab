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

// Export implements handover.Participant.
func (p participant) Export(ctx context.Context, epoch int64, buckets []int, each func(handover.Part) error) error {
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
func (p participant) Digest(ctx context.Context, epoch int64, buckets []int) ([]handover.Digest, error) {
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

// read reads buckets, and that they may be read, at one moment.
func (p participant) read(ctx context.Context, epoch int64, buckets []int) (*contents, error) {
	tx, err := p.db.Reader().BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, sqldb.Fail(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	if err := p.mayExport(ctx, tx, epoch, buckets); err != nil {
		return nil, sqldb.Fail(err)
	}
	c := &contents{lines: map[int][][]byte{}, most: readBytes}
	if len(buckets) == 1 {
		c.most = 0
	}
	for _, q := range p.data.Reads(buckets) {
		if err := c.run(ctx, tx, q); err != nil {
			if errors.Is(err, errTooMuch) {
				return nil, err
			}
			return nil, sqldb.Fail(err)
		}
	}
	return c, nil
}

// mayExport wants fences of the epoch, 0 for any.
func (p participant) mayExport(ctx context.Context, tx *sql.Tx, epoch int64, buckets []int) error {
	in, args := In("bucket", buckets)
	rows, err := tx.QueryContext(ctx, "SELECT bucket,epoch,mode,seq FROM fences WHERE route=? AND "+in, append([]any{p.route}, args...)...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	have := map[int]handover.Fence{}
	for rows.Next() {
		f, err := ScanFence(rows)
		if err != nil {
			return err
		}
		have[f.Bucket] = f
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, b := range buckets {
		f := have[b]
		f.Bucket = b
		if f.Mode == handover.Absent || epoch != 0 && f.Epoch != epoch {
			return Misdirected(f)
		}
	}
	return nil
}

func (c *contents) run(ctx context.Context, tx *sql.Tx, q Read) error {
	rows, err := tx.QueryContext(ctx, q.SQL, q.Args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		b, line, err := q.Line(rows)
		if err != nil {
			return err
		}
		c.lines[b] = append(c.lines[b], line)
		if c.size += len(line); c.most > 0 && c.size > c.most {
			return errTooMuch
		}
	}
	return rows.Err()
}
