// Package canary decides, without state and without I/O, which callers belong to which
// backend. A caller's position between 0 and 9999 comes from a hash of the route and
// the caller's key; a backend that was extracted gets the positions below its weight.
// Raising a weight therefore only adds callers, lowering it gives back the last ones
// added, 0 is none and 100 % is all, and no cookie is needed.
package canary

import "sort"

// Positions is the number of positions: one position is one basis point of weight.
const Positions = 10000

const (
	offset64 = 14695981039346656037
	prime64  = 1099511628211
)

// Seed is the part of the hash that a route's id contributes; it is computed once per
// route, so that the same caller has unrelated positions on different routes.
func Seed(route string) uint64 {
	h := feed(offset64, route)
	h ^= 0xff // no UTF-8 text contains this byte: ("ab","c") differs from ("a","bc")
	return h * prime64
}

// Position gives the place of a key, 0 to Positions-1. It allocates nothing.
func Position(seed uint64, key string) int {
	h := mix(feed(seed, key))
	return int((h >> 32) * Positions >> 32)
}

// feed is FNV-1a, 64 bits.
func feed(h uint64, s string) uint64 {
	for i := range len(s) {
		h ^= uint64(s[i])
		h *= prime64
	}
	return h
}

// mix is MurmurHash3's finaliser: FNV alone leaves keys that differ in their last
// characters close together.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}

// Split shares the positions out among a route's backends. Index 0 of the weights is
// the home, which keeps whatever the others do not have.
type Split struct {
	upto  []int // exclusive upper bounds of the others, rising
	index []int // whose bound that is
}

// NewSplit makes a split of weights in the order given, the home first; names decide
// the order of the ranges, so that the order in a file does not. With one backend
// beside the home its range is [0, weight); further ones follow, cumulatively.
func NewSplit(names []string, weights []Weight) Split {
	order := make([]int, 0, len(names))
	for i := 1; i < len(names); i++ {
		order = append(order, i)
	}
	sort.Slice(order, func(a, b int) bool { return names[order[a]] < names[order[b]] })
	s := Split{index: order}
	sum := 0
	for _, i := range order {
		sum += int(weights[i])
		s.upto = append(s.upto, sum)
	}
	return s
}

// Choose gives the index of the backend that has the position. It allocates nothing.
func (s *Split) Choose(position int) int {
	for i, upto := range s.upto {
		if position < upto {
			return s.index[i]
		}
	}
	return 0
}
