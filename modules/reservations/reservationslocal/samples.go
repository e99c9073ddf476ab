package reservationslocal

import (
	"bytes"
	"fmt"
	"slices"

	"banyan/modules/reservations/internal/records"
)

// SampleRecords gives records of a bucket as this context hands them over, in the order
// of their bytes, for judging a participant from outside. They are remembered answers:
// all others belong to a flight, and a store refuses those of a flight that it has not
// heard of.
func SampleRecords(b, answers int) [][]byte {
	lines := make([][]byte, answers)
	for n := range answers {
		lines[n] = records.Answer{
			Key: fmt.Sprintf("sample-%04d-%04d", b, n), Fingerprint: fmt.Sprintf("%02x", n%256), CreatedAt: int64(n) * 1_000_003,
			Answer: fmt.Sprintf("{ \"text\":\"é <&> \\u0000 \u2028\",\"n\":%d}\n", n),
		}.Encode(nil)
	}
	slices.SortFunc(lines, bytes.Compare)
	return lines
}
