package canary_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/proxy/canary"
)

func TestRanksAreAPermutation(t *testing.T) {
	r := canary.NewRanks("reservations")
	for b := range bucket.Count {
		if rank := r.Of(b); r.At(rank) != b {
			t.Fatalf("bucket %d has rank %d, where bucket %d is", b, rank, r.At(rank))
		}
	}
}

// TestRanksFollowTheHash checks the bytes that are hashed, against their description.
func TestRanksFollowTheHash(t *testing.T) {
	r, last := canary.NewRanks("reservations"), ""
	for rank := range bucket.Count {
		b := r.At(rank)
		sum := sha256.Sum256([]byte("reservations\xff\x00\x00" + string([]byte{byte(b >> 8), byte(b)})))
		if string(sum[:]) <= last {
			t.Fatalf("rank %d, bucket %d: its hash is not above the one before", rank, b)
		}
		last = string(sum[:])
	}
}

// TestRanksAreStable pins the order: a release that changed it would move data.
func TestRanksAreStable(t *testing.T) {
	r := canary.NewRanks("reservations")
	if got, want := fmt.Sprint(r.At(0), r.At(1), r.At(4999), r.At(9999), r.Of(0), r.Of(42)), goldenRanks; got != want {
		t.Errorf("ranks are %s, want %s", got, want)
	}
	if other := canary.NewRanks("reservation"); other.At(0) == r.At(0) && other.At(1) == r.At(1) {
		t.Error("two routes share their order")
	}
}

const goldenRanks = "2788 3199 4157 10 8883 4635"

func TestCohortsOfBuckets(t *testing.T) {
	r, rnd := canary.NewRanks("reservations"), rand.New(rand.NewPCG(3, 4))
	for range 100 {
		low, high := canary.Weight(rnd.IntN(10001)), canary.Weight(rnd.IntN(10001))
		if low > high {
			low, high = high, low
		}
		a, b := r.Cohort(low, nil), r.Cohort(high, nil)
		sizes := [2]int{}
		for bucket := range bucket.Count {
			if a.Has(bucket) && !b.Has(bucket) {
				t.Fatalf("bucket %d is in the cohort of %s but not of %s", bucket, low, high)
			}
			if a.Has(bucket) {
				sizes[0]++
			}
			if b.Has(bucket) {
				sizes[1]++
			}
		}
		if sizes != [2]int{int(low), int(high)} {
			t.Fatalf("cohorts of %s and %s have %v buckets", low, high, sizes)
		}
	}
}

func TestPinsOverrideTheWeight(t *testing.T) {
	r := canary.NewRanks("reservations")
	first, last := r.At(0), r.At(9999)
	pins := map[int]bool{first: false, last: true}
	c := r.Cohort(5000, pins)
	pins[r.At(1)] = false // what the caller does with its map later is its own affair
	if c.Has(first) || !c.Has(last) || !c.Has(r.At(1)) || c.Has(r.At(5000)) || !c.Pinned(first) || c.Pinned(r.At(1)) {
		t.Error("a pin does not override the weight, or overrides more than its bucket")
	}
}
