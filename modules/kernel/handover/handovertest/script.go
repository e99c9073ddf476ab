package handovertest

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
)

// script is a check under way. Each step is done by the participant and by the model, and
// what they answer is compared; after the first problem, steps do nothing.
type script struct {
	*suite
	ctx     context.Context //nolint:containedctx // one check, one context: it would be in every line
	model   *Memory
	problem error
	skipped string
}

func (s *script) failf(format string, args ...any) {
	if s.problem == nil {
		s.problem = fmt.Errorf(format, args...)
	}
}

// next gives an epoch that nobody has used.
func (s *script) next() int64 {
	s.epoch++
	return s.epoch - 1
}

// clear makes all buckets sealed and empty, in one new epoch.
func (s *script) clear() {
	var owned []int
	for _, b := range s.buckets {
		if mode := s.model.fence(b).Mode; mode == handover.Active || mode == handover.ReadOnly {
			owned = append(owned, b)
		}
	}
	if len(owned) > 0 {
		e := s.next()
		s.do(handover.Freeze, e, owned...)
		s.do(handover.SealSource, e, owned...)
	}
	s.do(handover.Seal, s.next(), s.buckets...)
}

// order gives an order to both.
func (s *script) order(o handover.Order) []handover.Fence {
	if s.problem != nil {
		return nil
	}
	want, err := s.model.Order(s.ctx, o)
	if err != nil {
		s.failf("the suite gives an order that cannot be: %w", err)
		return nil
	}
	got, err := s.p.Order(s.ctx, o)
	what := fmt.Sprintf("%s in epoch %d of %s", o.Op, o.Epoch, some(o.Buckets))
	if err != nil {
		s.failf("%s: %w", what, err)
		return nil
	}
	s.compare(what, got, want)
	return want
}

// compare wants the same fences to be refused, each once, in any order.
func (s *script) compare(what string, got, want []handover.Fence) {
	byBucket := func(a, b handover.Fence) int { return a.Bucket - b.Bucket }
	got, want = slices.SortedFunc(slices.Values(got), byBucket), slices.SortedFunc(slices.Values(want), byBucket)
	if !slices.Equal(got, want) {
		s.failf("%s: refused are %s, but should be %s", what, fences(got), fences(want))
	}
}

// of makes an order; activate names the number of parts that have come.
func (s *script) of(op handover.Op, epoch int64, buckets ...int) handover.Order {
	o := handover.Order{Op: op, Epoch: epoch, Buckets: buckets}
	if op == handover.Activate {
		for _, b := range buckets {
			o.Seqs = append(o.Seqs, s.model.fence(b).Seq)
		}
	}
	return o
}

// do gives an order that is accepted.
func (s *script) do(op handover.Op, epoch int64, buckets ...int) {
	if refused := s.order(s.of(op, epoch, buckets...)); len(refused) > 0 {
		s.failf("the suite wants what is refused: %s in epoch %d of %s", op, epoch, fences(refused))
	}
}

// not gives an order that is refused for all buckets.
func (s *script) not(op handover.Op, epoch int64, buckets ...int) {
	if refused := s.order(s.of(op, epoch, buckets...)); len(refused) != len(buckets) && s.problem == nil {
		s.failf("the suite wants to be refused what is accepted: %s in epoch %d of %s", op, epoch, some(buckets))
	}
	s.look(buckets...)
}

// copy gives parts to both.
func (s *script) copy(epoch int64, parts ...handover.Part) {
	if s.problem != nil {
		return
	}
	want, err := s.model.Copy(s.ctx, epoch, parts)
	if err != nil {
		s.failf("the suite copies what cannot be: %w", err)
		return
	}
	got, err := s.p.Copy(s.ctx, epoch, parts)
	what := fmt.Sprintf("copy in epoch %d of %s", epoch, name(parts))
	if err != nil {
		s.failf("%s: %w", what, err)
		return
	}
	s.compare(what, got, want)
}

// part is the seq-th of parts that have one record each.
func (s *script) part(b int, seq int64) handover.Part {
	return handover.Part{Bucket: b, Seq: seq, Records: s.records[b][seq-1 : seq]}
}

// fill copies the first n records of each bucket, in a part each.
func (s *script) fill(epoch int64, n int64, buckets ...int) {
	for seq := int64(1); seq <= n; seq++ {
		parts := make([]handover.Part, len(buckets))
		for i, b := range buckets {
			parts[i] = s.part(b, seq)
		}
		s.copy(epoch, parts...)
	}
}

// look compares what both have of some buckets: fences, records and digests.
func (s *script) look(buckets ...int) {
	if s.problem != nil {
		return
	}
	want, _ := s.model.Status(s.ctx, buckets)
	got, err := s.p.Status(s.ctx, buckets)
	if err != nil || !slices.Equal(got.Fences, want.Fences) {
		s.failf("fences are %s, but should be %s (%v)", fences(got.Fences), fences(want.Fences), err)
		return
	}
	var had []int
	for _, f := range want.Fences {
		if f.Mode != handover.Absent {
			had = append(had, f.Bucket)
		}
	}
	if len(had) > 0 {
		s.lookAt(0, had)
	}
}

// lookAt compares the data of buckets that are not absent.
func (s *script) lookAt(epoch int64, buckets []int) {
	got, digests := s.export(s.p, epoch, buckets)
	if s.problem != nil {
		return
	}
	want, wantDigests := s.export(s.model, epoch, buckets)
	for _, b := range buckets {
		if problem := differ(got[b], want[b]); problem != "" {
			s.failf("export of bucket %d, which is %q: %s", b, s.model.fence(b).Mode, problem)
		}
	}
	if !slices.Equal(digests, wantDigests) {
		s.failf("the export's digests differ from the model's")
	}
	told, err := s.p.Digest(s.ctx, epoch, buckets)
	if err != nil || !slices.Equal(told, digests) {
		s.failf("digests are %v, but those of the export are %v (%v)", told, digests, err)
	}
}

// export reads buckets, and wants the parts to be as they must.
func (s *script) export(p handover.Participant, epoch int64, buckets []int) (map[int][][]byte, []handover.Digest) {
	records, digester := map[int][][]byte{}, handover.NewDigester(buckets)
	err := p.Export(s.ctx, epoch, buckets, func(part handover.Part) error {
		if err := handover.CheckPart(part); err != nil {
			return err
		}
		if len(part.Records) == 0 {
			return errs.E(errs.BadGateway, "part %d of bucket %d is empty", part.Seq, part.Bucket)
		}
		for _, r := range part.Records {
			records[part.Bucket] = append(records[part.Bucket], bytes.Clone(r))
		}
		return digester.Add(part)
	})
	if err != nil {
		s.failf("export of %s: %w", some(buckets), err)
	}
	return records, digester.Digests()
}
