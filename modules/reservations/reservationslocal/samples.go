package reservationslocal

import (
	"bytes"
	"fmt"
	"slices"

	"banyan/modules/kernel/bucket"
	"banyan/modules/reservations/internal/records"
)

// SampleRecords gives records of a bucket as this context hands them over, in the order
// of their bytes: one flight with a hold, a reservation and their seats, and as many
// remembered answers as asked for. They are for judging a participant from outside.
func SampleRecords(b, answers int) [][]byte {
	flight := sampleFlight(b)
	hold, reservation := fmt.Sprintf("h%04d-0000000000000000", b), fmt.Sprintf("r%04d-0000000000000000", b)
	list := []records.Record{
		records.Flight{FlightID: flight, Version: 7},
		records.Hold{HoldID: hold, FlightID: flight, CustomerID: "sample", Token: "token", Seats: []string{"12C"}, Status: "HELD", CreatedAt: 1, ExpiresAt: 2},
		records.Reservation{ReservationID: reservation, FlightID: flight, CustomerID: "sample", Seats: []string{"14A"}, Status: "CONFIRMED", CreatedAt: 1},
		records.Seat{FlightID: flight, Seat: "12C", Kind: "H", Ref: hold, CustomerID: "sample", ExpiresAt: 2},
		records.Seat{FlightID: flight, Seat: "14A", Kind: "R", Ref: reservation, CustomerID: "sample"},
	}
	for n := range answers {
		list = append(list, records.Answer{Key: fmt.Sprintf("sample-%04d-%04d", b, n), Fingerprint: "00", CreatedAt: int64(n), Answer: `{"ok":true}`})
	}
	lines := make([][]byte, len(list))
	for i, r := range list {
		lines[i] = r.Encode(nil)
	}
	slices.SortFunc(lines, bytes.Compare)
	return lines
}

// sampleFlight names flights until one is in the bucket, which takes some ten thousand.
func sampleFlight(b int) string {
	for n := 0; ; n++ {
		if id := fmt.Sprintf("ZZ%d-SMP-20260101", n); bucket.Of(id) == b {
			return id
		}
	}
}
