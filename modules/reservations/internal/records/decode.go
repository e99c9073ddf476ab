package records

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"banyan/modules/kernel/errs"
)

// Decode reads a line. It refuses, with errs.Invalid, every line that Encode would not
// have written, so that whoever stores the record gives the same line again.
func Decode(line []byte) (Record, error) {
	p := &parser{rest: string(line)}
	r := p.record()
	if p.bad || r == nil || p.rest != "" || !bytes.Equal(r.Encode(make([]byte, 0, len(line))), line) {
		const most = 120
		shown := line
		if len(shown) > most {
			shown = shown[:most]
		}
		return nil, errs.E(errs.Invalid, "not a canonical record of reservations: %q", shown)
	}
	return r, nil
}

// parser takes a line apart from left to right. It may let through what is not
// canonical: Decode compares.
type parser struct {
	rest string
	bad  bool
}

func (p *parser) record() Record {
	p.take(`{"record":`)
	var r Record
	switch p.text() {
	case "answer":
		r = p.answer()
	case "flight":
		r = Flight{FlightID: p.field("flight_id"), Version: p.number("version")}
	case "hold":
		r = p.hold()
	case "reservation":
		r = p.reservation()
	case "seat":
		r = p.seat()
	}
	p.take("}")
	return r
}

func (p *parser) answer() Record {
	return Answer{
		Key: p.field("key"), Fingerprint: p.field("fingerprint"),
		CreatedAt: p.number("created_at"), Answer: p.field("answer"),
	}
}

func (p *parser) hold() Record {
	return Hold{
		HoldID: p.field("hold_id"), FlightID: p.field("flight_id"), CustomerID: p.field("customer_id"),
		Token: p.field("token"), Seats: p.fields("seats"), Status: p.field("status"),
		CreatedAt: p.number("created_at"), ExpiresAt: p.number("expires_at"),
		Extensions: p.small("extensions"), ReservationID: p.field("reservation_id"),
	}
}

func (p *parser) reservation() Record {
	return Reservation{
		ReservationID: p.field("reservation_id"), FlightID: p.field("flight_id"), CustomerID: p.field("customer_id"),
		Seats: p.fields("seats"), Status: p.field("status"), CreatedAt: p.number("created_at"),
		HoldID: p.field("hold_id"), Related: p.field("related"),
	}
}

func (p *parser) seat() Record {
	return Seat{
		FlightID: p.field("flight_id"), Seat: p.field("seat"), Kind: p.field("kind"), Ref: p.field("ref"),
		CustomerID: p.field("customer_id"), ExpiresAt: p.number("expires_at"),
	}
}

// take steps over what must come next.
func (p *parser) take(what string) {
	rest, ok := strings.CutPrefix(p.rest, what)
	p.rest = rest
	p.bad = p.bad || !ok
}

func (p *parser) name(name string) { p.take(`,"` + name + `":`) }

func (p *parser) field(name string) string {
	p.name(name)
	return p.text()
}

func (p *parser) number(name string) int64 {
	p.name(name)
	end := strings.IndexAny(p.rest, ",}")
	if end < 0 {
		p.bad = true
		return 0
	}
	n, err := strconv.ParseInt(p.rest[:end], 10, 64)
	p.bad = p.bad || err != nil
	p.rest = p.rest[end:]
	return n
}

func (p *parser) small(name string) int {
	n := p.number(name)
	p.bad = p.bad || n != int64(int(n)) || n > math.MaxInt32
	return int(n)
}

func (p *parser) fields(name string) []string {
	p.name(name)
	p.take("[")
	var list []string
	for !p.bad && !strings.HasPrefix(p.rest, "]") {
		if list != nil {
			p.take(",")
		}
		list = append(list, p.text())
	}
	p.take("]")
	return list
}

// text reads a string, or base64.
func (p *parser) text() string {
	if strings.HasPrefix(p.rest, "{") {
		p.take(`{"base64":`)
		raw, err := base64.StdEncoding.DecodeString(p.quoted())
		p.bad = p.bad || err != nil
		p.take("}")
		return string(raw)
	}
	return p.quoted()
}

// quoted reads a string.
func (p *parser) quoted() string {
	p.take(`"`)
	end := 0
	for end < len(p.rest) && plain(p.rest[end]) {
		end++
	}
	if end < len(p.rest) && p.rest[end] == '"' { // nearly always: nothing is escaped
		s := p.rest[:end]
		p.rest = p.rest[end+1:]
		return s
	}
	return p.escaped()
}

// escaped reads the rest of a string that has escapes.
func (p *parser) escaped() string {
	var s []byte
	for !p.bad && p.rest != "" && p.rest[0] != '"' {
		switch c := p.rest[0]; {
		case plain(c):
			s = append(s, c)
			p.rest = p.rest[1:]
		case strings.HasPrefix(p.rest, `\u`):
			s = utf8.AppendRune(s, p.rune())
		default:
			p.take(`\`)
			if p.bad = p.bad || p.rest == ""; !p.bad {
				s = append(s, p.rest[0])
				p.rest = p.rest[1:]
			}
		}
	}
	p.take(`"`)
	return string(s)
}

// rune reads an escaped character of one or two units.
func (p *parser) rune() rune {
	r := p.unit()
	if utf16.IsSurrogate(r) {
		r = utf16.DecodeRune(r, p.unit())
	}
	return r
}

func (p *parser) unit() rune {
	const size = len(`\u0000`)
	if p.take(`\u`); len(p.rest) < size-2 {
		p.bad = true
	}
	if p.bad {
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(p.rest[:size-2], 16, 16)
	p.bad = err != nil
	p.rest = p.rest[size-2:]
	return rune(n)
}
