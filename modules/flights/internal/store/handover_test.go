package store_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"banyan/modules/flights/internal/records"
	"banyan/modules/flights/internal/store"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/handover/handovertest"
	"banyan/modules/kernel/sqldb"
)

// idIn names flights until one is in a bucket.
func idIn(b, nth int) string {
	for n := nth * 1_000_000; ; n++ {
		if id := fmt.Sprintf("Z%d-JFK-20261121", n); bucket.Of(id) == b {
			return id
		}
	}
}

// samples are records of a bucket as strange as the columns admit.
func samples(t *testing.T, b, flights int) [][]byte {
	t.Helper()
	var lines [][]byte
	add := func(line []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	for i, key := range []string{"key-0", "Key-0", "007", "1e3", `!~"\`} {
		add(records.Answer{
			Key: key, Fingerprint: fmt.Sprint("00", i), CreatedAt: 1790000000000000 + int64(i),
			Answer: "{ \"text\":\"é\u2028\u00a0<&> \\u0000 🚀\\n\",\"n\":1e400}  \n",
		}.Line())
	}
	for i := range flights {
		add(records.Flight{
			FlightID: idIn(b, i), Designator: fmt.Sprintf("9E%d", i), Carrier: "9E", Origin: "JFK", Destination: "ATL",
			Departure: "2026-11-21T09:00", DepartureUTC: -5, Arrival: "2026-11-20T23:59", ArrivalUTC: 120, Stops: i % 3,
			Configuration: "A320-150.1", Currency: "EUR", Fares: [4]int64{0, 1 << 60, 0, int64(i % 2)}, Cancelled: i%2 == 0,
			Synthetic: i % 64, Version: int64(1 + i), EventSeq: 1 + int64(i)<<40,
		}.Line())
	}
	slices.SortFunc(lines, bytes.Compare)
	return lines
}

func TestStoresAreParticipants(t *testing.T) {
	buckets := []int{4711, 0, 9999, 42, 43, 1234, 5, 8000}
	all := map[int][][]byte{}
	for i, b := range buckets {
		n := 4
		if i == 3 {
			n = 520
		}
		lines := samples(t, b, n)
		for j, line := range lines { // names are unique over all buckets
			lines[j] = bytes.ReplaceAll(line, []byte(`"origin":"JFK"`), fmt.Appendf(nil, `"origin":"JF%c"`, 'A'+i))
		}
		all[b] = lines
	}
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			migrate(t, db)
			s := store.New(db, store.Options{Empty: true})
			handovertest.Run(t, s.Participant(), handovertest.Options{
				Buckets: buckets, Epoch: 100, Records: func(b int) [][]byte { return all[b] },
			})
		})
	}
}
