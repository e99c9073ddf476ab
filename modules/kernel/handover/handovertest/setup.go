package handovertest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"banyan/modules/kernel/handover"
)

const (
	minBuckets  = 8
	minRecords  = 3
	leaveWithin = 30 * time.Second
)

// suite is what the checks of one run share.
type suite struct {
	p       handover.Participant
	buckets []int
	records map[int][][]byte
	large   int // the bucket whose records need more than a part
	epoch   int64
	touched bool // the first check leaves absent buckets as they are
}

func newSuite(ctx context.Context, p handover.Participant, o Options) (*suite, error) {
	if len(o.Buckets) < minBuckets {
		return nil, fmt.Errorf("the suite needs %d spare buckets, not %d", minBuckets, len(o.Buckets))
	}
	if err := handover.CheckBuckets(o.Buckets); err != nil {
		return nil, err
	}
	if o.Epoch <= 0 || o.Records == nil {
		return nil, fmt.Errorf("the suite needs records and a positive epoch")
	}
	s := &suite{p: p, buckets: o.Buckets, records: map[int][][]byte{}, large: -1, epoch: o.Epoch}
	for _, b := range o.Buckets {
		records := o.Records(b)
		if err := checkRecords(b, records); err != nil {
			return nil, err
		}
		s.records[b] = records
		if s.large < 0 && len(handover.Split(b, records)) > 1 {
			s.large = b
		}
	}
	if s.large < 0 {
		return nil, fmt.Errorf("no bucket has more records than fit in a part: %d, or %d bytes", handover.MaxPartRecords, handover.MaxPartBytes)
	}
	st, err := p.Status(ctx, o.Buckets)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	if len(st.Fences) != len(o.Buckets) {
		return nil, fmt.Errorf("status of %d buckets gives %d fences", len(o.Buckets), len(st.Fences))
	}
	for _, f := range st.Fences {
		if f.Mode != handover.Absent && f.Mode != handover.Sealed {
			return nil, fmt.Errorf("bucket %d is %s: the suite would destroy its data", f.Bucket, f.Mode)
		}
		if f.Epoch >= o.Epoch {
			return nil, fmt.Errorf("bucket %d is in epoch %d: start above it, not at %d", f.Bucket, f.Epoch, o.Epoch)
		}
	}
	return s, nil
}

func checkRecords(b int, records [][]byte) error {
	if len(records) < minRecords {
		return fmt.Errorf("the suite needs %d records of bucket %d, not %d", minRecords, b, len(records))
	}
	for _, p := range handover.Split(b, records) {
		if err := handover.CheckPart(p); err != nil {
			return err
		}
	}
	if !slices.IsSortedFunc(records, bytes.Compare) {
		return fmt.Errorf("the records of bucket %d are not in the order of their bytes", b)
	}
	return nil
}

// begin makes a script whose model has what the participant has. All buckets but those
// of the first script are sealed and empty.
func (s *suite) begin(ctx context.Context) *script {
	c := &script{ctx: ctx, suite: s, model: NewMemory()}
	st, err := s.p.Status(ctx, s.buckets)
	if err != nil || len(st.Fences) != len(s.buckets) {
		c.failf("status: %d fences, %v", len(st.Fences), err)
		return c
	}
	for _, f := range st.Fences {
		if f.Mode != handover.Absent {
			c.model.fences[f.Bucket] = f
		}
		s.epoch = max(s.epoch, f.Epoch+1) // a participant that goes wrong may be anywhere
	}
	if s.touched {
		c.clear()
	}
	s.touched = true
	return c
}

// leave seals and purges all buckets.
func (s *suite) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaveWithin)
	defer cancel()
	s.touched = true
	c := s.begin(ctx)
	c.order(handover.Order{Op: handover.Purge, Epoch: s.epoch - 1, Buckets: s.buckets})
	c.look(s.buckets...)
	return c.problem
}
