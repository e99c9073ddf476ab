package handoversql

import (
	"context"
	"maps"
	"slices"
	"strings"

	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
)

// Bounds of the parts that are stored in one transaction, unless it is a single one.
const (
	copyRecords = 2000
	copyBytes   = 2 << 20
)

// Copy implements handover.Participant. Parts that were stored before one that the
// context refuses stay.
func (p participant) Copy(ctx context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	if err := handover.CheckParts(epoch, parts); err != nil {
		return nil, err
	}
	if err := p.ready(ctx); err != nil {
		return nil, err
	}
	refused, fences := map[int]bool{}, map[int]handover.Fence{}
	for rest := parts; len(rest) > 0; {
		n := together(rest)
		some, now, err := p.copy(ctx, epoch, rest[:n])
		if err != nil {
			return nil, err
		}
		maps.Copy(fences, now)
		for _, b := range some {
			refused[b] = true
		}
		rest = rest[n:]
	}
	var list []handover.Fence
	for _, b := range slices.Sorted(maps.Keys(refused)) {
		list = append(list, fences[b])
	}
	return list, nil
}

// together tells how many of the first parts, at least one, a transaction takes.
func together(parts []handover.Part) int {
	lines, size := 0, 0
	for n, part := range parts {
		lines += len(part.Records)
		for _, line := range part.Records {
			size += len(line)
		}
		if n > 0 && (lines > copyRecords || size > copyBytes || n == AtOnce) {
			return n
		}
	}
	return len(parts)
}

// copy stores parts in one transaction, fences first. It gives the buckets of parts that
// were refused, and the fences of all.
func (p participant) copy(ctx context.Context, epoch int64, parts []handover.Part) (refused []int, now map[int]handover.Fence, err error) {
	buckets := make([]int, 0, len(parts))
	for _, part := range parts {
		buckets = append(buckets, part.Bucket)
	}
	slices.Sort(buckets)
	buckets = slices.Compact(buckets)
	err = p.do(ctx, func(tx *sqldb.Tx) error {
		refused = nil
		have, err := p.lock(ctx, tx, buckets)
		if err != nil {
			return err
		}
		now = maps.Clone(have)
		var admitted []handover.Part
		for _, part := range parts {
			next, ok := handover.Admit(now[part.Bucket], epoch, part.Seq)
			if !ok {
				refused = append(refused, part.Bucket)
				continue
			}
			now[part.Bucket] = next
			admitted = append(admitted, part)
		}
		if len(admitted) == 0 {
			return nil
		}
		if err := p.data.Insert(ctx, tx, admitted); err != nil {
			return err
		}
		to := make([]handover.Fence, 0, len(buckets))
		for _, b := range buckets {
			to = append(to, now[b])
		}
		return p.put(ctx, tx, have, to)
	})
	return refused, now, err
}

// Rows are the rows of a multi-row INSERT: Head, up to and with VALUES, and Tail are what
// stands around them. Each has Width values.
type Rows struct {
	Head, Tail string
	Width      int
	rows       [][]any
}

// Add adds a row.
func (r *Rows) Add(values ...any) { r.rows = append(r.rows, values) }

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.rows) }

// Stmts writes them some at a time: on SQLite 256, 16 or 1, as with In.
func (r *Rows) Stmts(d sqldb.Dialect) []sqldb.Stmt {
	var list []sqldb.Stmt
	for rest := r.rows; len(rest) > 0; {
		n := min(len(rest), AtOnce)
		if d == sqldb.SQLite {
			n = 1
			for n*16 <= min(len(rest), AtOnce) {
				n *= 16
			}
		}
		text := strings.TrimSpace(r.Head) + " " + sqldb.Marks(n, r.Width) + r.Tail
		list = append(list, sqldb.S(text, slices.Concat(rest[:n]...)...))
		rest = rest[n:]
	}
	return list
}
