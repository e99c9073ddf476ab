package handover

import (
	"math/bits"

	"banyan/proxy/canary"
)

// Desired says which buckets should belong to the extracted side.
type Desired struct {
	Weight canary.Weight
	// Pins override the weight: true pins a bucket to the extracted side. The journal
	// keeps them (Journal.Pins); PinsOf turns them into this.
	Pins   map[int]bool
	Paused bool // let what is under way end, and begin nothing
}

// PinsOf gives the pins by whether they are to the backend named.
func PinsOf(pins []Pin, away string) map[int]bool {
	m := make(map[int]bool, len(pins))
	for _, p := range pins {
		m[p.Bucket] = p.Owner == away
	}
	return m
}

// Limits bound what Plan gives.
type Limits struct {
	MaxMoves int // of the route that go on at once, those under way included
	Add      int // buckets of a batch towards the extracted side
	GiveBack int // buckets of a batch towards the home
}

// Plan gives the moves to begin next, so that what is comes nearer to what is desired:
// nothing when they are equal, when it is paused, or when enough moves are under way.
// Buckets are given back before others are added, those that were added last first, for
// giving back is what people do in trouble; pinned buckets go before the others. Buckets
// that are moving, refused, or owned by neither of the two are left alone. It is a pure
// function.
func Plan(cohort canary.Cohort, paused bool, s *Snapshot, home, away string, l Limits) []Batch {
	if paused {
		return nil
	}
	room := l.MaxMoves - underWay(s)
	if room <= 0 {
		return nil
	}
	back, add := gap(cohort, s, home, away)
	var list []Batch
	cut := func(buckets []int, source, target string, size int) {
		for len(buckets) > 0 && len(list) < room {
			n := min(max(size, 1), len(buckets))
			list = append(list, Batch{Source: source, Target: target, Buckets: buckets[:n]})
			buckets = buckets[n:]
		}
	}
	cut(back, away, home, l.GiveBack)
	cut(add, home, away, l.Add)
	return list
}

// gap gives the buckets that are idle on the wrong side, in the order in which they
// should move.
func gap(cohort canary.Cohort, s *Snapshot, home, away string) (back, add []int) {
	ranks := cohort.Ranks()
	var pinnedBack, pinnedAdd []int
	for rank := range s.Buckets {
		number := ranks.At(rank)
		b := &s.Buckets[number]
		if b.Phase != Idle || b.Refused || !cohort.Has(number) || s.Names[b.Owner] != home {
			continue
		}
		if cohort.Pinned(number) {
			pinnedAdd = append(pinnedAdd, number)
		} else {
			add = append(add, number)
		}
	}
	for rank := len(s.Buckets) - 1; rank >= 0; rank-- {
		number := ranks.At(rank)
		b := &s.Buckets[number]
		if b.Phase != Idle || b.Refused || cohort.Has(number) || s.Names[b.Owner] != away {
			continue
		}
		if cohort.Pinned(number) {
			pinnedBack = append(pinnedBack, number)
		} else {
			back = append(back, number)
		}
	}
	return append(pinnedBack, back...), append(pinnedAdd, add...)
}

// underWay counts the moves that the snapshot knows to go on.
func underWay(s *Snapshot) int {
	moves := map[int64]bool{}
	for i := range s.Buckets {
		if b := &s.Buckets[i]; b.Phase != Idle {
			moves[b.Move] = true
		}
	}
	return len(moves)
}

// Tally compares what is with what is desired, in buckets.
type Tally struct {
	Desired int `json:"desired"` // that should be owned by the extracted side
	Actual  int `json:"actual"`  // that are
	Wrong   int `json:"wrong"`   // owned by the wrong side, moving ones included
	Moving  int `json:"moving"`
	Refused int `json:"refused"`
}

func tally(cohort canary.Cohort, s *Snapshot, away string) Tally {
	var t Tally
	for number := range s.Buckets {
		b := &s.Buckets[number]
		has, wants := s.Names[b.Owner] == away, cohort.Has(number)
		t.Desired += one(wants)
		t.Actual += one(has)
		t.Wrong += one(has != wants)
		t.Moving += one(b.Phase != Idle)
		t.Refused += one(b.Refused)
	}
	return t
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// doubled gives d·2^n without overflow, at most most.
func doubled[T ~int64](d T, n int, most T) T {
	if n >= bits.LeadingZeros64(uint64(d))-1 {
		return most
	}
	return min(d<<n, most)
}
