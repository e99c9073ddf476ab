package redisstore

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/store"
)

// TestAnswersComeBack: an answer is the same after it was kept with its event, whatever it
// is, and a usual one takes less room, its event included.
func TestAnswersComeBack(t *testing.T) {
	const hold, flight = "h0042-3q9v7d0k2m5x8c1b", "AA34-JFK-20261121"
	at := time.UnixMicro(1795274429546594).UTC()
	held := marshalled(t, reservations.Hold{
		HoldID: hold, FlightID: flight, CustomerID: "ann", Token: strings.Repeat("0123", 8), Seats: []string{"12A"},
		Status: "HELD", ExpiresAt: at.Add(time.Minute), ServerTime: at,
	})
	for name, answer := range map[string]string{
		"hold": held, "hold as customer": strings.Replace(held, `"ann"`, `"`+hold+`"`, 1),
		"names inside others": strings.Replace(held, "ann", hold+flight, 1), "twice": held + held, "backwards": `","token":"{"hold_id":"`,
		"reservation": marshalled(t, reservations.Reservation{ReservationID: hold, FlightID: flight, Seats: []string{"12A", "12B"}, CreatedAt: at}),
		"none":        "", "indented": "{\n\t\"hold_id\":\"" + hold + "\"\n}", "bytes": "\x00\x01\x1e\x1f\xff", "verbatim": "\x00", "no JSON": "é\xfe 🚀",
	} {
		for _, c := range []store.Change{{Event: "held"}, {Event: "held", Hold: &store.Hold{HoldID: hold}}} {
			packed := packAnswered(&idempotency.Record{CreatedAt: 7, Fingerprint: "2cf24d", Answer: []byte(answer)}, c, flight)
			r, err := unpackRecord(packed + "1:9")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !bytes.Equal(r.Answer, []byte(answer)) || r.CreatedAt != 7 || r.Fingerprint != "2cf24d" {
				t.Errorf("%s became %+v", name, r)
			}
			if c.Hold != nil && name == "hold" && len(packed) > len(answer)*3/4 {
				t.Errorf("%s of %d bytes and its event take %d", name, len(answer), len(packed))
			}
		}
	}
}

func marshalled(t *testing.T, v any) string {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestDamagedAnswers: an abbreviation that is not known is no answer.
func TestDamagedAnswers(t *testing.T) {
	for _, short := range []string{"\x10", "a\x1d", "a\x00"} {
		if answer, ok := expand(short, "ref", "flight"); ok {
			t.Errorf("%q was read as %q", short, answer)
		}
	}
	if _, err := unpackRecord("1:11:=1:\x104:held0:1:F1:1"); err == nil {
		t.Error("a damaged record was read")
	}
}
