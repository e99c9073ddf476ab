// Package records has the form in which a bucket of flights travels from one store to
// another: a line of JSON for each record. Any store of the context gives the same lines
// for the same state, so that two stores can compare what they have.
//
//	{"record":"answer","key":T,"fingerprint":T,"created_at":N,"answer":T}
//	{"record":"flight","flight_id":T,"designator":T,"carrier":T,"origin":T,"destination":T,
//	 "departure":L,"departure_utc":N,"arrival":L,"arrival_utc":N,"stops":N,"configuration":T,
//	 "currency":T,"fares":[N,N,N,N],"cancelled":B,"synthetic":N,"version":N,"event_seq":N}
//
// Each is one line without a space between its parts, its fields are all there, also the
// empty ones, and in this order. N is a whole number, B is true or false, L a local time
// such as "2026-11-21T09:00"; instants are seconds since 1970, created_at microseconds.
// Fares are minor units, by cabin: economy, premium economy, business, first; 0 is not
// sold. T is a text in UTF-8 in which a backslash stands before " and \, as the first
// character of \b, \f, \n, \r, \t and, for the other control characters, U+2028 and
// U+2029, of \u and four hexadecimal digits in lower case.
//
// answer is what the request with an idempotency key was answered. event_seq is no lower
// than the number of any event of the flight, wherever it was published: the next owner
// goes on above it. Airports, carriers, aircraft and configurations do not belong to a
// bucket; stores copy them from each other beforehand.
package records

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"banyan/modules/kernel/errs"
)

// The kinds of records.
const (
	answer = "answer"
	flight = "flight"
)

// Answer is what the request with an idempotency key was answered.
type Answer struct {
	Record      string `json:"record"`
	Key         string `json:"key"`
	Fingerprint string `json:"fingerprint"`
	CreatedAt   int64  `json:"created_at"` // microseconds since 1970
	Answer      string `json:"answer"`     // JSON
}

// Flight is a dated flight.
type Flight struct {
	Record        string   `json:"record"`
	FlightID      string   `json:"flight_id"`
	Designator    string   `json:"designator"`
	Carrier       string   `json:"carrier"`
	Origin        string   `json:"origin"`
	Destination   string   `json:"destination"`
	Departure     string   `json:"departure"`     // local
	DepartureUTC  int64    `json:"departure_utc"` // seconds since 1970
	Arrival       string   `json:"arrival"`       // local
	ArrivalUTC    int64    `json:"arrival_utc"`   // seconds since 1970
	Stops         int      `json:"stops"`
	Configuration string   `json:"configuration"`
	Currency      string   `json:"currency"`
	Fares         [4]int64 `json:"fares"` // minor units of Currency
	Cancelled     bool     `json:"cancelled"`
	Synthetic     int      `json:"synthetic"`
	Version       int64    `json:"version"`
	EventSeq      int64    `json:"event_seq"`
}

// Line writes a record without a newline. errs: Internal for a text that is not UTF-8.
func (r Answer) Line() ([]byte, error) {
	r.Record = answer
	if !utf8.ValidString(r.Answer) || !utf8.ValidString(r.Key) {
		return nil, errs.E(errs.Internal, "the answer under a key is not UTF-8")
	}
	return line(r)
}

// Line writes a record without a newline.
func (r Flight) Line() ([]byte, error) {
	r.Record = flight
	return line(r)
}

func line(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, errs.E(errs.Internal, "a record cannot be written").Because(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// Decode reads a line: one of the two is not nil. It refuses, with errs.Invalid, every
// line that Line would not have written, so that whoever stores the record gives the same
// line again.
func Decode(text []byte) (*Answer, *Flight, error) {
	var kind struct {
		Record string `json:"record"`
	}
	if json.Unmarshal(text, &kind) == nil {
		switch kind.Record {
		case answer:
			var a Answer
			if json.Unmarshal(text, &a) == nil && same(text, a.Line) {
				return &a, nil, nil
			}
		case flight:
			var f Flight
			if json.Unmarshal(text, &f) == nil && same(text, f.Line) {
				return nil, &f, nil
			}
		}
	}
	const most = 120
	return nil, nil, errs.E(errs.Invalid, "not a canonical record of flights: %q", text[:min(len(text), most)])
}

func same(text []byte, again func() ([]byte, error)) bool {
	got, err := again()
	return err == nil && bytes.Equal(got, text)
}
