package shadow

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The bounds of one comparison.
const (
	maxFound   = 100 // differences
	maxDepth   = 32
	maxItems   = 256 // of an array that are looked at
	maxKeys    = 64  // of an object that are names; more, and they are data
	maxKey     = 48  // bytes of a name; longer ones are data
	maxUnzip   = 8   // times the body's own size, for one that is compressed
	wildcard   = "*"
	absent     = "(absent)"
	statusPath = "(status)"
	bodyPath   = "(body)"
)

// answer is what is compared of an answer.
type answer struct {
	status int
	header http.Header // selected ones
	body   []byte
}

// difference is a field that two answers do not have in common; old and new are shown to
// people and have no secrets in them.
type difference struct{ path, old, new string }

// selected copies the headers that are compared, and those needed to read the body.
func selected(h http.Header) http.Header {
	out := http.Header{}
	for _, name := range []string{"Content-Type", "Content-Encoding", "Cache-Control", "Etag", "Location"} {
		if v := h[name]; len(v) > 0 {
			out[name] = v[:1:1]
		}
	}
	return out
}

// compare gives the fields in which two answers differ, each once; false when a body
// cannot be read.
func compare(old, later *answer, ignore []string) ([]difference, bool) {
	c := &comparer{ignore: ignore, seen: map[string]bool{}}
	if old.status != later.status {
		c.report(statusPath, strconv.Itoa(old.status), strconv.Itoa(later.status))
		return c.found, true // of the rest everything would differ
	}
	c.headers(old.header, later.header)
	if bytes.Equal(old.body, later.body) && old.header.Get("Content-Encoding") == later.header.Get("Content-Encoding") {
		return c.found, true
	}
	was, err := old.plain()
	if err != nil {
		return nil, false
	}
	is, err := later.plain()
	if err != nil {
		return nil, false
	}
	c.bodies(was, is, isJSON(old.header) && isJSON(later.header))
	return c.found, true
}

type comparer struct {
	ignore []string
	found  []difference
	seen   map[string]bool
}

func (c *comparer) headers(old, later http.Header) {
	for _, name := range []string{"Content-Type", "Cache-Control"} {
		if old.Get(name) == later.Get(name) {
			continue
		}
		if a, b := canonical(old.Get(name)), canonical(later.Get(name)); a != b {
			c.report("header:"+strings.ToLower(name), quote(a), quote(b))
		}
	}
	for _, name := range []string{"Etag", "Location"} { // their values differ for good reasons
		if a, b := presence(old, name), presence(later, name); a != b {
			c.report("header:"+strings.ToLower(name), a, b)
		}
	}
}

func presence(h http.Header, name string) string {
	if len(h[name]) == 0 {
		return absent
	}
	return "(present)"
}

// canonical spells a header's value without regard to case and spaces.
func canonical(v string) string {
	if kind, params, err := mime.ParseMediaType(v); err == nil && strings.Contains(kind, "/") {
		return mime.FormatMediaType(kind, params)
	}
	return strings.ToLower(strings.ReplaceAll(v, " ", ""))
}

func isJSON(h http.Header) bool {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// plain undoes gzip, within a bound; other encodings are not read.
func (a *answer) plain() ([]byte, error) {
	switch e := a.header.Get("Content-Encoding"); strings.ToLower(e) {
	case "", "identity":
		return a.body, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bytes.NewReader(a.body))
		if err != nil {
			return nil, err
		}
		most := int64(len(a.body)) * maxUnzip
		body, err := io.ReadAll(io.LimitReader(z, most+1))
		if err == nil && int64(len(body)) > most {
			err = errTooLarge
		}
		return body, err
	default:
		return nil, fmt.Errorf("the encoding %q is not read", e)
	}
}

func (c *comparer) bodies(old, later []byte, asJSON bool) {
	if bytes.Equal(old, later) {
		return
	}
	if asJSON {
		a, okA := parse(old)
		b, okB := parse(later)
		if okA && okB {
			c.values("$", a, b, 0)
			return
		}
	}
	c.report(bodyPath, digest(old), digest(later))
}

// parse reads one JSON value; numbers keep their spelling.
func parse(body []byte) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, false
	}
	_, err := d.Token()
	return v, errors.Is(err, io.EOF)
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return fmt.Sprintf("(%d bytes, sha256 %x…)", len(body), sum[:6])
}

func (c *comparer) values(path string, old, later any, depth int) {
	if c.ignored(path) || depth > maxDepth || len(c.found) >= maxFound {
		return
	}
	switch a := old.(type) {
	case map[string]any:
		if b, same := later.(map[string]any); same {
			c.objects(path, a, b, depth)
			return
		}
	case []any:
		if b, same := later.([]any); same {
			c.arrays(path, a, b, depth)
			return
		}
	case json.Number:
		if b, same := later.(json.Number); same && sameNumber(string(a), string(b)) {
			return
		}
	default:
		if kindOf(old) == kindOf(later) && old == later {
			return
		}
	}
	c.report(path, show(path, old), show(path, later))
}

func (c *comparer) objects(path string, a, b map[string]any, depth int) {
	many := len(a) > maxKeys || len(b) > maxKeys
	for key, was := range a {
		at := path + "." + name(key, many)
		if is, ok := b[key]; ok {
			c.values(at, was, is, depth+1)
		} else if !c.ignored(at) {
			c.report(at, show(at, was), absent)
		}
	}
	for key, is := range b {
		if _, ok := a[key]; !ok {
			if at := path + "." + name(key, many); !c.ignored(at) {
				c.report(at, absent, show(at, is))
			}
		}
	}
}

func (c *comparer) arrays(path string, a, b []any, depth int) {
	if at := path + ".length()"; len(a) != len(b) && !c.ignored(at) {
		c.report(at, strconv.Itoa(len(a)), strconv.Itoa(len(b)))
	}
	for i := range min(len(a), len(b), maxItems) {
		c.values(path+"[*]", a[i], b[i], depth+1)
	}
}

// sameNumber: 1, 1.0 and 1e0 are one number; long ones are compared as they are spelt.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	if len(a) > 15 || len(b) > 15 || !strings.ContainsAny(a+b, ".eE") {
		return false
	}
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return err1 == nil && err2 == nil && x == y
}

// ignored: the field itself, or anything above it, is to be left out.
func (c *comparer) ignored(path string) bool {
	for _, skip := range c.ignore {
		if rest, ok := strings.CutPrefix(path, skip); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

func (c *comparer) report(path, old, later string) {
	if len(c.found) < maxFound && !c.seen[path] {
		c.seen[path] = true
		c.found = append(c.found, difference{path, old, later})
	}
}
