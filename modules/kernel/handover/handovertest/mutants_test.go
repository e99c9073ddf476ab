package handovertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/handover"
)

// mutant is a participant with one rule broken, and the checks that may find it: the
// test is red if no check does.
type mutant struct {
	name  string
	breed func(m *Memory) handover.Participant
}

func small() Options {
	return Options{
		Buckets: []int{11, 12, 13, 14, 15, 16, 17, 18}, Epoch: 100,
		Records: func(bucket int) [][]byte {
			n := 3
			if bucket == 12 {
				n = handover.MaxPartRecords + 7
			}
			list := make([][]byte, n)
			for i := range list {
				list[i] = fmt.Appendf(nil, `{"bucket":%d,"n":"%06d"}`, bucket, i)
			}
			return list
		},
	}
}

func TestMutants(t *testing.T) {
	for _, one := range slices.Concat(tableMutants(), copyMutants(), dataMutants(), partMutants(), answerMutants()) {
		t.Run(one.name, func(t *testing.T) {
			report := Check(t.Context(), one.breed(NewMemory()), small())
			var found []string
			for _, r := range report {
				if r.Problem != nil {
					found = append(found, r.Name)
				}
			}
			if len(found) == 0 || found[0] == "options" {
				t.Errorf("no check finds it: %v", found)
			}
			t.Log(found)
		})
	}
}

// then breaks Next where the order is op.
func then(op handover.Op, broken func(f handover.Fence, epoch, seq int64) (handover.Fence, handover.Effect, bool)) func(*Memory) handover.Participant {
	return func(m *Memory) handover.Participant {
		m.rules.next = func(f handover.Fence, o handover.Op, epoch, seq int64) (handover.Fence, handover.Effect, bool) {
			if o == op {
				if to, effect, ok := broken(f, epoch, seq); ok {
					return to, effect, ok
				}
			}
			return handover.Next(f, o, epoch, seq)
		}
		return m
	}
}

// at gives a fence its mode and epoch.
func at(f handover.Fence, epoch int64, mode handover.Mode) handover.Fence {
	f.Epoch, f.Mode = epoch, mode
	return f
}

// accepts makes op accepted on more fences than it should be.
func accepts(op handover.Op, to handover.Mode, effect handover.Effect, on func(f handover.Fence, epoch, seq int64) bool) func(*Memory) handover.Participant {
	return then(op, func(f handover.Fence, epoch, seq int64) (handover.Fence, handover.Effect, bool) {
		return at(f, epoch, to), effect, on(f, epoch, seq)
	})
}

func tableMutants() []mutant {
	owned := func(f handover.Fence) bool { return f.Mode == handover.Active || f.Mode == handover.ReadOnly }
	stale := func(mode handover.Mode) func(handover.Fence, int64, int64) bool {
		return func(f handover.Fence, epoch, _ int64) bool { return f.Mode == mode && epoch < f.Epoch }
	}
	newer := func(mode handover.Mode) func(handover.Fence, int64, int64) bool {
		return func(f handover.Fence, epoch, _ int64) bool { return f.Mode == mode && epoch > f.Epoch }
	}
	same := func(mode handover.Mode) func(handover.Fence, int64, int64) bool {
		return func(f handover.Fence, epoch, _ int64) bool { return f.Mode == mode && epoch == f.Epoch }
	}
	const sealed, ro, active = handover.Sealed, handover.ReadOnly, handover.Active
	list := []mutant{
		{"seals what is owned", accepts(handover.Seal, sealed, handover.Wipe, func(f handover.Fence, epoch, _ int64) bool { return owned(f) && epoch > f.Epoch })},
		{"seals twice in an epoch", accepts(handover.Seal, sealed, handover.Wipe, same(sealed))},
		{"activates with a part missing", accepts(handover.Activate, active, handover.Keep, func(f handover.Fence, epoch, seq int64) bool {
			return f.Mode == sealed && f.Epoch == epoch && seq == f.Seq+1
		})},
		{"activates with a part too many", accepts(handover.Activate, active, handover.Keep, func(f handover.Fence, epoch, seq int64) bool {
			return f.Mode == sealed && f.Epoch == epoch && seq < f.Seq
		})},
		{"activates in a newer epoch", accepts(handover.Activate, active, handover.Keep, newer(sealed))},
		{"activates what is read-only", accepts(handover.Activate, active, handover.Keep, same(ro))},
		{"freezes twice in an epoch", accepts(handover.Freeze, ro, handover.Keep, same(ro))},
		{"freezes what was activated in the epoch", accepts(handover.Freeze, ro, handover.Keep, same(active))},
		{"freezes what is sealed", accepts(handover.Freeze, ro, handover.Keep, newer(sealed))},
		{"freezes what is absent", accepts(handover.Freeze, ro, handover.Keep, newer(handover.Absent))},
		{"seals a source that is active", accepts(handover.SealSource, sealed, handover.Keep, same(active))},
		{"seals a source in a newer epoch", accepts(handover.SealSource, sealed, handover.Keep, newer(ro))},
		{"reactivates what is sealed", accepts(handover.Reactivate, active, handover.Keep, newer(sealed))},
		{"reactivates in the epoch of the freeze", accepts(handover.Reactivate, active, handover.Keep, same(ro))},
		{"purges what is active", accepts(handover.Purge, sealed, handover.Wipe, same(active))},
		{"purges in a newer epoch", accepts(handover.Purge, sealed, handover.Wipe, newer(sealed))},
		{"recovers in the same epoch", accepts(handover.Recover, active, handover.Keep, same(sealed))},
		{"recovers what is absent", accepts(handover.Recover, active, handover.Keep, newer(handover.Absent))},
	}
	for op, from := range map[handover.Op]handover.Mode{
		handover.Seal: sealed, handover.Activate: sealed, handover.Freeze: active, handover.SealSource: ro,
		handover.Reactivate: ro, handover.Purge: sealed, handover.Recover: sealed,
	} {
		to, effect, _ := handover.Next(handover.Fence{Mode: from, Epoch: 1}, op, 1, 0)
		list = append(list, mutant{"carries out a stale " + string(op), accepts(op, to.Mode, effect, stale(from))})
	}
	return append(list, repeatMutants()...)
}

// repeatMutants refuse, or do, what is given a second time.
func repeatMutants() (list []mutant) {
	for _, op := range handover.Ops() {
		if op == handover.Seal || op == handover.Freeze {
			continue
		}
		list = append(list, mutant{"refuses a second " + string(op), func(m *Memory) handover.Participant {
			var last [32]handover.Fence
			m.rules.next = func(f handover.Fence, o handover.Op, epoch, seq int64) (handover.Fence, handover.Effect, bool) {
				to, effect, ok := handover.Next(f, o, epoch, seq)
				if o != op || !ok || f.Bucket >= len(last) {
					return to, effect, ok
				}
				ok = last[f.Bucket] != f || f != to
				last[f.Bucket] = to
				return to, effect, ok
			}
			return m
		}})
	}
	return list
}

func copyMutants() []mutant {
	admits := func(more func(f handover.Fence, epoch, seq int64) bool) func(*Memory) handover.Participant {
		return func(m *Memory) handover.Participant {
			m.rules.admit = func(f handover.Fence, epoch, seq int64) (handover.Fence, bool) {
				to, ok := handover.Admit(f, epoch, seq)
				return to, ok || more(f, epoch, seq)
			}
			return m
		}
	}
	next := func(f handover.Fence, seq int64) bool { return f.Seq+1 == seq }
	return []mutant{
		{"copies in a stale epoch", admits(func(f handover.Fence, epoch, seq int64) bool {
			return f.Mode == handover.Sealed && epoch < f.Epoch && next(f, seq)
		})},
		{"copies in a newer epoch", admits(func(f handover.Fence, epoch, seq int64) bool {
			return f.Mode == handover.Sealed && epoch > f.Epoch && next(f, seq)
		})},
		{"copies over a gap", admits(func(f handover.Fence, epoch, seq int64) bool {
			return f.Mode == handover.Sealed && epoch == f.Epoch && seq > f.Seq
		})},
		{"copies a part again", admits(func(f handover.Fence, epoch, seq int64) bool {
			return f.Mode == handover.Sealed && epoch == f.Epoch && seq == f.Seq
		})},
		{"copies into what is active", admits(func(f handover.Fence, epoch, seq int64) bool {
			return f.Mode == handover.Active && epoch == f.Epoch && next(f, seq)
		})},
		{"copies into what is read-only", admits(func(f handover.Fence, epoch, seq int64) bool {
			return f.Mode == handover.ReadOnly && epoch == f.Epoch && next(f, seq)
		})},
		{"copies into what is absent", admits(func(f handover.Fence, _, seq int64) bool { return f.Mode == handover.Absent && next(f, seq) })},
		{"refuses to count", func(m *Memory) handover.Participant {
			m.rules.admit = func(f handover.Fence, epoch, seq int64) (handover.Fence, bool) {
				_, ok := handover.Admit(f, epoch, seq)
				return f, ok
			}
			return m
		}},
		{"stores what it refuses", func(m *Memory) handover.Participant { return storesRefused{m} }},
		{"loses a record", keeps(func(r []byte) []byte {
			if bytes.Contains(r, []byte(`"000002"`)) {
				return nil
			}
			return bytes.Clone(r)
		})},
		{"changes a byte", keeps(func(r []byte) []byte { return bytes.Replace(r, []byte(`"n":"000001"`), []byte(`"n": "000001"`), 1) })},
	}
}

func keeps(keep func([]byte) []byte) func(*Memory) handover.Participant {
	return func(m *Memory) handover.Participant { m.rules.keep = keep; return m }
}

type storesRefused struct{ *Memory }

func (p storesRefused) Copy(ctx context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	refused, err := p.Memory.Copy(ctx, epoch, parts)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range refused {
		for _, part := range parts {
			if part.Bucket == f.Bucket {
				for _, r := range part.Records {
					p.store(part.Bucket, r)
				}
			}
		}
	}
	return refused, err
}

// hasty lets the first two callers both see the fence as it was before either.
type hasty struct {
	*Memory
	came atomic.Int32
}

func (p *hasty) Copy(ctx context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	seen, _ := p.Status(ctx, []int{parts[0].Bucket})
	p.came.Add(1)
	for end := time.Now().Add(10 * time.Second); p.came.Load() < 2 && time.Now().Before(end); {
		runtime.Gosched()
	}
	refused, err := p.Memory.Copy(ctx, epoch, parts)
	if _, ok := handover.Admit(seen.Fences[0], epoch, parts[0].Seq); ok {
		refused = nil
	}
	return refused, err
}

func TestDecidingBeforeActing(t *testing.T) {
	s, err := newSuite(t.Context(), &hasty{Memory: NewMemory()}, small())
	if err != nil {
		t.Fatal(err)
	}
	s.touched = true
	c := s.begin(t.Context())
	if c.problem != nil {
		t.Fatal(c.problem)
	}
	atOnce(c)
	if c.problem == nil {
		t.Error("two callers were let in at once, and nobody saw it")
	}
}

// TestOptions: nothing is touched when the suite may not use what it was given.
func TestOptions(t *testing.T) {
	for name, spoil := range map[string]func(*Options, *Memory){
		"a bucket in use": func(o *Options, m *Memory) { m.Own(1, o.Buckets[3]) },
		"an epoch that was": func(o *Options, m *Memory) {
			_, _ = m.Order(t.Context(), handover.Order{Op: handover.Seal, Epoch: o.Epoch, Buckets: o.Buckets[:1]})
		},
		"too few buckets":    func(o *Options, _ *Memory) { o.Buckets = o.Buckets[:7] },
		"a bucket twice":     func(o *Options, _ *Memory) { o.Buckets[1] = o.Buckets[0] },
		"no records":         func(o *Options, _ *Memory) { o.Records = nil },
		"too few records":    func(o *Options, _ *Memory) { o.Records = func(int) [][]byte { return nil } },
		"no bucket is large": func(o *Options, _ *Memory) { all := o.Records; o.Records = func(b int) [][]byte { return all(b)[:3] } },
		"records in no order": func(o *Options, _ *Memory) {
			all := o.Records
			o.Records = func(b int) [][]byte { r := all(b); r[0], r[1] = r[1], r[0]; return r }
		},
	} {
		o, m := small(), NewMemory()
		spoil(&o, m)
		before, _ := m.Status(t.Context(), nil)
		report := Check(t.Context(), m, o)
		after, _ := m.Status(t.Context(), nil)
		if len(report) != 1 || report.Passed() || !slices.Equal(before.Fences, after.Fences) {
			t.Errorf("%s: %+v; fences %v", name, report, after.Fences)
		}
	}
}

// TestReport reads what a person is shown.
func TestReport(t *testing.T) {
	var text strings.Builder
	r := Report{{Name: "a", Rule: "does a"}, {Name: "b", Rule: "does b", Problem: errors.New("it does c")}, {Name: "d", Rule: "does d", Skipped: "no time"}}
	if err := r.Write(&text); err != nil || text.String() != "pass  a: does a\nFAIL  b: does b\n      it does c\nskip  d: no time\n" || r.Passed() {
		t.Errorf("%q, %v", text.String(), err)
	}
}
