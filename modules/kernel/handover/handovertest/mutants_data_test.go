package handovertest

import (
	"context"
	"errors"
	"slices"

	"banyan/modules/kernel/handover"
)

// effectOf changes what an order does to the data.
func effectOf(op handover.Op, effect handover.Effect) func(*Memory) handover.Participant {
	return then(op, func(f handover.Fence, epoch, seq int64) (handover.Fence, handover.Effect, bool) {
		to, _, ok := handover.Next(f, op, epoch, seq)
		return to, effect, ok
	})
}

func dataMutants() []mutant {
	return []mutant{
		{"forgets to wipe on seal", effectOf(handover.Seal, handover.Keep)},
		{"forgets to wipe on purge", effectOf(handover.Purge, handover.Keep)},
		{"wipes on activate", effectOf(handover.Activate, handover.Wipe)},
		{"wipes on freeze", effectOf(handover.Freeze, handover.Wipe)},
		{"wipes on seal-source", effectOf(handover.SealSource, handover.Wipe)},
		{"wipes on reactivate", effectOf(handover.Reactivate, handover.Wipe)},
		{"wipes on recover", effectOf(handover.Recover, handover.Wipe)},
		{"exports what is absent", func(m *Memory) handover.Participant { return anyEpoch{m, true, false} }},
		{"exports another epoch", func(m *Memory) handover.Participant { return anyEpoch{m, false, true} }},
		{"exports nothing of what is read-only", func(m *Memory) handover.Participant { return hides{m, handover.ReadOnly} }},
		{"exports nothing of what is sealed", func(m *Memory) handover.Participant { return hides{m, handover.Sealed} }},
		{"goes on when the reader gives up", func(m *Memory) handover.Participant { return deaf{m} }},
	}
}

// partMutants export other parts than they have.
func partMutants() []mutant {
	return []mutant{
		{"exports only the first part", func(m *Memory) handover.Participant {
			return exports{m, func(parts []handover.Part) []handover.Part {
				return slices.DeleteFunc(parts, func(p handover.Part) bool { return p.Seq > 1 })
			}}
		}},
		{"exports parts that are too large", func(m *Memory) handover.Participant {
			return exports{m, func(parts []handover.Part) []handover.Part {
				for i := len(parts) - 1; i > 0; i-- {
					if parts[i].Seq > 1 {
						parts[i-1].Records = slices.Concat(parts[i-1].Records, parts[i].Records)
						parts = slices.Delete(parts, i, i+1)
					}
				}
				return parts
			}}
		}},
		{"exports buckets in its own order", func(m *Memory) handover.Participant {
			return exports{m, func(parts []handover.Part) []handover.Part {
				slices.SortStableFunc(parts, func(a, b handover.Part) int { return a.Bucket - b.Bucket })
				return parts
			}}
		}},
		{"exports records in another order", func(m *Memory) handover.Participant {
			return exports{m, func(parts []handover.Part) []handover.Part {
				for i := range parts {
					parts[i].Records = slices.Clone(parts[i].Records)
					slices.Reverse(parts[i].Records)
				}
				return parts
			}}
		}},
		{"numbers parts from 0", func(m *Memory) handover.Participant {
			return exports{m, func(parts []handover.Part) []handover.Part {
				for i := range parts {
					parts[i].Seq--
				}
				return parts
			}}
		}},
		{"exports an empty part", func(m *Memory) handover.Participant {
			return exports{m, func(parts []handover.Part) []handover.Part {
				for _, p := range parts[:min(1, len(parts))] {
					parts = slices.Insert(parts, 1, handover.Part{Bucket: p.Bucket, Seq: 2})
				}
				return parts[:min(2, len(parts))]
			}}
		}},
	}
}

// anyEpoch exports and digests without asking for the fence.
type anyEpoch struct {
	*Memory
	absent, others bool
}

func (p anyEpoch) Export(ctx context.Context, epoch int64, buckets []int, each func(handover.Part) error) error {
	s, _ := p.Status(ctx, buckets)
	absent := slices.ContainsFunc(s.Fences, func(f handover.Fence) bool { return f.Mode == handover.Absent })
	if absent && p.absent {
		return nil
	}
	if !absent && p.others {
		epoch = 0
	}
	return p.Memory.Export(ctx, epoch, buckets, each)
}

// hides has no data in one mode.
type hides struct {
	*Memory
	in handover.Mode
}

func (p hides) Export(ctx context.Context, epoch int64, buckets []int, each func(handover.Part) error) error {
	return p.Memory.Export(ctx, epoch, buckets, func(part handover.Part) error {
		if s, _ := p.Status(ctx, []int{part.Bucket}); s.Fences[0].Mode == p.in {
			return nil
		}
		return each(part)
	})
}

// exports changes the parts that go out.
type exports struct {
	*Memory
	change func([]handover.Part) []handover.Part
}

func (p exports) Export(ctx context.Context, epoch int64, buckets []int, each func(handover.Part) error) error {
	var parts []handover.Part
	if err := p.Memory.Export(ctx, epoch, buckets, func(part handover.Part) error { parts = append(parts, part); return nil }); err != nil {
		return err
	}
	for _, part := range p.change(parts) {
		if err := each(part); err != nil {
			return err
		}
	}
	return nil
}

type deaf struct{ *Memory }

func (p deaf) Export(ctx context.Context, epoch int64, buckets []int, each func(handover.Part) error) error {
	return p.Memory.Export(ctx, epoch, buckets, func(part handover.Part) error { _ = each(part); return nil })
}

func answerMutants() []mutant {
	return []mutant{
		{"refuses a whole order for one bucket", func(m *Memory) handover.Participant { return allOrNothing{m} }},
		{"does not say what it refused", func(m *Memory) handover.Participant {
			return answers{m, func([]handover.Fence) []handover.Fence { return nil }}
		}},
		{"says the fence as it would have become", func(m *Memory) handover.Participant {
			return answers{m, func(list []handover.Fence) []handover.Fence {
				for i := range list {
					list[i].Epoch++
				}
				return list
			}}
		}},
		{"says only the first that it refused", func(m *Memory) handover.Participant {
			return answers{m, func(list []handover.Fence) []handover.Fence { return list[:min(1, len(list))] }}
		}},
		{"digests something else", func(m *Memory) handover.Participant {
			return digests{m, func(d *handover.Digest) { d.SHA256 = "0" + d.SHA256[1:] }}
		}},
		{"miscounts digests", func(m *Memory) handover.Participant { return digests{m, func(d *handover.Digest) { d.Records++ }} }},
		{"carries out orders that make no sense", func(m *Memory) handover.Participant {
			m.rules.check = func(handover.Order) error { return nil }
			return m
		}},
		{"answers bad input as if it were its own fault", func(m *Memory) handover.Participant {
			m.rules.check = func(o handover.Order) error {
				if handover.CheckOrder(o) != nil {
					return errors.New("it broke")
				}
				return nil
			}
			return m
		}},
		{"tells fences in its own order", func(m *Memory) handover.Participant { return tells{m, true} }},
		{"tells all fences in no order", func(m *Memory) handover.Participant { return tells{m, false} }},
	}
}

type allOrNothing struct{ *Memory }

func (p allOrNothing) Order(ctx context.Context, o handover.Order) ([]handover.Fence, error) {
	s, err := p.Status(ctx, o.Buckets)
	if err != nil || handover.CheckOrder(o) != nil {
		return p.Memory.Order(ctx, o)
	}
	for i, f := range s.Fences {
		var seq int64
		if len(o.Seqs) > 0 {
			seq = o.Seqs[i]
		}
		if _, _, ok := handover.Next(f, o.Op, o.Epoch, seq); !ok {
			return s.Fences, nil
		}
	}
	return p.Memory.Order(ctx, o)
}

type answers struct {
	*Memory
	change func([]handover.Fence) []handover.Fence
}

func (p answers) Order(ctx context.Context, o handover.Order) ([]handover.Fence, error) {
	refused, err := p.Memory.Order(ctx, o)
	return p.change(refused), err
}

type digests struct {
	*Memory
	change func(*handover.Digest)
}

func (p digests) Digest(ctx context.Context, epoch int64, buckets []int) ([]handover.Digest, error) {
	list, err := p.Memory.Digest(ctx, epoch, buckets)
	for i := range list {
		p.change(&list[i])
	}
	return list, err
}

// tells turns the fences round, those asked for or all.
type tells struct {
	*Memory
	asked bool
}

func (p tells) Status(ctx context.Context, buckets []int) (handover.Status, error) {
	s, err := p.Memory.Status(ctx, buckets)
	if p.asked == (len(buckets) > 0) {
		slices.Reverse(s.Fences)
	}
	return s, err
}
