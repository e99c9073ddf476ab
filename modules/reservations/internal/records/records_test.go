package records_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations/internal/records"
	"banyan/modules/reservations/internal/store"
)

// The shapes are a contract with stores that this program knows nothing of.
func TestShapes(t *testing.T) {
	for want, r := range map[string]records.Record{
		`{"record":"answer","key":"k-1","fingerprint":"ab","created_at":1790000000000001,"answer":"{\"hold_id\":\"h0042-x\"}"}`: records.Answer{
			Key: "k-1", Fingerprint: "ab", CreatedAt: 1790000000000001, Answer: `{"hold_id":"h0042-x"}`,
		},
		`{"record":"flight","flight_id":"AA34-JFK-20261121","version":7}`: records.Flight{FlightID: "AA34-JFK-20261121", Version: 7},
		`{"record":"hold","hold_id":"h0042-x","flight_id":"AA34-JFK-20261121","customer_id":"ann","token":"secret","seats":["12C","1A"],"status":"HELD","created_at":1,"expires_at":2,"extensions":3,"reservation_id":""}`: records.Hold{
			HoldID: "h0042-x", FlightID: "AA34-JFK-20261121", CustomerID: "ann", Token: "secret", Seats: []string{"12C", "1A"},
			Status: "HELD", CreatedAt: 1, ExpiresAt: 2, Extensions: 3,
		},
		`{"record":"reservation","reservation_id":"r0042-x","flight_id":"F","customer_id":"ann","seats":[],"status":"CONFIRMED","created_at":1,"hold_id":"h0042-x","related":"r0043-y"}`: records.Reservation{
			ReservationID: "r0042-x", FlightID: "F", CustomerID: "ann", Status: "CONFIRMED", CreatedAt: 1, HoldID: "h0042-x", Related: "r0043-y",
		},
		`{"record":"seat","flight_id":"F","seat":"12C","kind":"B","ref":"broken\u2028 \u00e9\ud83d\ude80\u0000","customer_id":{"base64":"/w=="},"expires_at":-5}`: records.Seat{
			FlightID: "F", Seat: "12C", Kind: "B", Ref: "broken\u2028 é🚀\x00", CustomerID: "\xff", ExpiresAt: -5,
		},
	} {
		if got := string(r.Encode(nil)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if back, err := records.Decode([]byte(want)); err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("%s comes back as %+v (%v)", want, back, err)
		}
	}
}

// What a store keeps can be converted as it is.
var (
	_ = records.Hold(store.Hold{})
	_ = records.Reservation(store.Reservation{})
)

// nasty are texts that differ from each other in what careless codecs lose.
func nasty() []string {
	return []string{
		"", "a", "A", " a", "a ", "a\x00", "\x00", `"`, `\"`, `\`, `\\`, `\n`, "\n", "\r", "\t", "\x7f", "/", "<&>", `<&>`,
		"é", "e\u0301", "\u2028", "\u2029", "\u0085", "\u00a0", "\ufeff", "\ufffd", "\xff", "\xc3", "\xed\xa0\x80", "a\xffb", "🚀", "\U0010ffff",
		"/w==", `{"base64":"/w=="}`, "9E12", "007", "7", "1e5", "null", ",", `","key":"`, strings.Repeat("x", 300), "İ", "ı", "ß", "ＡＡ",
	}
}

func text(r *rand.Rand) string {
	all := nasty()
	s := all[r.IntN(len(all))]
	for range r.IntN(3) {
		s += all[r.IntN(len(all))]
	}
	return s
}

func texts(r *rand.Rand) []string {
	var list []string
	for range r.IntN(4) {
		list = append(list, text(r))
	}
	return list
}

func number(r *rand.Rand) int64 {
	few := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1 << 53, 1<<53 + 1, 1790000000000001}
	return few[r.IntN(len(few))]
}

// random makes a record of any kind out of few values, so that many are nearly alike.
func random(r *rand.Rand) records.Record {
	switch r.IntN(5) {
	case 0:
		return records.Answer{Key: text(r), Fingerprint: text(r), CreatedAt: number(r), Answer: text(r)}
	case 1:
		return records.Flight{FlightID: text(r), Version: number(r)}
	case 2:
		return records.Hold{
			HoldID: text(r), FlightID: text(r), CustomerID: text(r), Token: text(r), Seats: texts(r), Status: text(r),
			CreatedAt: number(r), ExpiresAt: number(r), Extensions: r.IntN(3), ReservationID: text(r),
		}
	case 3:
		return records.Reservation{
			ReservationID: text(r), FlightID: text(r), CustomerID: text(r), Seats: texts(r), Status: text(r),
			CreatedAt: number(r), HoldID: text(r), Related: text(r),
		}
	}
	return records.Seat{FlightID: text(r), Seat: text(r), Kind: text(r), Ref: text(r), CustomerID: text(r), ExpiresAt: number(r)}
}

func TestWhatIsEncodedComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]records.Record{}
	for range 20_000 {
		value := random(r)
		line := value.Encode([]byte("before"))[len("before"):]
		if !json.Valid(line) || bytes.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Fatalf("%+v gives %q", value, line)
		}
		back, err := records.Decode(line)
		if err != nil || !reflect.DeepEqual(back, value) || !bytes.Equal(back.Encode(nil), line) {
			t.Fatalf("%+v gives %s, and that %+v (%v)", value, line, back, err)
		}
		if twin, ok := seen[string(line)]; ok && !reflect.DeepEqual(twin, value) {
			t.Fatalf("%+v and %+v give the same line", twin, value)
		}
		seen[string(line)] = value
	}
}

// Any two texts, in any field, make two lines.
func TestTextsStayApart(t *testing.T) {
	lines := map[string]string{}
	for _, s := range nasty() {
		line := string(records.Flight{FlightID: s, Version: 1}.Encode(nil))
		if twin, ok := lines[line]; ok && twin != s {
			t.Errorf("%q and %q give the same line", twin, s)
		}
		lines[line] = s
		var plain struct {
			FlightID any `json:"flight_id"`
		}
		if err := json.Unmarshal([]byte(line), &plain); err != nil {
			t.Fatal(err)
		}
		if text, ok := plain.FlightID.(string); ok && text != s {
			t.Errorf("another reader of JSON takes %q for %q", s, text)
		}
	}
}

// good has every kind of text.
const good = `{"record":"seat","flight_id":"F","seat":"12C","kind":"B","ref":"a\u2028","customer_id":{"base64":"/w=="},"expires_at":5}`

func TestLinesAreNotCutOff(t *testing.T) {
	for i := range len(good) { // cut off anywhere
		if r, err := records.Decode([]byte(good[:i])); err == nil {
			t.Errorf("%s is read as %+v", good[:i], r)
		}
	}
}

func TestOnlyCanonicalLinesAreRead(t *testing.T) {
	if _, err := records.Decode([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"{", " {"},
		{"}", "} "},
		{"}", "}\n"},
		{`"seat":"12C"`, `"seat": "12C"`},
		{`"seat":"12C",`, ``},
		{`"seat":"12C","kind":"B"`, `"kind":"B","seat":"12C"`},
		{`"kind":"B"`, `"kind":"B","kind":"B"`},
		{`"kind":"B"`, `"kind":"B","more":1`},
		{`"kind"`, `"Kind"`},
		{`"kind":"B"`, `"kind":null`},
		{`:5}`, `:05}`},
		{`:5}`, `:+5}`},
		{`:5}`, `:5.0}`},
		{`:5}`, `:5e0}`},
		{`:5}`, `:-0}`},
		{`:5}`, `:9223372036854775808}`},
		{`:5}`, `:"5"}`},
		{`:5}`, `:}`},
		{`:5}`, `:5`},
		{`\u2028`, "\u2028"},
		{`\u2028`, `\u2028"`},
		{`\u2028`, `\u000A`},
		{`\u2028`, `\u0041`},
		{`\u2028`, `\ud800`},
		{`\u2028`, `\udc00\ud800`},
		{`\u2028`, `\n`},
		{`\u2028`, `\/`},
		{`\u2028`, `\`},
		{`\u2028`, `\u20`},
		{`\u2028`, "\xff"},
		{`\u2028`, "\x01"},
		{`"/w=="`, `"/w="`},
		{`"/w=="`, `"/x=="`},
		{`"/w=="`, `"YQ=="`},
		{`"/w=="`, `"_w=="`},
		{`{"base64":"/w=="}`, `{"base64":{"base64":"/w=="}}`},
		{`"seat",`, `"Seat",`},
		{`"record"`, `"kind"`},
		{good, ``},
		{good, `{}`},
		{good, `null`},
		{good, `{"record":"flight","flight_id":"F","version":1}}`},
		{good, `{"record":"hold","hold_id":"h","flight_id":"F","customer_id":"","token":"","seats":["1A",],"status":"","created_at":0,"expires_at":0,"extensions":0,"reservation_id":""}`},
		{good, `{"record":"hold","hold_id":"h","flight_id":"F","customer_id":"","token":"","seats":["1A"],"status":"","created_at":0,"expires_at":0,"extensions":9000000000,"reservation_id":""}`},
	} {
		line := strings.Replace(good, change[0], change[1], 1)
		if line == good {
			t.Fatalf("%q is not in the line", change[0])
		}
		if r, err := records.Decode([]byte(line)); errs.CodeOf(err) != errs.Invalid {
			t.Errorf("%s is read as %+v (%v)", line, r, err)
		}
	}
}

// FuzzDecode wants of every line that is read that it is written again as it was.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		f.Add(random(r).Encode(nil))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if r, err := records.Decode(line); err == nil && !bytes.Equal(r.Encode(nil), line) {
			t.Errorf("%q is written as %q", line, r.Encode(nil))
		}
	})
}

// Sorted lines keep what belongs to one name together.
func TestSortedLinesStandTogether(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var lines []string
	name := map[string]string{}
	for range 3000 {
		value := random(r)
		line := string(value.Encode(nil))
		lines = append(lines, line)
		switch v := value.(type) {
		case records.Answer:
			name[line] = fmt.Sprintf("answer %q", v.Key)
		case records.Flight:
			name[line] = fmt.Sprintf("flight %q", v.FlightID)
		case records.Hold:
			name[line] = fmt.Sprintf("hold %q", v.HoldID)
		case records.Reservation:
			name[line] = fmt.Sprintf("reservation %q", v.ReservationID)
		case records.Seat:
			name[line] = fmt.Sprintf("seat %q %q", v.FlightID, v.Seat)
		}
	}
	slices.Sort(lines)
	closed := map[string]bool{}
	for i, line := range lines {
		if closed[name[line]] {
			t.Fatalf("%s comes twice", name[line])
		}
		if i+1 == len(lines) || name[lines[i+1]] != name[line] {
			closed[name[line]] = true
		}
	}
}

func BenchmarkEncodeHold(b *testing.B) {
	h := records.Hold{
		HoldID: "h0042-3q9v7d0k2m5x8c1b", FlightID: "AA34-JFK-20261121", CustomerID: "customer-1234", Token: strings.Repeat("0a", 16),
		Seats: []string{"12C", "12D"}, Status: "HELD", CreatedAt: 1790000000000001, ExpiresAt: 1790000000000002, Extensions: 1,
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = h.Encode(dst[:0])
	}
}

func BenchmarkDecodeHold(b *testing.B) {
	line := records.Hold{
		HoldID: "h0042-3q9v7d0k2m5x8c1b", FlightID: "AA34-JFK-20261121", CustomerID: "customer-1234", Token: strings.Repeat("0a", 16),
		Seats: []string{"12C", "12D"}, Status: "HELD", CreatedAt: 1790000000000001, ExpiresAt: 1790000000000002, Extensions: 1,
	}.Encode(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := records.Decode(line); err != nil {
			b.Fatal(err)
		}
	}
}
