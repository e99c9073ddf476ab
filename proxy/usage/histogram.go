package usage

import (
	"math/bits"
	"time"
)

// Buckets of a histogram: eight to a doubling, from a microsecond to about two minutes,
// so that a quantile is at most one eighth off.
const (
	fine    = 3 // bits
	buckets = (27 - fine + 1) << fine
)

// histogram counts durations.
type histogram [buckets]uint32

func (h *histogram) add(d time.Duration) { h[bucketOf(d)]++ }

func bucketOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < 1<<fine {
		return int(us)
	}
	shift := bits.Len64(us) - fine - 1
	return min(shift<<fine+int(us>>shift), buckets-1)
}

// value gives the middle of a bucket.
func value(bucket int) time.Duration {
	if bucket < 2<<fine {
		return time.Duration(bucket) * time.Microsecond
	}
	shift := bucket>>fine - 1
	low := uint64(bucket-shift<<fine) << shift
	return time.Duration(low+1<<shift/2) * time.Microsecond
}

func (h *histogram) merge(from *histogram) {
	for i, n := range from {
		h[i] += n
	}
}

// quantile gives the duration that a share q of those counted do not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	var all uint64
	for _, n := range h {
		all += uint64(n)
	}
	if all == 0 {
		return 0
	}
	rank := uint64(q * float64(all-1))
	for i, n := range h {
		if uint64(n) > rank {
			return value(i)
		}
		rank -= uint64(n)
	}
	return value(buckets - 1)
}
