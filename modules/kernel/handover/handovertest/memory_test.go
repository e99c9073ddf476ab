package handovertest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handovertest"
)

// spare is what the suite may use of a Memory.
func spare() handovertest.Options {
	return handovertest.Options{
		Buckets: []int{9999, 0, 17, 4242, 18, 5, 6, 7, 8},
		Epoch:   100,
		Records: func(bucket int) [][]byte {
			n := 4
			switch bucket {
			case 17:
				n = 2*handover.MaxPartRecords + 3
			case 5:
				return [][]byte{
					[]byte(`{"a":"é\u2028\"\\ <&>"}`), []byte(`{"b":1.0e2}`),
					[]byte(`{"c":"` + strings.Repeat("x", handover.MaxPartBytes) + `"}`), []byte(`{"d":null}`),
				}
			}
			records := make([][]byte, n)
			for i := range records {
				records[i] = fmt.Appendf(nil, `{"bucket":%d,"n":"%06d"}`, bucket, i)
			}
			return records
		},
	}
}

func TestMemory(t *testing.T) {
	m := handovertest.NewMemory()
	m.Own(1, 1, 2)
	handovertest.Run(t, m, spare())
	st, err := m.Status(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range st.Fences {
		if ours := slices.Contains(spare().Buckets, f.Bucket); ours != (f.Mode == handover.Sealed) {
			t.Errorf("the suite leaves %+v", f)
		}
	}
}
