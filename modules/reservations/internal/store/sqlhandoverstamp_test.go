package store_test

import (
	"slices"
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
)

// TestStampsTellChanges: whatever the store does to a bucket, its stamp is another one, and
// those of other buckets are not.
func TestStampsTellChanges(t *testing.T) {
	flights := flightIDs(20)
	sides(t, flights, func(t *testing.T, source, _ side) {
		fill(t, source.s, flights)
		buckets := bucketsOf(flights)
		stamps := func() []string {
			t.Helper()
			list, err := source.Participant.(handover.Stamper).Stamps(t.Context(), 0, buckets)
			if err != nil || len(list) != len(buckets) {
				t.Fatal(list, err)
			}
			return list
		}
		before := stamps()
		if again := stamps(); !slices.Equal(before, again) {
			t.Error("stamps change by themselves")
		}
		one := bucketsOf(flights[:1])[0]
		only := func(what string) {
			t.Helper()
			now := stamps()
			for i, b := range buckets {
				if (now[i] != before[i]) != (b == one) {
					t.Errorf("%s: the stamp of bucket %d was %q and is %q", what, b, before[i], now[i])
				}
			}
			before = now
		}
		h := hold(t, source.s, flights[0], "30F", "stamp", "stamp-1", nil)
		only("hold")
		confirm(t, source.s, h, "stamp-2")
		only("confirm")
		if _, err := source.Participant.(handover.Stamper).Stamps(t.Context(), 99, buckets); errs.CodeOf(err) != errs.Misdirected {
			t.Errorf("in another epoch: %v", err)
		}
	})
}
