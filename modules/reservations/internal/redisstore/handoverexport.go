package redisstore

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/redisdb"
)

// Bounds of an export.
const (
	fieldsAtOnce = 4000 // read in one round trip, unless one bucket's seats are more
	fieldsAPage  = 1000 // of a hash too large to be read whole
)

// looked is what a bucket has, without the records themselves.
type looked struct {
	fence    handover.Fence
	day, res int64
	flights  []seatedFlight
}

// seatedFlight has seat state, of so many fields.
type seatedFlight struct {
	id   string
	size int64
}

func (l looked) fields() int64 {
	n := l.day + l.res
	for _, f := range l.flights {
		n += f.size
	}
	return n
}

// Export implements handover.Participant. It costs a round trip for 250 buckets, and two
// more for some thousand records.
func (p *participant) Export(ctx context.Context, epoch int64, buckets []int, each func(handover.Part) error) error {
	if err := handover.CheckBuckets(buckets); err != nil {
		return err
	}
	all, err := p.lookAt(ctx, buckets)
	if err != nil {
		return redisdb.Fail(err)
	}
	for _, l := range all {
		if l.fence.Mode == handover.Absent || epoch != 0 && l.fence.Epoch != epoch {
			return elsewhere(l.fence)
		}
	}
	all = slices.DeleteFunc(all, func(l looked) bool { return l.fields() == 0 })
	for len(all) > 0 {
		n, fields := 0, int64(0)
		for n < len(all) && (n == 0 || fields+all[n].fields() <= fieldsAtOnce) {
			fields += all[n].fields()
			n++
		}
		if err := p.exportSome(ctx, all[:n], each); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// exportSome reads some buckets and, when nobody has changed them meanwhile, hands them on.
func (p *participant) exportSome(ctx context.Context, some []looked, each func(handover.Part) error) error {
	buckets := make([]int, len(some))
	for i, l := range some {
		buckets[i] = l.fence.Bucket
	}
	lines, err := p.s.readBuckets(ctx, some)
	if err != nil {
		return redisdb.Fail(err)
	}
	after, err := p.lookAt(ctx, buckets)
	if err != nil {
		return redisdb.Fail(err)
	}
	for i, l := range some {
		if err := unmoved(l, after[i]); err != nil {
			return err
		}
		slices.SortFunc(lines[i], bytes.Compare)
		// A hash that is read page by page may show a field twice.
		for _, part := range handover.Split(l.fence.Bucket, slices.CompactFunc(lines[i], bytes.Equal)) {
			if err := each(part); err != nil {
				return err
			}
		}
	}
	return nil
}

// unmoved refuses what was read between two looks unless they saw the same. An active
// bucket goes on being written.
func unmoved(before, after looked) error {
	if before.fence.Epoch != after.fence.Epoch || before.fence.Mode != after.fence.Mode {
		return elsewhere(after.fence)
	}
	if before.fence.Mode == handover.Active || reflect.DeepEqual(before, after) {
		return nil
	}
	return errs.E(errs.Conflict, "bucket %d was filled or purged while it was read", before.fence.Bucket).With("bucket", before.fence.Bucket)
}

func elsewhere(f handover.Fence) error {
	return misdirected(f.Bucket, string(f.Mode)+" "+itoa(f.Epoch))
}

// lookAt tells what buckets have, each as of one moment, the flights sorted.
func (p *participant) lookAt(ctx context.Context, buckets []int) ([]looked, error) {
	calls := make([]call, len(buckets))
	for i, b := range buckets {
		calls[i] = call{bucket: b}
	}
	answers, err := p.s.runEach(ctx, p.look, calls)
	if err != nil {
		return nil, err
	}
	list := make([]looked, len(buckets))
	for i, b := range buckets {
		fields, ok := answers[i].([]any)
		if !ok || len(fields) != 5 {
			return nil, fmt.Errorf("redisstore: look answered %v", answers[i])
		}
		l := &list[i]
		if l.fence, err = fence(b, fields); err != nil {
			return nil, err
		}
		if p.s.trust.isLost(b) {
			l.fence = handover.Fence{Bucket: b}
		}
		l.day, _ = fields[2].(int64)
		l.res, _ = fields[3].(int64)
		flights, _ := fields[4].([]any)
		for j := 0; j+1 < len(flights); j += 2 {
			size, _ := flights[j+1].(int64)
			l.flights = append(l.flights, seatedFlight{id: text(flights[j]), size: size})
		}
		slices.SortFunc(l.flights, func(a, b seatedFlight) int { return bytes.Compare([]byte(a.id), []byte(b.id)) })
	}
	return list, nil
}

// Digest implements handover.Participant.
func (p *participant) Digest(ctx context.Context, epoch int64, buckets []int) ([]handover.Digest, error) {
	d := handover.NewDigester(buckets)
	if err := p.Export(ctx, epoch, buckets, d.Add); err != nil {
		return nil, err
	}
	return d.Digests(), nil
}
