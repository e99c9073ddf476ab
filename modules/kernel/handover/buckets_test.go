package handover_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/handover"
)

func TestBucketsAsText(t *testing.T) {
	order := rand.New(rand.NewPCG(1, 1)).Perm(bucket.Count)
	for _, n := range []int{0, 1, 77, bucket.Count - 1, bucket.Count} {
		var s, again handover.Buckets
		for _, b := range order[:n] {
			s.Add(b)
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &again); err != nil || again != s || again.Len() != n {
			t.Errorf("%d buckets come back as %d, %v", n, again.Len(), err)
		}
		for i, b := range order {
			if s.Has(b) != (i < n) {
				t.Fatalf("%d buckets: has %d: %v", n, b, s.Has(b))
			}
		}
		if short := n == 0 || n == bucket.Count; short != (len(text) < 10) {
			t.Errorf("%d buckets are written as %.40s", n, text)
		}
		var other handover.Buckets
		for _, b := range order[n:] {
			other.Add(b)
		}
		if s.Overlaps(&other) {
			t.Errorf("%d buckets overlap with the others", n)
		}
		if other.Add(order[0]); n > 0 && !s.Overlaps(&other) {
			t.Errorf("%d buckets do not overlap with one of them", n)
		}
	}
	if all := handover.AllBuckets(); all.Len() != bucket.Count {
		t.Errorf("all are %d", all.Len())
	}
	for _, bad := range []string{"", "ALL", "AAAA", "!"} {
		var s handover.Buckets
		if err := s.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is a set", bad)
		}
	}
}
