package handoversql

import (
	"context"
	"maps"
	"slices"

	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/kernel/sqldb"
)

// Bounds of the parts that are stored in one transaction, unless it is a single one.
const (
	copyRecords = 2000
	copyBytes   = 2 << 20
)

// arrived is a part whose records were read.
type arrived[P any] struct {
	handover.Part
	data P
}

// Copy implements handover.Participant. Nothing is stored if Decode refuses any record.
func (p participant[P]) Copy(ctx context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	if err := handover.CheckParts(epoch, parts); err != nil {
		return nil, err
	}
	if err := p.ready(ctx); err != nil {
		return nil, err
	}
	rest := make([]arrived[P], len(parts))
	for i, part := range parts {
		data, err := p.data.Decode(part)
		if err != nil {
			return nil, err
		}
		rest[i] = arrived[P]{part, data}
	}
	refused, fences := map[int]bool{}, map[int]handover.Fence{}
	for len(rest) > 0 {
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
func together[P any](parts []arrived[P]) int {
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
func (p participant[P]) copy(ctx context.Context, epoch int64, parts []arrived[P]) (refused []int, now map[int]handover.Fence, err error) {
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
		var admitted []P
		for _, part := range parts {
			next, ok := admit(now[part.Bucket], epoch, part.Seq)
			if !ok {
				refused = append(refused, part.Bucket)
				continue
			}
			now[part.Bucket] = next
			admitted = append(admitted, part.data)
		}
		if len(admitted) == 0 {
			return nil
		}
		if err := p.data.Insert(ctx, tx, epoch, admitted); err != nil {
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

// admit is handover.Admit.
func admit(f handover.Fence, epoch, seq int64) (handover.Fence, bool) {
	if mutant.CopyWithoutEpoch {
		epoch = f.Epoch
	}
	if mutant.CopyWithoutSeq {
		f.Seq = seq - 1
	}
	return handover.Admit(f, epoch, seq)
}
