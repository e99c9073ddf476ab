package usage

import "strings"

// maxWord bounds a segment that is kept as a word, in bytes.
const maxWord = 32

// isWord tells whether a segment of a path reads as a name that a programmer gave, and
// not as an id: a number, UUID, hex, date, code, address or encoded text.
func isWord(s string) bool {
	if len(s) > maxWord || version(s) {
		return version(s)
	}
	letters, digits, changes, upper := 0, 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
			letters++
		case c >= 'A' && c <= 'Z':
			letters++
			upper++
		case c >= '0' && c <= '9':
			digits++
			if i > 0 && (s[i-1] < '0' || s[i-1] > '9') {
				changes++
			}
		case c == '-' || c == '_' || c == '.' || c == ':' || c == '~':
		default:
			return false
		}
	}
	switch {
	case letters == 0, digits > 2, changes > 1, s[0] >= '0' && s[0] <= '9':
		return false
	case digits == 0 && upper == letters: // JFK, EUR: codes
		return false
	case digits > 0 && len(s) >= 8 && strings.Trim(s, "0123456789abcdefABCDEF") == "": // hex
		return false
	case len(s) > 12 && upper > 1 && mixed(s):
		return false
	}
	return true
}

// version: v1, v2.1, V3.
func version(s string) bool {
	rest := strings.TrimLeft(s, "vV")
	return len(s)-len(rest) == 1 && rest != "" && len(rest) <= 4 && strings.Trim(rest, "0123456789.") == "" && rest[0] != '.'
}

// mixed texts change their case as names do not: small after capital after small is a
// camel, two capitals on either side of a small one is an encoding.
func mixed(s string) bool {
	n := 0
	for i := 2; i < len(s); i++ {
		if capital(s[i-2]) && !capital(s[i-1]) && capital(s[i]) {
			n++
		}
	}
	return n > 0
}

func capital(c byte) bool { return c >= 'A' && c <= 'Z' }
