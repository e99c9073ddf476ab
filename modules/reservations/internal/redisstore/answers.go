package redisstore

import (
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
	var room [2 * ordinary]byte
	return string(appendAnswered(room[:0], r, c, flight))
}

func appendAnswered(to []byte, r *idempotency.Record, c store.Change, flight string) []byte {
	var room [ordinary]byte
	answer := abbreviate(room[:0], r.Answer, changed(c), flight)
	to = appendDigest(appendNumber(to, r.CreatedAt), r.Fingerprint)
	return appendParts(appendPart(to, answer), c.Event, changed(c), flight)
}

// abbreviate appends an answer.
func abbreviate(to, answer []byte, ref, flight string) []byte {
	texts, before, from, known := syntax(), len(to), 0, 0
	for at := 0; at < len(answer); at++ {
		switch answer[at] {
		case '"', '{': // as the texts of the syntax begin
			if n := begins(answer[at:], texts[known:]); n > 0 {
				known += n
				to = append(appendNamed(to, answer[from:at], ref, flight), byte(known))
				from = at + len(texts[known-1])
				at = from - 1
			}
		default:
			if answer[at] < ' ' {
				return append(append(to[:before], verbatim), answer...)
			}
		}
	}
	return appendNamed(to, answer[from:], ref, flight)
}

// begins tells with which of the texts an answer goes on, from 1; 0: with none.
func begins(answer []byte, texts []string) int {
	for i, text := range texts {
		if len(answer) >= len(text) && string(answer[:len(text)]) == text {
			return i + 1
		}
	}
	return 0
}

// appendNamed appends a text between two of the syntax, as most are: wholly a name.
func appendNamed(to, text []byte, ref, flight string) []byte {
	switch string(text) {
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
