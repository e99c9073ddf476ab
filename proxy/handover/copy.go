package handover

import (
	"bytes"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
)

// copy exports some buckets from the source, whose fences are of an epoch (0: of any), and
// stores them at the target at once. At most two loads wait between them, of about
// MaxPartBytes each.
func (m *mover) copy(ctx context.Context, epoch int64, buckets []int) error {
	began := time.Now()
	defer func() { m.took[StepCopy] += time.Since(began) }()
	exported := kernel.NewDigester(buckets)
	group, ctx := errgroup.WithContext(ctx)
	loads := make(chan []kernel.Part, 1)
	group.Go(func() error {
		defer close(loads)
		return m.export(ctx, epoch, buckets, exported, loads)
	})
	group.Go(func() error {
		for load := range loads {
			if err := m.store(ctx, load); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	for _, d := range exported.Digests() {
		m.copied[m.index(d.Bucket)] = d
	}
	return nil
}

// index gives a bucket's place in the move; -1 if it is not one of its buckets.
func (m *mover) index(bucket int) int {
	if i, found := slices.BinarySearch(m.buckets, bucket); found {
		return i
	}
	return -1
}

// export fills loads with the source's parts, and counts them.
func (m *mover) export(ctx context.Context, epoch int64, buckets []int, exported *kernel.Digester, loads chan<- []kernel.Part) error {
	var load []kernel.Part
	size := 0
	flush := func() error {
		if len(load) == 0 {
			return nil
		}
		select {
		case loads <- load:
			load, size = nil, 0
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := m.source.Participant.Export(ctx, epoch, buckets, func(p kernel.Part) error {
		i := m.index(p.Bucket)
		if i < 0 || p.Seq != m.parts[i]+1 {
			return errs.E(errs.BadGateway, "%s exported part %d of bucket %d out of turn", m.source.Name, p.Seq, p.Bucket)
		}
		m.parts[i] = p.Seq
		if err := exported.Add(p); err != nil {
			return err
		}
		bytes := weigh(p)
		if size+bytes > kernel.MaxPartBytes || len(load) == kernel.MaxBuckets {
			if err := flush(); err != nil {
				return err
			}
		}
		load, size = append(load, own(p, bytes)), size+bytes
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

func weigh(p kernel.Part) int {
	n := 0
	for _, r := range p.Records {
		n += len(r)
	}
	return n
}

// own copies a part: the exporter may use its memory again.
func own(p kernel.Part, size int) kernel.Part {
	space := bytes.NewBuffer(make([]byte, 0, size))
	records := make([][]byte, len(p.Records))
	for i, r := range p.Records {
		from := space.Len()
		space.Write(r)
		records[i] = space.Bytes()[from:]
	}
	p.Records = records
	return p
}

// store sends a load to the target.
func (m *mover) store(ctx context.Context, load []kernel.Part) error {
	if m.frozen.IsZero() {
		m.c.gate.RLock()
		defer m.c.gate.RUnlock()
	}
	return m.c.do(ctx, StepCopy, func(ctx context.Context) error {
		fences, err := m.target.Participant.Copy(ctx, m.move.Epoch, load)
		if err != nil {
			return err
		}
		return refusal(m.target.Name, "parts", fences)
	})
}
