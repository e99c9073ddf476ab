package handovertest

import (
	"bytes"
	"net/http"
	"sync"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
)

// edgeChecks are about input that makes no sense, and callers that come at once.
func edgeChecks() []check {
	return []check{
		{"bad orders", "an order that makes no sense is an error of the caller and has no effect", badOrders},
		{"bad parts", "a part that makes no sense is an error of the caller and has no effect", badParts},
		{"bad questions", "buckets that there are not, or that are named twice, are an error of the caller", badQuestions},
		{"at once", "of the same order or part from many callers at once, one is carried out", atOnce},
	}
}

// callersFault tells whether an error says that the request was wrong: a 4xx over HTTP.
func callersFault(err error) bool {
	status := errs.Status(errs.CodeOf(err))
	return err != nil && status >= http.StatusBadRequest && status < http.StatusInternalServerError
}

func badOrders(s *script) {
	e := s.next()
	b := s.buckets[:2]
	s.fill(e-1, 1, b...) // sealed when the check began
	s.look(b...)
	many := make([]int, handover.MaxBuckets+1)
	for i := range many {
		many[i] = i
	}
	for _, bad := range []struct {
		what      string
		order     handover.Order
		orRefused bool // to refuse it does as well
	}{
		{"a bucket twice", handover.Order{Op: handover.Seal, Epoch: e, Buckets: []int{b[0], b[1], b[0]}}, false},
		{"a negative bucket", handover.Order{Op: handover.Seal, Epoch: e, Buckets: []int{b[0], -1}}, false},
		{"a bucket beyond the last", handover.Order{Op: handover.Seal, Epoch: e, Buckets: []int{b[0], bucket.Count}}, false},
		{"activate without seqs", handover.Order{Op: handover.Activate, Epoch: e - 1, Buckets: b}, false},
		{"activate with a seq too few", handover.Order{Op: handover.Activate, Epoch: e - 1, Buckets: b, Seqs: []int64{1}}, false},
		{"activate with a seq too many", handover.Order{Op: handover.Activate, Epoch: e - 1, Buckets: b, Seqs: []int64{1, 1, 1}}, false},
		// Nothing is in the epoch that this purges: who does not count does no harm.
		{"too many buckets", handover.Order{Op: handover.Purge, Epoch: e, Buckets: many}, false},
		{"an order that there is not", handover.Order{Op: "forget", Epoch: e, Buckets: b}, true},
		{"epoch 0", handover.Order{Op: handover.Seal, Buckets: b}, true},
		{"a negative epoch", handover.Order{Op: handover.Seal, Epoch: -1, Buckets: b}, true},
	} {
		if s.problem != nil {
			return
		}
		refused, err := s.p.Order(s.ctx, bad.order)
		if allRefused := err == nil && len(refused) == len(bad.order.Buckets); !callersFault(err) && (!bad.orRefused || !allRefused) {
			s.failf("%s: the answer is %v, and refused are %s", bad.what, err, fences(refused))
		}
		s.look(b...)
	}
}

func badParts(s *script) {
	b := s.buckets[0]
	e := s.epoch - 1 // sealed when the check began
	good := s.records[b][0]
	for _, bad := range []struct {
		what      string
		epoch     int64
		part      handover.Part
		orRefused bool
	}{
		{"a record with a newline", e, handover.Part{Bucket: b, Seq: 1, Records: [][]byte{append(bytes.Clone(good), '\n')}}, false},
		{"two records in one", e, handover.Part{Bucket: b, Seq: 1, Records: [][]byte{bytes.Join(s.records[b][:2], []byte{'\n'})}}, false},
		{"a record cut short", e, handover.Part{Bucket: b, Seq: 1, Records: [][]byte{good[:len(good)-1]}}, false},
		{"a record that is no object", e, handover.Part{Bucket: b, Seq: 1, Records: [][]byte{[]byte(`[]`)}}, false},
		{"an empty record", e, handover.Part{Bucket: b, Seq: 1, Records: [][]byte{{}}}, false},
		{"a negative bucket", e, handover.Part{Bucket: -1, Seq: 1, Records: [][]byte{good}}, false},
		{"a bucket beyond the last", e, handover.Part{Bucket: bucket.Count, Seq: 1, Records: [][]byte{good}}, false},
		{"part 0", e, handover.Part{Bucket: b, Records: [][]byte{good}}, true},
		{"epoch 0", 0, handover.Part{Bucket: b, Seq: 1, Records: [][]byte{good}}, true},
	} {
		if s.problem != nil {
			return
		}
		refused, err := s.p.Copy(s.ctx, bad.epoch, []handover.Part{bad.part})
		if allRefused := err == nil && len(refused) == 1; !callersFault(err) && (!bad.orRefused || !allRefused) {
			s.failf("%s: the answer is %v, and refused are %s", bad.what, err, fences(refused))
		}
		s.look(b)
	}
}

func badQuestions(s *script) {
	b := s.buckets[0]
	for _, bad := range [][]int{{b, -1}, {b, bucket.Count}, {b, b}} {
		_, err := s.p.Status(s.ctx, bad)
		_, digestErr := s.p.Digest(s.ctx, 0, bad)
		exportErr := s.p.Export(s.ctx, 0, bad, func(handover.Part) error { return nil })
		if !callersFault(err) || !callersFault(digestErr) || !callersFault(exportErr) {
			s.failf("buckets %v: status, digest and export answer: %v; %v; %v", bad, err, digestErr, exportErr)
		}
	}
}

// callers come at once.
const callers = 8

func atOnce(s *script) {
	b := s.buckets[0]
	e := s.next()
	s.race(handover.Order{Op: handover.Seal, Epoch: e, Buckets: []int{b}}, 1)
	for seq := int64(1); seq <= minRecords; seq++ {
		part := []handover.Part{s.part(b, seq)}
		s.together("copy", 1, func() ([]handover.Fence, error) { return s.p.Copy(s.ctx, e, part) })
		_, _ = s.model.Copy(s.ctx, e, part)
		s.look(b)
	}
	s.race(handover.Order{Op: handover.Activate, Epoch: e, Buckets: []int{b}, Seqs: []int64{minRecords}}, callers)
	e = s.next()
	s.race(handover.Order{Op: handover.Freeze, Epoch: e, Buckets: []int{b}}, 1)
	s.race(handover.Order{Op: handover.SealSource, Epoch: e, Buckets: []int{b}}, callers)
	s.race(handover.Order{Op: handover.Purge, Epoch: e, Buckets: []int{b}}, callers)
}

// race lets many callers give an order that must be accepted from so many of them.
func (s *script) race(o handover.Order, accepted int) {
	s.together(string(o.Op), accepted, func() ([]handover.Fence, error) { return s.p.Order(s.ctx, o) })
	_, _ = s.model.Order(s.ctx, o)
	s.look(o.Buckets...)
}

func (s *script) together(what string, accepted int, call func() ([]handover.Fence, error)) {
	if s.problem != nil {
		return
	}
	var wait sync.WaitGroup
	refused, problems := make([][]handover.Fence, callers), make([]error, callers)
	for i := range callers {
		wait.Go(func() { refused[i], problems[i] = call() })
	}
	wait.Wait()
	got := 0
	for i := range callers {
		if problems[i] != nil {
			s.failf("%s from %d callers: %w", what, callers, problems[i])
		}
		if len(refused[i]) == 0 {
			got++
		}
	}
	if got != accepted {
		s.failf("%s from %d callers at once was accepted from %d, but should be from %d", what, callers, got, accepted)
	}
}
