package shadow

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// masked stands for a value that nobody should read.
const masked = "(masked)"

// maxShown bounds a sample's text, in characters.
const maxShown = 60

// name spells an object's key as part of a path. Keys that are data, such as seats or
// addresses, become a wildcard: of these there would be no end, and they may be secrets.
func name(key string, many bool) string {
	if many || key == "" || len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool {
		return c != '_' && c != '-' && c != '$' && !unicode.IsLetter(c) && !unicode.IsDigit(c)
	}) || digits(key) > len(key)/3 {
		return wildcard
	}
	return key
}

func digits(s string) int {
	n := 0
	for _, c := range s {
		if unicode.IsDigit(c) {
			n++
		}
	}
	return n
}

// show spells a value for people.
func show(path string, v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return fmt.Sprintf("(an object of %d)", len(v))
	case []any:
		return fmt.Sprintf("(an array of %d)", len(v))
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		if secretName(path) || digits(string(v)) >= 12 {
			return masked
		}
		return short(string(v))
	case string:
		if secretName(path) || secretValue(v) {
			return masked
		}
		return quote(v)
	}
	return "(unknown)"
}

func kindOf(v any) string { return fmt.Sprintf("%T", v) }

func quote(s string) string {
	if s == "" {
		return `""`
	}
	return strconv.Quote(short(s))
}

func short(s string) string {
	runes := 0
	for i := range s {
		if runes++; runes > maxShown {
			return s[:i] + "…"
		}
	}
	return s
}

// secretName tells whether a name on the path says that what is below it is secret or
// personal. Too much masked is better than too little.
func secretName(path string) bool {
	for _, word := range strings.FieldsFunc(spaced(path), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }) {
		switch word {
		case "auth", "pan", "cvv", "cvc", "pin", "otp", "ssn", "bic", "key", "mail", "pwd", "sid", "csrf", "xsrf",
			"dob", "jwt", "tel", "hash", "salt", "address", "street", "tax", "nonce":
			return true
		}
	}
	flat := strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(path))
	for _, part := range []string{
		"token", "password", "passwd", "passphrase", "passcode", "secret", "authorization", "cookie", "session", "credential",
		"card", "iban", "email", "passport", "phone", "mobile", "signature", "apikey", "bearer", "account", "birth", "firstname",
		"lastname", "surname", "fullname", "customer", "passenger", "bookingref", "recordlocator",
	} {
		if strings.Contains(flat, part) {
			return true
		}
	}
	return false
}

// spaced puts a space before the capitals of camelCase, and lowers them.
func spaced(path string) string {
	var b strings.Builder
	for i, c := range path {
		if unicode.IsUpper(c) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// secretValue tells whether a text looks like an address, a card, a token, or like
// something that may carry one.
func secretValue(s string) bool {
	switch {
	case strings.Contains(s, "@"), strings.HasPrefix(s, "eyJ"),
		strings.ContainsAny(s, "?&") && strings.Contains(s, "="), // a query string
		strings.ContainsAny(s, "{<") && len(s) > 2:               // a document inside a text
		return true
	case regexp.MustCompile(`^[A-Z]{2}\d{2}[A-Z0-9 ]{11,40}$`).MatchString(s): // an IBAN
		return true
	case regexp.MustCompile(`^(\d[ -]?){13,19}$`).MatchString(s): // a card
		return true
	}
	return opaque(s)
}

// opaque texts are long, without spaces, and mixed of letters and digits: tokens, keys.
func opaque(s string) bool {
	if len(s) < 20 || strings.ContainsAny(s, " :/") {
		return false
	}
	n := digits(s)
	return n >= 3 && n < len(s)-2
}
