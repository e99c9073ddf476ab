package rest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"banyan/modules/kernel/errs"
)

// maxParameter bounds a parameter's value, in bytes.
const maxParameter = 512

// Query is a request's parameters: every one known, none twice, none with control
// characters.
type Query map[string]string

// ReadQuery reads the parameters of a request that may have those named. errs:
// UnknownField and Invalid, with "field" naming the parameter.
func ReadQuery(r *http.Request, names ...string) (Query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errs.E(errs.Invalid, "the query string is malformed: write name=value pairs, percent-encoded, joined by &").Because(err)
	}
	q := make(Query, len(values))
	for _, name := range sortedKeys(values) {
		if !slices.Contains(names, name) {
			return nil, unknown(name, names)
		}
		if len(values[name]) > 1 {
			return nil, wrong(name, "comes %d times; send it once", len(values[name]))
		}
		value := values[name][0]
		if err := plain(name, value); err != nil {
			return nil, err
		}
		q[name] = value
	}
	return q, nil
}

// NoQuery is ReadQuery for requests that have no parameters.
func NoQuery(r *http.Request) error {
	_, err := ReadQuery(r)
	return err
}

// Has tells whether the parameter was sent, even if empty.
func (q Query) Has(name string) bool { _, ok := q[name]; return ok }

// Need gives a parameter that must be there. errs: Invalid.
func (q Query) Need(name string) (string, error) {
	if q[name] == "" {
		return "", wrong(name, "is missing")
	}
	return q[name], nil
}

// Int gives a whole number from lowest to highest, or absent when it was not sent.
// errs: Invalid.
func (q Query) Int(name string, lowest, highest, absent int) (int, error) {
	if !q.Has(name) {
		return absent, nil
	}
	n, err := strconv.Atoi(q[name])
	if err != nil || n < lowest || n > highest || strconv.Itoa(n) != q[name] {
		return 0, wrong(name, "must be a whole number from %d to %d", lowest, highest)
	}
	return n, nil
}

// Bool gives true or false; false when it was not sent. errs: Invalid.
func (q Query) Bool(name string) (bool, error) {
	switch value, sent := q[name]; {
	case !sent, value == "false":
		return false, nil
	case value == "true":
		return true, nil
	}
	return false, wrong(name, "must be true or false")
}

// List gives the parts of a value separated by commas; nil when it was not sent.
func (q Query) List(name string) []string {
	if q[name] == "" {
		return nil
	}
	return strings.Split(q[name], ",")
}

func sortedKeys(values url.Values) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func unknown(name string, names []string) error {
	const shown = 40 // enough of a name to recognise it
	if len(name) > shown {
		name = strings.ToValidUTF8(name[:shown], "") + "…"
	}
	if len(names) == 0 {
		return errs.E(errs.UnknownField, "there is no parameter %q; this request has none", name).With("field", name)
	}
	return errs.E(errs.UnknownField, "there is no parameter %q; there are %s", name, strings.Join(names, ", ")).With("field", name)
}

func plain(name, value string) error {
	if len(value) > maxParameter {
		return wrong(name, "is longer than %d bytes", maxParameter)
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return wrong(name, "contains a control character or is not UTF-8")
	}
	return nil
}

func wrong(name, format string, args ...any) error {
	return errs.E(errs.Invalid, "the parameter "+name+" "+format, args...).With("field", name)
}
