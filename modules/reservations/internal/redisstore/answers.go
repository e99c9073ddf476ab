package redisstore

import (
	"strings"

	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations/internal/store"
)

// An answer that is kept with the event of its request is abbreviated, for most of it is
// the same in all answers or is told by the event. No byte below a space is in an answer
// as it is, as JSON is written; they stand for other texts.
const (
	ofRef    = 0x1e // the event's hold or reservation
	ofFlight = 0x1f // the event's flight
	verbatim = 0x00 // at the beginning: what follows is not abbreviated
)

// syntax is what answers have in common, in the order in which it comes. A byte n is the
// nth text. Records refer to them: only add at the end.
func syntax() [15]string {
	return [...]string{
		`{"hold_id":"`, `{"reservation_id":"`, `","flight_id":"`, `","customer_id":"`, `","token":"`, `","seats":["`,
		`"],"status":"HELD","expires_at":"`, `"],"status":"`, `","expires_at":"`, `","created_at":"`, `","server_time":"`,
		`","extensions":0`, `","extensions":`, `","hold_id":"`, `","reservation_id":"`,
	}
}

// packAnswered is packRecord together with the event, but for the version, the last part,
// which the script adds that writes.
func packAnswered(r *idempotency.Record, c store.Change, flight string) string {
	var rooms [2][ordinary]byte
	answer := abbreviate(rooms[0][:0], string(r.Answer), changed(c), flight)
	b := appendDigest(appendNumber(rooms[1][:0], r.CreatedAt), r.Fingerprint)
	return string(appendParts(appendPart(b, answer), c.Event, changed(c), flight))
}

// abbreviate appends an answer.
func abbreviate(to []byte, answer, ref, flight string) []byte {
	if strings.ContainsFunc(answer, func(r rune) bool { return r < ' ' }) {
		return append(append(to, verbatim), answer...)
	}
	rest := answer
	for i, text := range syntax() {
		if before, after, found := strings.Cut(rest, text); found {
			to = append(appendNamed(to, before, ref, flight), byte(i+1))
			rest = after
		}
	}
	return appendNamed(to, rest, ref, flight)
}

// appendNamed appends a text between two of the syntax, as most are: wholly a name.
func appendNamed(to []byte, text, ref, flight string) []byte {
	switch text {
	case "":
		return to
	case ref:
		return append(to, ofRef)
	case flight:
		return append(to, ofFlight)
	}
	return append(to, text...)
}

// expand gives the answer that was abbreviated; ok is false if this code did not do it.
func expand(short, ref, flight string) (answer []byte, ok bool) {
	if len(short) > 0 && short[0] == verbatim {
		return []byte(short[1:]), true
	}
	texts := syntax()
	for _, b := range []byte(short) {
		switch {
		case b >= ' ':
			answer = append(answer, b)
		case b == ofRef:
			answer = append(answer, ref...)
		case b == ofFlight:
			answer = append(answer, flight...)
		case b > 0 && int(b) <= len(texts):
			answer = append(answer, texts[b-1]...)
		default:
			return nil, false
		}
	}
	return answer, true
}
