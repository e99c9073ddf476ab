package redisstore

import (
	"strings"
	"testing"

	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations/internal/store"
)

// TestRecordsAreWrittenAsEver pins what is in Redis already, and what scripts rely on.
func TestRecordsAreWrittenAsEver(t *testing.T) {
	hold := &store.Hold{
		HoldID: "h1", FlightID: "AA1-JFK-20261121", CustomerID: "ann", Token: "secret", Seats: []string{"1A", "12C"},
		Status: "HELD", CreatedAt: 7, ExpiresAt: 1795270600123456, Extensions: 2,
	}
	booking := &store.Reservation{
		ReservationID: "r1", FlightID: "AA1", CustomerID: "ü", Seats: []string{"1A"}, Status: "CONFIRMED", CreatedAt: -1, HoldID: "h1", Related: "r2",
	}
	long := strings.Repeat("0123456789", 200)
	record := func(fingerprint, answer string) string {
		return packRecord(&idempotency.Record{Fingerprint: fingerprint, Answer: []byte(answer), CreatedAt: 12})
	}
	for name, c := range map[string]struct{ got, want string }{
		"hold":            {packHold(hold), "16:AA1-JFK-20261121" + "6:1A,12C" + "16:1795270600123456" + "4:HELD" + "3:ann" + "6:secret" + "1:7" + "1:2" + "0:"},
		"hold of nothing": {packHold(&store.Hold{}), "0:0:1:00:0:0:1:01:00:"},
		"hold of many": {
			packHold(&store.Hold{FlightID: long, Seats: []string{long, long}, Token: long}),
			"2000:" + long + "4001:" + long + "," + long + "1:00:0:2000:" + long + "1:01:00:",
		},
		"reservation":     {packReservation(booking), "3:AA1" + "2:1A" + "2:ü" + "9:CONFIRMED" + "2:-1" + "2:h1" + "2:r2"},
		"event of a hold": {packEvent(5, store.Change{Event: "held", Hold: hold}), "1:5" + "4:held" + "2:h1"},
		"event of both":   {packEvent(5, store.Change{Event: "confirmed", Hold: hold, Reservation: booking}), "1:5" + "9:confirmed" + "2:r1"},
		"event of none":   {packEvent(5, store.Change{Event: "blocked"}), "1:5" + "7:blocked" + "0:"},
		"seat":            {packSeat(store.Seat{Kind: store.Held, Ref: "h1", CustomerID: "ann", ExpiresAt: 9}), "H9,2,h1ann"},
		"blocked":         {packSeat(store.Seat{Kind: store.Blocked, Ref: long}), "B0,2000," + long},
		"answer":          {record("00ff3a", `{"a":1}`), "2:12" + "3:\x00\xff:" + `7:{"a":1}`},
		"long answer":     {record("", long), "2:12" + "0:" + "2000:" + long},
		"upper case":      {record("00FF", ""), "2:12" + "5:=00FF" + "0:"},
		"odd":             {record("00f", ""), "2:12" + "4:=00f" + "0:"},
		"no digest":       {record("0g", ""), "2:12" + "3:=0g" + "0:"},
		"like the mark":   {record("3d00", ""), "2:12" + "5:=3d00" + "0:"},
		"long digest":     {record(strings.Repeat("aB", 900), ""), "2:12" + "1801:=" + strings.Repeat("aB", 900) + "0:"},
		"counted":         {counted{{"1A", 9}, {"1B", 3}, {"12C", 4}}.pack(3), "1A=9,12C=4"},
		"nothing counted": {counted{{"1B", 3}}.pack(3), ""},
		"flight": {
			packFlight(store.Flight{FlightID: "AA34-JFK-20261121", Designator: "AA34", Date: "2026-11-21", Configuration: "X.1", Open: true, Seq: 12}),
			"112,3:X.1",
		},
		"flight of another number": {
			packFlight(store.Flight{FlightID: "AA34-JFK-20261121", Designator: "AA35", Date: "2026-11-21", Configuration: "X.1", Seq: 12}),
			"012,3:X.14:AA3510:2026-11-21",
		},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", name, c.got, c.want)
		}
	}
}
