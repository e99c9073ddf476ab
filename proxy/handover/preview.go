package handover

import (
	"bytes"
	"context"
	"slices"
	"time"

	kernel "banyan/modules/kernel/handover"
)

// sampled is the number of buckets that a preview counts records of.
const sampled = 100

// Preview is what a change of the desired state would mean.
type Preview struct {
	Add       int           `json:"add"`       // buckets that would go to the extracted side
	GiveBack  int           `json:"give_back"` // and home
	Flights   int64         `json:"flights"`   // with any state
	Records   int64         `json:"records"`
	Estimated bool          `json:"estimated"` // Flights and Records were scaled up from a sample
	Batches   int           `json:"batches"`
	Pause     time.Duration `json:"pause"` // nanoseconds, predicted, of the longest batch
}

// DryRun tells what a desired state would move, and does nothing. It reads the contents
// of at most a hundred buckets.
func (c *Coordinator) DryRun(ctx context.Context, want Desired) (Preview, error) {
	if err := c.owner.Refresh(ctx); err != nil {
		return Preview{}, err
	}
	back, add := gap(c.ranks.Cohort(want.Weight, want.Pins), c.owner.Snapshot(), c.o.Home.Name, c.o.Away.Name)
	p := Preview{Add: len(add), GiveBack: len(back)}
	for i, way := range []struct {
		buckets []int
		source  Side
	}{{add, c.o.Home}, {back, c.o.Away}} {
		if len(way.buckets) == 0 {
			continue
		}
		flights, records, estimated, err := count(ctx, way.source, way.buckets)
		if err != nil {
			return Preview{}, err
		}
		p.Flights, p.Records = p.Flights+flights, p.Records+records
		p.Estimated = p.Estimated || estimated
		size := min(c.pace[i].limit(c.o.PauseBudget, c.o.MaxBuckets), len(way.buckets))
		p.Batches += ceil(float64(len(way.buckets)) / float64(size))
		p.Pause = max(p.Pause, c.pace[i].predict(size, float64(records)*float64(size)/float64(len(way.buckets))))
	}
	return p, nil
}

// ofFlight begins the record that every flight with any state has, once.
const ofFlight = `{"record":"flight",`

// count gives the flights and the records of buckets, scaled up from some of them when they
// are many.
func count(ctx context.Context, s Side, buckets []int) (flights, records int64, estimated bool, err error) {
	sample := buckets
	if len(buckets) > sampled { // spread evenly
		sample = make([]int, sampled)
		for i := range sample {
			sample[i] = buckets[i*len(buckets)/sampled]
		}
	}
	sample = slices.Sorted(slices.Values(sample))
	err = s.Participant.Export(ctx, 0, sample, func(p kernel.Part) error {
		records += int64(len(p.Records))
		for _, line := range p.Records {
			if bytes.HasPrefix(line, []byte(ofFlight)) {
				flights++
			}
		}
		return nil
	})
	if err != nil {
		return 0, 0, false, err
	}
	all, some := int64(len(buckets)), int64(len(sample))
	return flights * all / some, records * all / some, some < all, nil
}

// p99 gives what 99 of 100 durations do not exceed, 0 if there are none; it sorts them.
func p99(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[ceil(0.99*float64(len(d)))-1]
}
