package handover

import (
	"context"
	"errors"
	"slices"

	"banyan/modules/kernel/bucket"
	kernel "banyan/modules/kernel/handover"
)

// Purge lets stores forget buckets that have been owned elsewhere for the time that the
// options name. It goes on until nothing is left, or a store fails.
func (c *Coordinator) Purge(ctx context.Context) error {
	for range 4 * bucket.Count / kernel.MaxBuckets { // twice as many as there can be
		list, err := c.o.Journal.Purgeable(ctx, c.o.Retain)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, p := range list {
			err = errors.Join(err, c.purge(ctx, p)) // the other store may be well
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// purge gives one order, and one for each other epoch in which the store has sealed some
// of the buckets: a target that never heard of a move that was given up has kept what it
// was sealed with before. What it does not own, and has not sealed, it has not got.
func (c *Coordinator) purge(ctx context.Context, p Purge) error {
	side, err := c.side(p.Store)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.StepTimeout)
	defer cancel()
	for epoch, buckets := p.Epoch, p.Buckets; len(buckets) > 0; {
		refused, err := side.Participant.Order(ctx, kernel.Order{Op: kernel.Purge, Epoch: epoch, Buckets: buckets})
		if err != nil {
			return err
		}
		refused = slices.DeleteFunc(refused, func(f kernel.Fence) bool { return f.Mode != kernel.Sealed || f.Epoch >= epoch })
		buckets = nil
		for _, f := range refused {
			if buckets == nil {
				epoch = f.Epoch
			}
			buckets = append(buckets, f.Bucket) // those of another epoch are refused again
		}
	}
	return c.o.Journal.Purged(ctx, p)
}
