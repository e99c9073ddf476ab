package store_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/handover/handovertest"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/records"
	"banyan/modules/reservations/internal/store"
)

// flightIn names flights until one is in a bucket.
func flightIn(b int) string {
	for n := 0; ; n++ {
		if id := fmt.Sprintf("Zz%d-JFK-20261121", n); bucket.Of(id) == b {
			return id
		}
	}
}

// samples are records of a bucket as strange as the columns admit.
func samples(b, answers int) [][]byte {
	flight := flightIn(b)
	var all []records.Record
	for i := range answers {
		all = append(all, records.Answer{
			Key: fmt.Sprintf("Key-%d", i), Fingerprint: fmt.Sprint("007", i), CreatedAt: 1790000000000000 + int64(i*i),
			Answer: "{ \"text\":\"é\u2028\u00a0<&> \\u0000 🚀\\n\",\"n\":1e400}  \n",
		})
	}
	h := records.Hold{
		HoldID: fmt.Sprintf("h%04d-3q9v7d0k2m5x8c1b", b), FlightID: flight, CustomerID: "9E12", Token: "00000000000000000000000000000000",
		Seats: []string{"12C", "1A", "12c"}, Status: "HELD", CreatedAt: math.MaxInt64, ExpiresAt: -1, Extensions: 3,
	}
	other := h
	other.HoldID, other.Seats, other.Token, other.ReservationID = fmt.Sprintf("h%04d-zzzzzzzzzzzzzzzz", b), nil, "", fmt.Sprintf("r%04d-0", b)
	r := records.Reservation{ReservationID: fmt.Sprintf("r%04d-0000000000000000", b), FlightID: flight, CustomerID: "ann!~\"\\", Seats: []string{"9A"}, Status: "CONFIRMED", HoldID: h.HoldID, Related: "r0001-0000000000000000"}
	all = append(all,
		records.Answer{Key: "key-0"}, records.Answer{Key: "1e3", Answer: "null"}, records.Flight{FlightID: flight, Version: 1 << 60}, h, other, r,
		records.Seat{FlightID: flight, Seat: "12C", Kind: "H", Ref: h.HoldID, CustomerID: "9E12", ExpiresAt: 5},
		records.Seat{FlightID: flight, Seat: "12c", Kind: "R", Ref: r.ReservationID, CustomerID: "ann"},
		records.Seat{FlightID: flight, Seat: "007", Kind: "B", Ref: "broken é \x00 \xff 🚀"})
	lines := make([][]byte, len(all))
	for i, r := range all {
		lines[i] = r.Encode(nil)
	}
	slices.SortFunc(lines, bytes.Compare)
	return lines
}

func TestSQLIsAParticipant(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		buckets := []int{4711, 0, 9999, 42, 43, 1234, 5, 8000}
		for _, b := range buckets {
			exec(t, db, "DELETE FROM fences WHERE bucket=?", b)
		}
		handovertest.Run(t, s.Participant(), handovertest.Options{
			Buckets: buckets, Epoch: 100,
			Records: func(b int) [][]byte {
				if b == 42 {
					return samples(b, 700)
				}
				return samples(b, 2)
			},
		})
	})
}
