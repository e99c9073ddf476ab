package canary

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"

	"banyan/modules/kernel/bucket"
)

// Ranks is the order in which a route's buckets of data leave the home. It never
// changes, so that raising a weight only adds buckets and lowering it gives back those
// that were added last. It is made once per route and shared.
type Ranks struct {
	rank, order [bucket.Count]uint16
}

// NewRanks sorts the buckets by SHA-256 of the route's id in UTF-8, one byte 0xff (which
// no UTF-8 text has, so that the id ends unmistakably), and the bucket's number in four
// bytes, the highest first. The hashes compare as bytes do.
func NewRanks(route string) *Ranks {
	type entry struct {
		sum    [sha256.Size]byte
		bucket uint16
	}
	text := append([]byte(route), 0xff, 0, 0, 0, 0)
	number := text[len(text)-4:]
	all := make([]entry, bucket.Count)
	for b := range all {
		binary.BigEndian.PutUint32(number, uint32(b))
		all[b] = entry{sha256.Sum256(text), uint16(b)}
	}
	slices.SortFunc(all, func(x, y entry) int { return bytes.Compare(x.sum[:], y.sum[:]) })
	r := &Ranks{}
	for rank, e := range all {
		r.order[rank], r.rank[e.bucket] = e.bucket, uint16(rank)
	}
	return r
}

// Of gives a bucket's rank, 0 for the first to leave.
func (r *Ranks) Of(b int) int { return int(r.rank[b]) }

// At gives the bucket that has a rank.
func (r *Ranks) At(rank int) int { return int(r.order[rank]) }

// Cohort is the set of buckets that belong to the extracted side.
type Cohort struct {
	ranks  *Ranks
	weight Weight
	pins   map[int]bool
}

// Cohort gives the buckets whose rank is below the weight. Pins override it: true pins a
// bucket to the extracted side, false to the home.
func (r *Ranks) Cohort(w Weight, pins map[int]bool) Cohort {
	return Cohort{ranks: r, weight: w, pins: maps.Clone(pins)}
}

// Has tells whether a bucket belongs to the extracted side.
func (c Cohort) Has(b int) bool {
	if away, pinned := c.pins[b]; pinned {
		return away
	}
	return c.ranks.Of(b) < int(c.weight)
}

// Pinned tells whether a pin says where the bucket belongs.
func (c Cohort) Pinned(b int) bool {
	_, pinned := c.pins[b]
	return pinned
}

// Ranks gives the order that the cohort is cut from.
func (c Cohort) Ranks() *Ranks { return c.ranks }
