package handovertest

import (
	"bytes"
	"fmt"
	"strings"

	"banyan/modules/kernel/handover"
)

// shown bounds how much a problem tells of a list or a record.
const shown = 8

func some(buckets []int) string {
	switch {
	case len(buckets) == 1:
		return fmt.Sprintf("bucket %d", buckets[0])
	case len(buckets) > shown:
		return fmt.Sprintf("%d buckets", len(buckets))
	}
	return fmt.Sprintf("buckets %v", buckets)
}

func fences(list []handover.Fence) string {
	var words []string
	for i, f := range list {
		if i == shown {
			words = append(words, fmt.Sprintf("and %d more", len(list)-shown))
			break
		}
		words = append(words, fmt.Sprintf("%d:(%d %q seq %d)", f.Bucket, f.Epoch, f.Mode, f.Seq))
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " ")
}

func name(parts []handover.Part) string {
	var words []string
	for _, p := range parts[:min(len(parts), shown)] {
		words = append(words, fmt.Sprintf("%d/%d", p.Bucket, p.Seq))
	}
	return fmt.Sprintf("%d parts (bucket/seq: %s)", len(parts), strings.Join(words, " "))
}

// differ says where two lists of records part, "" when they are the same.
func differ(got, want [][]byte) string {
	for i := range min(len(got), len(want)) {
		if !bytes.Equal(got[i], want[i]) {
			return fmt.Sprintf("record %d is %.120q, but should be %.120q", i+1, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("there are %d records, but should be %d", len(got), len(want))
	}
	return ""
}
