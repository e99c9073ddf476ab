package bucket_test

import (
	"fmt"
	"hash/fnv"
	"testing"

	"banyan/modules/kernel/bucket"
)

func TestOfIsFNV1a(t *testing.T) {
	for i := range 5000 {
		id := fmt.Sprintf("AA%d-JFK-20261121", i)
		h := fnv.New64a()
		_, _ = h.Write([]byte(id))
		if got, want := bucket.Of(id), int(h.Sum64()%bucket.Count); got != want {
			t.Fatalf("Of(%q) = %d, want %d", id, got, want)
		}
	}
}

func TestOfAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _ = bucket.Of("AA34-JFK-20261121") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestIDsCarryTheirBucket(t *testing.T) {
	seen := map[string]bool{}
	for b := range bucket.Count {
		id := bucket.NewID(bucket.HoldPrefix, b)
		got, err := bucket.Parse(bucket.HoldPrefix, id)
		if err != nil || got != b {
			t.Fatalf("Parse(%q) = %d, %v", id, got, err)
		}
		if seen[id[5:]] {
			t.Fatalf("%q came twice", id[5:])
		}
		seen[id[5:]] = true
	}
}

func TestParseRefuses(t *testing.T) {
	good := bucket.NewID(bucket.HoldPrefix, 42)
	for name, id := range map[string]string{
		"empty": "", "other prefix": "r" + good[1:], "short": good[:20], "long": good + "0", "sign": "h-042" + good[5:],
		"letters in the bucket": "h00a2" + good[5:], "upper case": "H" + good[1:], "space": good[:21] + " ",
		"look-alike": good[:18] + "оо", "no dash": good[:5] + "0" + good[6:], "NUL": good[:21] + "\x00",
	} {
		if b, err := bucket.Parse(bucket.HoldPrefix, id); err == nil {
			t.Errorf("%s: %q is taken for bucket %d", name, id, b)
		}
	}
}
