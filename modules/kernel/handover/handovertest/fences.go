package handovertest

import (
	"fmt"

	"banyan/modules/kernel/handover"
)

// fenceChecks are about orders and parts: the rows of Next's table, and Admit.
func fenceChecks() []check {
	list := []check{
		{"absent", "a bucket that was never here can only be sealed", absent},
		{"status", "status tells the fences asked for in their order, and all in order of buckets", status},
	}
	for _, op := range handover.Ops() {
		list = append(list, check{
			"order " + string(op), "it is carried out on the fences of Next's table, a second time too, and has no effect on others",
			func(s *script) { table(s, op) },
		})
	}
	return append(list,
		check{"copy", "a part is stored if the bucket is sealed in its epoch and the number is the next one", admission},
		check{"activate counts", "a bucket is activated only with the number of parts that came", counted},
		check{"overtaken", "what belongs to an epoch that was overtaken has no effect, however late it comes", overtaken},
		check{"partly refused", "an order of many buckets is carried out on those whose fence is as demanded", partly},
	)
}

// absent runs first, while buckets may still be absent.
func absent(s *script) {
	var unseen []int
	for _, b := range s.buckets {
		if s.model.fence(b).Mode == handover.Absent {
			unseen = append(unseen, b)
		}
	}
	if len(unseen) == 0 {
		s.skipped = "no bucket is absent"
		return
	}
	e := s.next()
	s.look(unseen...)
	for _, op := range handover.Ops() {
		if op != handover.Seal {
			s.not(op, e, unseen...)
		}
	}
	s.copy(e, s.part(unseen[0], 1))
	s.look(unseen...)
	for _, epoch := range []int64{0, e} {
		s.misdirected(epoch, unseen[0])
	}
	s.do(handover.Seal, e, unseen[0])
	s.look(unseen...)
}

func status(s *script) {
	backwards := make([]int, 0, len(s.buckets))
	for i := range s.buckets {
		backwards = append(backwards, s.buckets[len(s.buckets)-1-i])
	}
	s.look(backwards...)
	if s.problem != nil {
		return
	}
	all, err := s.p.Status(s.ctx, nil)
	if err != nil {
		s.failf("status of all: %w", err)
	}
	has := map[int]handover.Fence{}
	for i, f := range all.Fences {
		has[f.Bucket] = f
		if i > 0 && all.Fences[i-1].Bucket >= f.Bucket {
			s.failf("status of all is not in order of buckets: %d before %d", all.Fences[i-1].Bucket, f.Bucket)
		}
		if f.Mode == handover.Absent {
			s.failf("status of all names bucket %d, which is absent", f.Bucket)
		}
	}
	for _, b := range s.buckets {
		if want := s.model.fence(b); has[b] != want {
			s.failf("status of all has %s, but should have %s", fences([]handover.Fence{has[b]}), fences([]handover.Fence{want}))
		}
	}
}

// table gives an order in the epoch before, in the same and in the next one to buckets in
// every state, and then once more.
func table(s *script, op handover.Op) {
	for shift := int64(-1); shift <= 1; shift++ {
		for _, off := range offsets(op) {
			e := s.states()
			o := s.of(op, e+shift, s.buckets[:minBuckets]...)
			for i := range o.Seqs {
				o.Seqs[i] = max(0, o.Seqs[i]+off)
			}
			for time := range 2 {
				s.order(o)
				s.look(o.Buckets...)
				if s.problem != nil {
					s.problem = fmt.Errorf("fences of epoch %d, given for the %s time: %w", e, [2]string{"first", "second"}[time], s.problem)
					return
				}
			}
			s.next() // the epoch that the order may have used
			s.clear()
		}
	}
}

// offsets are how wrong the number of parts is that activate is told.
func offsets(op handover.Op) []int64 {
	if op == handover.Activate {
		return []int64{0, -1, 1}
	}
	return []int64{0}
}

// states brings the first buckets into every state of an epoch, which it gives, and the
// next epoch is free.
func (s *script) states() int64 {
	b := s.buckets
	e := s.next()
	s.do(handover.Seal, e, b[3:7]...)
	s.fill(e, 3, b[3:7]...)
	s.do(handover.Activate, e, b[3:7]...)
	e = s.next()
	s.do(handover.Seal, e, b[0], b[1], b[2], b[7])
	s.fill(e, 2, b[1], b[2], b[7])
	s.do(handover.Activate, e, b[2])
	s.do(handover.Freeze, e, b[3], b[4])
	s.do(handover.SealSource, e, b[4])
	s.do(handover.Reactivate, e, b[5])
	s.do(handover.Freeze, e, b[6])
	s.do(handover.SealSource, e, b[6])
	s.do(handover.Purge, e, b[6], b[7])
	return e
}

func admission(s *script) {
	b, other := s.buckets[0], s.buckets[1]
	e := s.next()
	s.do(handover.Seal, e, b)
	for _, wrong := range []struct {
		epoch, seq int64
	}{{e, 2}, {e - 1, 1}, {e + 1, 1}} {
		s.copy(wrong.epoch, s.part(b, wrong.seq))
		s.look(b)
	}
	s.copy(e, s.part(b, 1))
	s.look(b)
	again := handover.Part{Bucket: b, Seq: 1, Records: s.records[b][1:2]}
	for _, wrong := range []handover.Part{s.part(b, 1), again, s.part(b, 3)} {
		s.copy(e, wrong)
		s.look(b)
	}
	s.do(handover.Seal, e+1, other)
	s.copy(e, s.part(b, 2), s.part(other, 1)) // the other one is in another epoch
	s.look(b, other)
	s.copy(e, s.part(b, 3))
	s.look(b, other)
	s.next()
	s.do(handover.Activate, e, b)
	s.copy(e, handover.Part{Bucket: b, Seq: 4, Records: s.records[b][:1]})
	s.look(b)
	e = s.next()
	s.do(handover.Freeze, e, b)
	s.copy(e, s.part(b, 1))
	s.look(b)
}

func counted(s *script) {
	b := s.buckets[:2]
	e := s.next()
	s.do(handover.Seal, e, b...)
	s.fill(e, 2, b...)
	for _, seqs := range [][]int64{{1, 1}, {3, 3}, {0, 0}, {2, 1}, {2, 2}} {
		s.order(handover.Order{Op: handover.Activate, Epoch: e, Buckets: b, Seqs: seqs})
		s.look(b...)
	}
	e = s.next()
	s.do(handover.Seal, e, s.buckets[2])
	s.do(handover.Activate, e, s.buckets[2]) // nothing to copy
	s.look(s.buckets[2])
}

// overtaken gives up a move at each stage and lets the old orders come in late.
func overtaken(s *script) {
	target, source := s.buckets[0], s.buckets[1]
	e := s.next()
	s.do(handover.Seal, e, source)
	s.fill(e, 3, source)
	s.do(handover.Activate, e, source)
	old := s.next()
	s.do(handover.Seal, old, target)
	s.do(handover.Freeze, old, source)
	s.fill(old, 2, target)
	e = s.next()
	s.do(handover.Reactivate, e, source) // given up
	s.do(handover.Reactivate, e, source)
	s.not(handover.Freeze, old, source)
	s.not(handover.SealSource, old, source)
	s.not(handover.Reactivate, old, source)
	s.not(handover.Purge, old, source)
	s.not(handover.Recover, old, source)
	s.do(handover.Seal, e, target) // begun again
	for _, late := range []handover.Op{handover.Seal, handover.Activate, handover.Purge, handover.Recover} {
		s.not(late, old, target)
	}
	s.copy(old, s.part(target, 3))
	s.copy(old, s.part(target, 1))
	s.look(target, source)
	s.fill(e, 3, target)
	s.do(handover.Activate, e, target)
	s.not(handover.Seal, old, target)
	s.copy(old, s.part(target, 3))
	s.look(target)
	e = s.next()
	s.not(handover.Seal, e, target, source) // owned: no epoch is high enough
}

func partly(s *script) {
	b := s.buckets
	e := s.next()
	s.do(handover.Seal, e, b[0], b[2], b[4])
	s.fill(e, 2, b[0], b[2], b[4])
	s.do(handover.Activate, e, b[0], b[4])
	e = s.next()
	s.order(s.of(handover.Freeze, e, b...)) // 0 and 4 are owned
	s.look(b...)
	s.order(s.of(handover.SealSource, e, b[7], b[4], b[1], b[0], b[2]))
	s.look(b...)
	e = s.next()
	s.do(handover.Seal, e, b[1], b[5])
	s.copy(e, s.part(b[0], 1), s.part(b[1], 1), s.part(b[2], 1), s.part(b[5], 1), s.part(b[5], 2))
	s.look(b...)
}
