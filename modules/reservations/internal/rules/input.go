package rules

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
)

// Bounds of what callers may send, in bytes.
const (
	maxFlightID = 32
	maxCustomer = 64
	maxReason   = 200
	maxKey      = 128
)

// CheckSeat tells what is wrong with a seat's form; whether a flight has the seat is
// another question.
func CheckSeat(seat string) error {
	if !isSeat(seat) {
		return errs.E(errs.Invalid, "%s is not a seat; write row and column, such as 12C", quote(seat))
	}
	return nil
}

// isSeat wants a row, 1 to 999 without padding, and a column that is no I and no O.
func isSeat(seat string) bool {
	last := len(seat) - 1
	if last < 1 || last > 3 || seat[0] == '0' {
		return false
	}
	for _, c := range []byte(seat[:last]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	column := seat[last]
	return column >= 'A' && column <= 'Z' && column != 'I' && column != 'O'
}

// CheckSeats wants 1 to 9 seats, each once.
func CheckSeats(seats []string) error {
	if n := len(seats); n == 0 || n > reservations.MaxSeats {
		return errs.E(errs.Invalid, "name 1 to %d seats, not %d", reservations.MaxSeats, n)
	}
	for i, s := range seats {
		if err := CheckSeat(s); err != nil {
			return err
		}
		for _, before := range seats[:i] {
			if s == before {
				return errs.E(errs.Invalid, "seat %s is named twice", s)
			}
		}
	}
	return nil
}

// CheckCustomer wants 1 to 64 visible ASCII characters.
func CheckCustomer(id string) error {
	if !visible(id, maxCustomer) {
		return errs.E(errs.Invalid, "customer_id must have 1 to %d visible ASCII characters", maxCustomer)
	}
	return nil
}

// CheckFlightID keeps what cannot be a flight from the store. A store may keep something
// else beside the flights under names that begin with "#".
func CheckFlightID(id string) error {
	if !visible(id, maxFlightID) || id[0] == '#' {
		return FlightUnknown(id)
	}
	return nil
}

// CheckKey wants an idempotency key, or allows none.
func CheckKey(key string, required bool) error {
	if key == "" {
		if required {
			return errs.E(errs.KeyRequired, "send an Idempotency-Key: a new random value for a new request, the same one for a retry")
		}
		return nil
	}
	if !visible(key, maxKey) {
		return errs.E(errs.Invalid, "an Idempotency-Key has 1 to %d visible ASCII characters", maxKey)
	}
	return nil
}

// CheckRelated wants the id of a reservation, or allows none.
func CheckRelated(reservationID string) error {
	if reservationID == "" {
		return nil
	}
	if _, err := bucket.Parse(bucket.ReservationPrefix, reservationID); err != nil {
		return errs.E(errs.Invalid, "related is not the id of a reservation").With("field", "related").Because(err)
	}
	return nil
}

// CheckToken wants a token; whether it is the right one is another question.
func CheckToken(token string) error {
	if token == "" {
		return errs.E(errs.TokenRequired, "send the hold's token in X-Hold-Token")
	}
	return nil
}

// CheckReason wants a short printable text.
func CheckReason(reason string) error {
	if strings.TrimSpace(reason) == "" || len(reason) > maxReason || !utf8.ValidString(reason) {
		return errs.E(errs.Invalid, "reason must be a text of 1 to %d bytes", maxReason)
	}
	for _, r := range reason {
		if !unicode.IsPrint(r) {
			return errs.E(errs.Invalid, "reason must be printable")
		}
	}
	return nil
}

// TTL turns the seconds asked for into a duration; 0 stands for the default.
func (p Policy) TTL(seconds int) (time.Duration, error) {
	if seconds == 0 {
		return reservations.DefaultTTL, nil
	}
	least, most := int((p.MinTTL+time.Second-1)/time.Second), int(reservations.MaxTTL/time.Second)
	if seconds < least || seconds > most {
		return 0, errs.E(errs.Invalid, "ttl_seconds must be %d to %d, not %d", least, most, seconds)
	}
	return time.Duration(seconds) * time.Second, nil
}

func visible(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// FlightUnknown refuses a flight that flights' events never named.
func FlightUnknown(id string) error {
	return errs.E(errs.FlightUnknown, "there is no flight %s", quote(id))
}

// HoldUnknown refuses an id that is not a hold's.
func HoldUnknown(id string) error {
	return errs.E(errs.HoldUnknown, "there is no hold %s; it may have ended more than a day ago", quote(id))
}

// ReservationUnknown refuses an id that is not a reservation's.
func ReservationUnknown(id string) error {
	return errs.E(errs.ReservationUnknown, "there is no reservation %s", quote(id))
}

// quote shows what a caller sent, escaped and cut short.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		s = s[:most] + "…"
	}
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '·'
		}
		b.WriteRune(r)
	}
	return `"` + b.String() + `"`
}

func list(seats []string) string { return strings.Join(seats, ", ") }
