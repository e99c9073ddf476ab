package handovertest

import (
	"bytes"
	"errors"
	"math/rand/v2"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
)

// dataChecks are about records: what is copied is what is exported.
func dataChecks() []check {
	return []check{
		{"round trip", "records come out as they went in, to the byte, in every mode, and can be copied on", roundTrip},
		{"small parts", "it does not matter into which parts records were cut", smallParts},
		{"wipe", "seal and purge forget the data", wipe},
		{"export", "buckets come in the order asked for, and only in the epoch named", exported},
		{"export ends", "an export that its reader gives up ends with the reader's error", givenUp},
		{"walk", "whatever orders and parts come, the participant has what the model has", walk},
	}
}

func roundTrip(s *script) {
	e := s.next()
	s.do(handover.Seal, e, s.buckets...)
	for _, b := range s.buckets {
		s.copy(e, handover.Split(b, s.records[b])...)
	}
	s.look(s.buckets...)
	s.do(handover.Activate, e, s.buckets...)
	s.look(s.buckets...)
	e = s.next()
	s.do(handover.Freeze, e, s.buckets...)
	s.look(s.buckets...)
	s.look(s.buckets...) // the same again
	parts := s.parts(e, s.buckets)
	s.do(handover.SealSource, e, s.buckets...)
	s.look(s.buckets...)
	e = s.next()
	s.do(handover.Seal, e, s.buckets...)
	for _, p := range parts {
		s.copy(e, p)
	}
	s.do(handover.Activate, e, s.buckets...)
	s.look(s.buckets...)
}

// parts exports buckets and keeps the parts as they came.
func (s *script) parts(epoch int64, buckets []int) (list []handover.Part) {
	if s.problem != nil {
		return nil
	}
	err := s.p.Export(s.ctx, epoch, buckets, func(p handover.Part) error {
		kept := handover.Part{Bucket: p.Bucket, Seq: p.Seq}
		for _, r := range p.Records {
			kept.Records = append(kept.Records, bytes.Clone(r))
		}
		list = append(list, kept)
		return nil
	})
	if err != nil {
		s.failf("export of %s: %w", some(buckets), err)
	}
	return list
}

func smallParts(s *script) {
	const tail = 5 // records that come one by one; the others in parts of uneven size
	b := s.large
	e := s.next()
	s.do(handover.Seal, e, b)
	records, seq := s.records[b], int64(0)
	for size := 1; len(records) > 0; size++ {
		n := 1
		if len(records) > tail {
			n = min(size*7, len(records)-tail, handover.MaxPartRecords)
		}
		for total(records[:n]) > handover.MaxPartBytes && n > 1 {
			n--
		}
		seq++
		s.copy(e, handover.Part{Bucket: b, Seq: seq, Records: records[:n]})
		records = records[n:]
	}
	s.do(handover.Activate, e, b)
	s.look(b)
}

func total(records [][]byte) (n int) {
	for _, r := range records {
		n += len(r)
	}
	return n
}

func wipe(s *script) {
	b := s.buckets[:3]
	e := s.next()
	s.do(handover.Seal, e, b...)
	s.fill(e, 3, b...)
	s.do(handover.Purge, e, b[0])
	s.look(b...)
	s.do(handover.Activate, e, b[1], b[2])
	e = s.next()
	s.do(handover.Freeze, e, b[1], b[2])
	s.do(handover.SealSource, e, b[1], b[2])
	s.look(b...) // kept for whoever wants it back
	s.do(handover.Purge, e, b[1])
	s.do(handover.Purge, e, b[1])
	s.look(b...)
	e = s.next()
	s.do(handover.Recover, e, b[2])
	s.look(b...)
	s.not(handover.Purge, e, b[2])
	e = s.next()
	s.do(handover.Seal, e, b[0], b[1])
	s.look(b...)
	s.fill(e, 1, b[0], b[1]) // nothing is left of the old records, nor of their numbers
	s.look(b...)
	e = s.next()
	s.do(handover.Seal, e, b[0])
	s.look(b...)
}

func exported(s *script) {
	b := s.buckets[:4]
	e := s.next()
	s.do(handover.Seal, e, b...)
	s.fill(e, 2, b[0], b[2], b[3])
	s.look(b[3], b[1], b[0], b[2])
	if s.problem == nil {
		s.lookAt(e, []int{b[2], b[0], b[1]})
	}
	s.misdirected(e+1, b[0])
	s.misdirected(e-1, b[0])
	s.next()
	later := s.next()
	s.do(handover.Seal, later, b[1])
	s.fill(later, 1, b[1])
	if s.problem != nil {
		return
	}
	if err := s.p.Export(s.ctx, e, []int{b[0], b[1]}, func(handover.Part) error { return nil }); err == nil {
		s.failf("an export in epoch %d has bucket %d, which is in epoch %d", e, b[1], later)
	}
	s.look(b[0], b[1]) // any epoch will do
}

// misdirected wants a bucket neither exported nor digested in an epoch.
func (s *script) misdirected(epoch int64, b int) {
	if s.problem != nil {
		return
	}
	err := s.p.Export(s.ctx, epoch, []int{b}, func(handover.Part) error { return nil })
	_, digestErr := s.p.Digest(s.ctx, epoch, []int{b})
	if errs.CodeOf(err) != errs.Misdirected || errs.CodeOf(digestErr) != errs.Misdirected {
		s.failf("export and digest in epoch %d of bucket %d, whose fence is %s, must be %s, not: %v; %v",
			epoch, b, fences([]handover.Fence{s.model.fence(b)}), errs.Misdirected, err, digestErr)
	}
}

func givenUp(s *script) {
	e := s.next()
	s.do(handover.Seal, e, s.large)
	s.copy(e, handover.Split(s.large, s.records[s.large])...)
	if s.problem != nil {
		return
	}
	enough, times := errors.New("enough"), 0
	err := s.p.Export(s.ctx, e, []int{s.large}, func(handover.Part) error { times++; return enough })
	if !errors.Is(err, enough) || times != 1 {
		s.failf("the reader gave up at the first part, but was given %d, and the error is %v", times, err)
	}
	s.look(s.large)
}

// steps of a walk; each is looked at.
const walkSteps = 150

// walk gives orders and parts at random, the same ones for the same options.
func walk(s *script) {
	//nolint:gosec // a walk that can be walked again
	random := rand.New(rand.NewPCG(uint64(s.epoch), uint64(s.buckets[0])))
	ops := handover.Ops()
	for range walkSteps {
		if s.problem != nil {
			return
		}
		some := pick(random, s.buckets)
		epoch := s.epoch - 1 + random.Int64N(3) - 1
		if random.IntN(3) == 0 {
			s.wander(random, epoch, some)
		} else {
			s.order(s.of(ops[random.IntN(len(ops))], epoch, some...))
		}
		if epoch == s.epoch {
			s.next()
		}
		s.look(some...)
	}
	s.look(s.buckets...)
}

// wander copies a part that is due, or one that is not.
func (s *script) wander(random *rand.Rand, epoch int64, buckets []int) {
	var parts []handover.Part
	for _, b := range buckets {
		f := s.model.fence(b)
		seq := 1 + random.Int64N(minRecords)
		_, admitted := handover.Admit(f, epoch, seq)
		// What no coordinator does is left out: to go on filling what was purged, or to
		// fill what was sealed as a source.
		if admitted && seq != int64(len(s.model.records[b])+1) {
			continue
		}
		parts = append(parts, s.part(b, seq))
	}
	if len(parts) > 0 {
		s.copy(epoch, parts...)
	}
}

// pick gives some of the buckets, at least one, in any order.
func pick(random *rand.Rand, buckets []int) []int {
	n := 1 + random.IntN(len(buckets))
	some := make([]int, n)
	for i, at := range random.Perm(len(buckets))[:n] {
		some[i] = buckets[at]
	}
	return some
}
