// Package balance decides which of a backend's instances gets a request, when one is left
// out for a while, and whether a failed request may be sent again. It looks at no clock,
// rolls no dice and does no I/O: times and random numbers are given to it.
//
//	in ── failures, or 502, 503, 504, in a row ──▶ ejected ── back-off ──▶ slow start ── window ──▶ in
package balance

import (
	"math/bits"
	"time"
)

// MaxInstances is how many instances a Set can hold.
const MaxInstances = 64

// Set is a set of instances by their place in the backend's list, 0 to 63.
type Set uint64

// With gives the set with i in it.
func (s Set) With(i int) Set { return s | 1<<i }

// Has tells whether i is in the set.
func (s Set) Has(i int) bool { return s&(1<<i) != 0 }

// Len counts the set's members.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// Two gives two different members, each pair as likely as any other; of a set of one the
// same twice, and of none -1.
func (s Set) Two(random uint64) (int, int) {
	n := uint64(s.Len())
	if n == 0 {
		return -1, -1
	}
	first := (random >> 32) * n >> 32
	if n == 1 {
		return s.nth(0), s.nth(0)
	}
	second := (random & 0xffffffff) * (n - 1) >> 32
	if second >= first {
		second++
	}
	return s.nth(first), s.nth(second)
}

func (s Set) nth(n uint64) int {
	for ; n > 0; n-- {
		s &= s - 1 // takes the lowest member out
	}
	return bits.TrailingZeros64(uint64(s))
}

// Choose gives the less loaded of two members taken at random, -1 of an empty set. A load
// is the number of requests under way. It allocates nothing.
func Choose(s Set, random uint64, load func(i int) int64) int {
	a, b := s.Two(random)
	if a != b && load(b) < load(a) {
		return b
	}
	return a
}

// LeastShare of its usual traffic is what an instance gets at first: with nothing it would
// never warm up.
const LeastShare = 0.1

// Share is the part of its usual traffic that an instance gets so long after it came (back):
// it grows in a straight line from a tenth to all of it at the window's end. No window,
// no slow start.
func Share(since, window time.Duration) float64 {
	if since >= window {
		return 1
	}
	return max(LeastShare, float64(since)/float64(window))
}
