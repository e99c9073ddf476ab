package flights

import (
	"fmt"
	"strings"

	"banyan/modules/kernel/errs"
)

// ParseDesignator gives the canonical form of a flight designator: carrier, number
// without padding, and the suffix letter if there is one. Lower case, padding and a
// space between carrier and number are accepted: "aa 0025" is AA25. errs: Invalid.
func ParseDesignator(s string) (string, error) {
	wrong := errs.E(errs.Invalid, "a flight designator is a carrier of two characters and 1 to 4 digits, such as AA25, not %s", Quote(s)).
		With("field", "designator")
	if len(s) < 3 || len(s) > 8 {
		return "", wrong
	}
	upper := asciiUpper(s)
	carrier, rest := upper[:2], strings.TrimPrefix(upper[2:], " ")
	digits := strings.TrimRight(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	suffix := rest[len(digits):]
	if !IsCarrier(carrier) || len(digits) < 1 || len(digits) > 4 || len(suffix) > 1 || strings.Trim(digits, "0123456789") != "" {
		return "", wrong
	}
	number := strings.TrimLeft(digits, "0")
	if number == "" {
		return "", wrong // flight 0 does not exist
	}
	return carrier + number + suffix, nil
}

// asciiUpper leaves everything but a–z as it is: a look-alike stays what it is.
func asciiUpper(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

// IsAirport says whether s has the form of an IATA airport code: three capitals.
func IsAirport(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// IsCarrier says whether s has the form of an IATA airline code: two characters, of
// which one may be a digit.
func IsCarrier(s string) bool {
	if len(s) != 2 {
		return false
	}
	letter := func(c byte) bool { return c >= 'A' && c <= 'Z' }
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	return letter(s[0]) && (letter(s[1]) || digit(s[1])) || digit(s[0]) && letter(s[1])
}

// Quote shows a caller's value in an error: what cannot be printed is escaped, and what
// is long is cut.
func Quote(s string) string {
	const most = 40
	if len(s) > most {
		return fmt.Sprintf("%+q…", s[:most])
	}
	return fmt.Sprintf("%+q", s)
}
