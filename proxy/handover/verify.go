package handover

import (
	"context"
	"maps"
	"slices"
	"time"

	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
)

// Verified is what a comparison of both sides found.
type Verified struct {
	Compared    int          `json:"compared"` // buckets that both sides have
	Skipped     int          `json:"skipped"`  // that one side has alone, or that moved meanwhile
	Differences []Difference `json:"differences"`
}

// Difference is a bucket of which the sides have different records.
type Difference struct {
	Bucket int           `json:"bucket"`
	Owner  string        `json:"owner"`
	Move   int64         `json:"move"` // the epoch in which both got what they have
	Home   kernel.Digest `json:"home"`
	Away   kernel.Digest `json:"away"`
}

// Verify reads the records of buckets on both sides, of all if none are named, and tells
// where they differ. A bucket is compared from the commit of its move until the former
// owner may forget it. What the owner wrote since is a difference too: the sides cannot
// be equal any more then. errs: whatever the sides or the journal answer.
func (c *Coordinator) Verify(ctx context.Context, buckets []int) (Verified, error) {
	if err := c.owner.Refresh(ctx); err != nil {
		return Verified{}, err
	}
	before := c.owner.Snapshot()
	both, err := c.both(ctx, before)
	if err != nil {
		return Verified{}, err
	}
	v := Verified{Differences: []Difference{}}
	if len(buckets) == 0 {
		buckets = slices.Sorted(maps.Keys(both))
		v.Skipped = len(before.Buckets) - len(buckets)
	} else {
		asked := len(buckets)
		buckets = slices.DeleteFunc(slices.Sorted(slices.Values(buckets)), func(b int) bool { return !both[b] })
		v.Skipped = asked - len(buckets)
	}
	for chunk := range slices.Chunk(buckets, kernel.MaxBuckets) {
		if err := c.differ(ctx, before, chunk, &v); err != nil {
			return Verified{}, err
		}
	}
	return v, nil
}

// differ compares some buckets, and skips those that moved while they were read.
func (c *Coordinator) differ(ctx context.Context, before *Snapshot, buckets []int, v *Verified) error {
	var digests [2][]kernel.Digest
	for i, s := range []Side{c.o.Home, c.o.Away} {
		var err error
		if digests[i], err = s.Participant.Digest(ctx, 0, buckets); err != nil {
			return err
		}
		if len(digests[i]) != len(buckets) {
			return errs.E(errs.BadGateway, "%s gave digests of %d buckets instead of %d", s.Name, len(digests[i]), len(buckets))
		}
	}
	after, err := c.o.Journal.Snapshot(ctx, before)
	if err != nil {
		return err
	}
	for i, number := range buckets {
		b := after.Buckets[number]
		if b.Epoch != before.Buckets[number].Epoch {
			v.Skipped++
			continue
		}
		v.Compared++
		if home, away := digests[0][i], digests[1][i]; home != away {
			v.Differences = append(v.Differences, Difference{number, after.Names[b.Owner], b.Epoch, home, away})
		}
	}
	return nil
}

// both gives the buckets that both sides have since one move: it was committed, and the
// former owner has not forgotten them.
func (c *Coordinator) both(ctx context.Context, s *Snapshot) (map[int]bool, error) {
	kept := map[int]bool{}
	for _, store := range []string{c.o.Home.Name, c.o.Away.Name} {
		list, err := c.o.Journal.Kept(ctx, store, c.keeps())
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			kept[b] = true
		}
	}
	home, away, err := c.fences(ctx)
	if err != nil {
		return nil, err
	}
	both := map[int]bool{}
	for number, b := range s.Buckets {
		if (b.Phase == Idle && kept[number] || b.Phase == Committed) && home[number].Epoch == b.Epoch && away[number].Epoch == b.Epoch {
			both[number] = true
		}
	}
	return both, nil
}

// keeps is the time for which a former owner surely does not forget: a little less than
// the options name, so that what was just asked is still so when it is used.
func (c *Coordinator) keeps() time.Duration {
	return c.o.Retain - min(c.o.StepTimeout, c.o.Retain/2)
}

// Kept gives the buckets at rest that a store was to forget less than a time ago: if it
// sealed them in the epoch that the journal has, it still holds what it gave away.
func (j *Journal) Kept(ctx context.Context, store string, within time.Duration) ([]int, error) {
	list := []int{}
	err := j.db.Reader().SelectContext(ctx, &list, "SELECT bucket FROM handover_buckets"+
		" WHERE route=? AND phase='idle' AND purge_store=? AND owner<>purge_store AND purge_since>"+j.db.Dialect().NowMicros()+"-? ORDER BY bucket",
		j.route, store, within.Microseconds())
	return list, sqldb.Fail(err)
}
