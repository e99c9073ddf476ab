package rules_test

import (
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"testing"
	"time"

	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/rules"
	"banyan/modules/reservations/internal/store"
)

// FuzzRecordedHold compares the recorded answers, which are replayed byte for byte, with
// those of encoding/json, and fails with it: for a time that RFC 3339 does not have.
func FuzzRecordedHold(f *testing.F) {
	f.Add("h0042-3q9v7d0k2m5x8c1b", "ann", "t", "1A", created, int64(time.Minute), 3)
	f.Add("", "", "", "", int64(0), int64(0), 0)
	f.Add(`"\/<>&'`, "\x00\x1f\x7f\t\n\r\b\f", "\u2028\u2029 é 漢 😀", "\xff\xc3\xed\xa0\x80", int64(-1), int64(-1), -1)
	f.Add("a", "b", "c", "d", int64(math.MaxInt64/2), int64(math.MaxInt64/2), math.MinInt)
	f.Add("a", "b", "c", "d", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).UnixMicro(), int64(time.Minute), 0) // only the expiry has no form
	for c := range 256 {                                                                                           // each by itself, for one in a text decides for all of it
		text := "a" + string([]byte{byte(c)})
		f.Add(text, text, text, text, created, int64(time.Minute), 0)
	}
	f.Fuzz(func(t *testing.T, id, customer, token, seat string, now, ttl int64, n int) {
		st := store.State{Now: now, Flight: &store.Flight{FlightID: flightID, Open: true}}
		step := rules.Step{Key: "k", Fingerprint: "f"}
		out, c, err := policy().Hold(st, rules.Geometry{seat}, rules.HoldInput{
			Step: step, HoldID: id, FlightID: token, CustomerID: customer, Token: token, Seats: []string{seat}, TTL: time.Duration(ttl),
		})
		same(t, c.Record, out, err)
		for _, seats := range [][]string{nil, {}, {seat, id}} {
			st.Hold = &store.Hold{
				HoldID: id, FlightID: customer, CustomerID: seat, Token: token, Seats: seats,
				Status: string(reservations.HoldActive), ExpiresAt: ttl, Extensions: n, ReservationID: token,
			}
			out, c, err = rules.Release(st, rules.ActionInput{Step: step, HoldID: id, Token: token})
			same(t, c.Record, out, err)
		}
	})
}

func same(t *testing.T, got *idempotency.Record, out reservations.Hold, err error) {
	t.Helper()
	want, wrong := json.Marshal(out)
	if (err != nil) != (wrong != nil) {
		t.Fatalf("%+v: %v, encoding/json gives %v", out, err, wrong)
	}
	if err == nil && string(got.Answer) != string(want) {
		t.Errorf("recorded  %s\ninstead of %s", got.Answer, want)
	}
}

// FuzzHoldFingerprint compares with the digest of what encoding/json makes.
func FuzzHoldFingerprint(f *testing.F) {
	f.Add(flightID, "ann", "1A", "1B", 0)
	f.Add("<&>", "é\xff", `"`, "\\", -1)
	f.Fuzz(func(t *testing.T, flight, customer, one, other string, ttl int) {
		for _, seats := range [][]string{nil, {}, {one}, {one, other}} {
			r := reservations.HoldRequest{FlightID: flight, CustomerID: customer, Seats: seats, TTLSeconds: ttl, Key: other}
			if got, want := rules.HoldFingerprint(r), idempotency.Fingerprint("hold", r); got != want {
				t.Errorf("%+v: %s, want %s", r, got, want)
			}
		}
	})
}

// A field that is added to a request or to a hold must not be forgotten.
func TestFingerprintAndAnswerHaveAllFields(t *testing.T) {
	var r reservations.HoldRequest
	fill(t, reflect.ValueOf(&r).Elem())
	if rules.HoldFingerprint(r) != idempotency.Fingerprint("hold", r) {
		t.Errorf("%+v has a fingerprint of another kind", r)
	}
	out, c, err := policy().Hold(store.State{Now: created, Flight: &store.Flight{Open: true}}, seats(), rules.HoldInput{
		Step: rules.Step{Key: "k"}, Seats: []string{"1A"},
	})
	same(t, c.Record, out, err)
}

func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Int:
			f.SetInt(7)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"1A", "1B"}))
		default:
			t.Fatalf("this test cannot fill %s", v.Type().Field(i).Name)
		}
	}
}

// TestSeatForm compares with the form written as an expression, for all texts of up to
// four of these characters.
func TestSeatForm(t *testing.T) {
	form := regexp.MustCompile(`^[1-9][0-9]{0,2}[A-HJ-NP-Z]$`)
	characters := []string{"0", "1", "9", "/", ":", "A", "H", "I", "J", "N", "O", "P", "Z", "@", "[", "a", "\n", "é", "\xff"}
	texts, seats := []string{""}, 0
	for range 4 {
		var longer []string
		for _, text := range texts {
			for _, c := range characters {
				longer = append(longer, text+c)
			}
		}
		for _, text := range longer {
			want := form.MatchString(text)
			if got := rules.CheckSeat(text) == nil; got != want {
				t.Fatalf("%q: %t, want %t", text, got, want)
			}
			if want {
				seats++
			}
		}
		texts = longer
	}
	if seats == 0 || rules.CheckSeat("") == nil || rules.CheckSeat("1111A") == nil {
		t.Error("no seat among the texts, or a seat that is none")
	}
}
