package redisstore

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations/internal/store"
)

// Records are texts that the scripts can take apart without a parser. Every part that
// a caller can influence is preceded by its length, so that any bytes survive.
//
//	seat         H<expiry>,<length of ref>,<ref><customer>      kind H, R or B
//	hold         parts: flight, seats, expiry, status, customer, token, created, extensions, reservation
//	reservation  parts: flight, seats, customer, status, created, hold, related
//	idempotency  parts: created, fingerprint, answer; or created, fingerprint, answer
//	             abbreviated, type, hold or reservation, flight, version: with the event
//	event        parts: decided, type, hold or reservation
//	flight       <open 0|1><seq>,<length>:<configuration>[parts: designator, date]
//	customer     <seat>=<expiry>,...  the seats that the customer holds on a flight
//
// A part is <length>:<bytes>. Scripts rely on the order of the first ones.

// errDamaged is a record that this code did not write.
func errDamaged(kind, record string) error {
	return fmt.Errorf("redisstore: damaged %s record %q", kind, record)
}

// ordinary is enough for most records, in bytes: they are made on the stack.
const ordinary = 512

func appendPart[T ~string | ~[]byte](to []byte, value T) []byte {
	to = strconv.AppendInt(to, int64(len(value)), 10)
	return append(append(to, ':'), value...)
}

func appendParts(to []byte, values ...string) []byte {
	for _, v := range values {
		to = appendPart(to, v)
	}
	return to
}

func appendNumber(to []byte, n int64) []byte {
	var digits [20]byte
	return appendPart(to, strconv.AppendInt(digits[:0], n, 10))
}

// appendList appends seats as one part.
func appendList(to []byte, seats []string) []byte {
	var room [48]byte
	text := room[:0]
	for i, s := range seats {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, s...)
	}
	return appendPart(to, text)
}

// split takes n parts off a record; ok is false unless exactly n are there.
func split(record string, n int) (values [9]string, ok bool) {
	for i := range n {
		colon := strings.IndexByte(record, ':')
		if colon < 0 {
			return values, false
		}
		length, err := strconv.Atoi(record[:colon])
		if err != nil || length < 0 || length > len(record)-colon-1 {
			return values, false
		}
		values[i] = record[colon+1 : colon+1+length]
		record = record[colon+1+length:]
	}
	return values, record == ""
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// number reads a decimal and clears ok when it is none.
func number(text string, ok *bool) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	*ok = *ok && err == nil
	return n
}

func packSeat(s store.Seat) string {
	var room [ordinary]byte
	return string(appendSeat(room[:0], s))
}

func appendSeat(to []byte, s store.Seat) []byte {
	b := append(to, s.Kind...)
	b = strconv.AppendInt(b, s.ExpiresAt, 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(len(s.Ref)), 10)
	b = append(b, ',')
	b = append(b, s.Ref...)
	return append(b, s.CustomerID...)
}

func unpackSeat(record string) (store.Seat, error) {
	expires, rest, _ := strings.Cut(record, ",")
	length, rest, ok := strings.Cut(rest, ",")
	n := number(length, &ok)
	if !ok || expires == "" || n < 0 || n > int64(len(rest)) {
		return store.Seat{}, errDamaged("seat", record)
	}
	s := store.Seat{Kind: store.Kind(expires[:1]), Ref: rest[:n], CustomerID: rest[n:]}
	s.ExpiresAt = number(expires[1:], &ok)
	if !ok {
		return store.Seat{}, errDamaged("seat", record)
	}
	return s, nil
}

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func packHold(h *store.Hold) string {
	var room [ordinary]byte
	return string(appendHold(room[:0], h))
}

func appendHold(to []byte, h *store.Hold) []byte {
	b := appendList(appendPart(to, h.FlightID), h.Seats)
	b = appendParts(appendNumber(b, h.ExpiresAt), h.Status, h.CustomerID, h.Token)
	b = appendNumber(appendNumber(b, h.CreatedAt), int64(h.Extensions))
	return appendPart(b, h.ReservationID)
}

func unpackHold(id, record string) (*store.Hold, error) {
	v, ok := split(record, 9)
	h := &store.Hold{
		HoldID: id, FlightID: v[0], Seats: list(v[1]), ExpiresAt: number(v[2], &ok), Status: v[3], CustomerID: v[4],
		Token: v[5], CreatedAt: number(v[6], &ok), Extensions: int(number(v[7], &ok)), ReservationID: v[8],
	}
	if !ok {
		return nil, errDamaged("hold", record)
	}
	return h, nil
}

func packReservation(r *store.Reservation) string {
	var room [ordinary]byte
	b := appendParts(appendList(appendPart(room[:0], r.FlightID), r.Seats), r.CustomerID, r.Status)
	return string(appendParts(appendNumber(b, r.CreatedAt), r.HoldID, r.Related))
}

func unpackReservation(id, record string) (*store.Reservation, error) {
	v, ok := split(record, 7)
	r := &store.Reservation{
		ReservationID: id, FlightID: v[0], Seats: list(v[1]), CustomerID: v[2], Status: v[3],
		CreatedAt: number(v[4], &ok), HoldID: v[5], Related: v[6],
	}
	if !ok {
		return nil, errDamaged("reservation", record)
	}
	return r, nil
}

func packRecord(r *idempotency.Record) string {
	var room [ordinary]byte
	b := appendDigest(appendNumber(room[:0], r.CreatedAt), r.Fingerprint)
	return string(appendPart(b, r.Answer))
}

func unpackRecord(record string) (*idempotency.Record, error) {
	v, ok := split(record, 3)
	answer := []byte(v[2])
	if !ok {
		if v, ok = split(record, 7); ok {
			answer, ok = expand(v[2], v[4], v[5])
		}
	}
	r := &idempotency.Record{CreatedAt: number(v[0], &ok), Fingerprint: unpackDigest(v[1]), Answer: answer}
	if !ok {
		return nil, errDamaged("idempotency", record)
	}
	return r, nil
}

// packEvent describes a change that was decided at a time of the store.
func packEvent(at int64, c store.Change) string {
	var room [ordinary]byte
	return string(appendParts(appendNumber(room[:0], at), c.Event, changed(c)))
}

// changed names the reservation or hold that a change writes.
func changed(c store.Change) string {
	switch {
	case c.Reservation != nil:
		return c.Reservation.ReservationID
	case c.Hold != nil:
		return c.Hold.HoldID
	}
	return ""
}

// appendDigest appends a digest in hexadecimal, halved; "=" marks another text.
func appendDigest(to []byte, text string) []byte {
	var room [ordinary]byte
	raw, err := hex.AppendDecode(room[:0], []byte(text))
	if err != nil || strings.ContainsAny(text, "ABCDEF") || (len(raw) > 0 && raw[0] == '=') {
		return appendPart(to, "="+text)
	}
	return appendPart(to, raw)
}

func unpackDigest(packed string) string {
	if text, ok := strings.CutPrefix(packed, "="); ok {
		return text
	}
	return hex.EncodeToString([]byte(packed))
}

// packFlight leaves designator and date out when the flight's id says them, as ours do:
// three million flights are kept.
func packFlight(f store.Flight) string {
	open := "0"
	if f.Open {
		open = "1"
	}
	var room [ordinary]byte
	b := strconv.AppendInt(append(room[:0], open...), f.Seq, 10)
	b = appendPart(append(b, ','), f.Configuration)
	if designator, date := fromID(f.FlightID); designator != f.Designator || date != f.Date {
		b = appendParts(b, f.Designator, f.Date)
	}
	return string(b)
}

func unpackFlight(id, record string) (store.Flight, error) {
	head, rest, ok := strings.Cut(record, ",")
	if !ok || len(head) < 2 {
		return store.Flight{}, errDamaged("flight", record)
	}
	f := store.Flight{FlightID: id, Open: head[0] == '1', Seq: number(head[1:], &ok)}
	f.Designator, f.Date = fromID(id)
	v, short := split(rest, 1)
	if !short {
		var long bool
		v, long = split(rest, 3)
		f.Designator, f.Date = v[1], v[2]
		ok = ok && long
	}
	f.Configuration = v[0]
	if !ok {
		return store.Flight{}, errDamaged("flight", record)
	}
	return f, nil
}

// fromID reads AA34-JFK-20261121; both are "" when the id is not so.
func fromID(id string) (designator, date string) {
	designator, rest, _ := strings.Cut(id, "-")
	_, day, ok := strings.Cut(rest, "-")
	if !ok || len(day) != 8 {
		return "", ""
	}
	return designator, day[:4] + "-" + day[4:6] + "-" + day[6:]
}

// counted is which seats of a flight a customer holds, and until when.
type counted []countedSeat

type countedSeat struct {
	seat    string
	expires int64
}

func unpackCounted(record string) (counted, error) {
	if record == "" {
		return nil, nil
	}
	var c counted
	for entry := range strings.SplitSeq(record, ",") {
		seat, expires, ok := strings.Cut(entry, "=")
		c = append(c, countedSeat{seat: seat, expires: number(expires, &ok)})
		if !ok {
			return nil, errDamaged("customer", record)
		}
	}
	return c, nil
}

// pack leaves out what has expired; an empty record is "".
func (c counted) pack(now int64) string {
	var room [ordinary]byte
	b := room[:0]
	for _, s := range c {
		if s.expires <= now {
			continue
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(b, s.seat...)
		b = append(b, '=')
		b = strconv.AppendInt(b, s.expires, 10)
	}
	return string(b)
}

// without drops a seat.
func (c counted) without(seat string) counted {
	return slices.DeleteFunc(c, func(s countedSeat) bool { return s.seat == seat })
}

// active counts the seats whose hold has not expired.
func (c counted) active(now int64) int {
	n := 0
	for _, s := range c {
		if s.expires > now {
			n++
		}
	}
	return n
}
