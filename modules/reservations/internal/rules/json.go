package rules

import (
	"encoding/json"
	"strconv"

	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations"
)

// What a hold needs of JSON is written here rather than by encoding/json, which took a
// quarter of the time between a request and its trip to the store. The bytes are the same:
// stored answers and fingerprints outlive the program that made them.

// usualHold is enough for most answers, in bytes.
const usualHold = 320

// HoldFingerprint is idempotency.Fingerprint("hold", r).
func HoldFingerprint(r reservations.HoldRequest) string {
	var room [384]byte
	return idempotency.Digest("hold", appendRequest(room[:0], r))
}

// appendRequest appends what json.Marshal makes of a request.
func appendRequest(to []byte, r reservations.HoldRequest) []byte {
	to = appendText(append(to, `{"flight_id":`...), r.FlightID)
	to = appendText(append(to, `,"customer_id":`...), r.CustomerID)
	to = appendTexts(append(to, `,"seats":`...), r.Seats)
	if r.TTLSeconds != 0 {
		to = strconv.AppendInt(append(to, `,"ttl_seconds":`...), int64(r.TTLSeconds), 10)
	}
	return append(to, '}')
}

// appendHold appends what json.Marshal makes of a hold, and fails when that does: for a
// year that has not four digits.
func appendHold(to []byte, h *reservations.Hold) ([]byte, error) {
	to = appendText(append(to, `{"hold_id":`...), h.HoldID)
	to = appendText(append(to, `,"flight_id":`...), h.FlightID)
	if h.CustomerID != "" {
		to = appendText(append(to, `,"customer_id":`...), h.CustomerID)
	}
	if h.Token != "" {
		to = appendText(append(to, `,"token":`...), h.Token)
	}
	to = appendTexts(append(to, `,"seats":`...), h.Seats)
	to = appendText(append(to, `,"status":`...), string(h.Status))
	to, err := h.ExpiresAt.AppendText(append(to, `,"expires_at":"`...))
	if err != nil {
		return nil, err
	}
	if to, err = h.ServerTime.AppendText(append(to, `","server_time":"`...)); err != nil {
		return nil, err
	}
	to = strconv.AppendInt(append(to, `","extensions":`...), int64(h.Extensions), 10)
	if h.ReservationID != "" {
		to = appendText(append(to, `,"reservation_id":`...), h.ReservationID)
	}
	return append(to, '}'), nil
}

func appendTexts(to []byte, texts []string) []byte {
	if texts == nil {
		return append(to, "null"...)
	}
	to = append(to, '[')
	for i, t := range texts {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendText(to, t)
	}
	return append(to, ']')
}

// appendText leaves texts with anything to escape to encoding/json.
func appendText(to []byte, text string) []byte {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(text) // a string can always be marshalled
			return append(to, quoted...)
		}
	}
	return append(append(append(to, '"'), text...), '"')
}
