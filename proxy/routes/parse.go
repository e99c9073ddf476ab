package routes

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"banyan/modules/kernel/errs"
)

// The bounds of a file.
const (
	maxFile     = 1 << 20
	maxBackends = 256
	maxRoutes   = 20_000
	maxNesting  = 32
)

// Load reads a file. The error is a *Error with every mistake, or one that says why the
// file could not be read; its code is errs.Invalid or errs.Unsafe.
func Load(path string) (*Config, error) {
	body, err := Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, body)
}

// Read gives a file's bytes, at most a mebibyte.
func Read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errs.E(errs.Invalid, "%s cannot be read: %v", path, errors.Unwrap(err)).Because(err)
	}
	defer func() { _ = f.Close() }()
	body, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, errs.E(errs.Invalid, "%s cannot be read: %v", path, err).Because(err)
	}
	if len(body) > maxFile {
		return nil, errs.E(errs.Invalid, "%s is larger than 1 MiB", path)
	}
	return body, nil
}

// Digest of a file's bytes.
func Digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Parse judges the bytes of a file; name is its name in messages.
func Parse(name string, body []byte) (*Config, error) {
	d := &reader{file: name}
	c := &Config{File: name, Digest: Digest(body)}
	if top := d.document(body); top != nil {
		d.config(top, c)
		d.judge(c)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	c.Warnings = d.warnings
	for i := range c.Routes {
		c.Routes[i].Fingerprint = fingerprint(c.Routes[i], c)
	}
	return c, nil
}

// document gives the top of the only document, nil after reporting why there is none.
func (d *reader) document(body []byte) *yaml.Node {
	var doc, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(hideBraces(body)))
	err := dec.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		d.wrong(1, "the file is empty: start it with \"version: 1\", or run without a file for the monolith alone")
		return nil
	case err != nil:
		line, text := yamlError(err)
		d.wrong(line, "this is not YAML: %s", text)
		return nil
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		d.wrong(more.Line, "there is a second document behind ---: keep one")
		return nil
	}
	if !d.plain(&doc, 0) {
		return nil
	}
	return doc.Content[0]
}

// YAML does not allow braces in a plain value inside brackets, but [/v1/flights/{id}] is
// how anyone writes a list of paths. The braces of such a parameter are hidden from the
// parser behind characters of Unicode's private use, and shown again in the values.
const opened, closed = "\ue000", "\ue001"

func hideBraces(body []byte) []byte {
	return regexp.MustCompile(`/\{([A-Za-z0-9_]*)\}`).ReplaceAll(body, []byte("/"+opened+"${1}"+closed))
}

func showBraces(s string) string {
	return strings.NewReplacer(opened, "{", closed, "}").Replace(s)
}

// plain refuses aliases, which could blow a small file up, and deep nesting, and shows
// the braces of parameters again.
func (d *reader) plain(n *yaml.Node, depth int) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.wrong(n.Line, "anchors and aliases are not allowed: write the value out")
		return false
	}
	if depth > maxNesting {
		d.wrong(n.Line, "the file is nested deeper than %d levels", maxNesting)
		return false
	}
	n.Value = showBraces(n.Value)
	ok := true
	for _, child := range n.Content {
		ok = d.plain(child, depth+1) && ok
	}
	return ok
}

// yamlError takes the line out of the parser's message.
func yamlError(err error) (int, string) {
	text := showBraces(strings.TrimPrefix(err.Error(), "yaml: "))
	if m := regexp.MustCompile(`^line (\d+): (.*)`).FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[1])
		return line, m[2]
	}
	return 0, text
}

func (d *reader) config(top *yaml.Node, c *Config) {
	m := d.fields(top, "the file", "version", "backends", "trustedProxies", "routes")
	if m["version"] == nil {
		d.wrong(top.Line, "the version is missing: write \"version: 1\"")
	} else if v, ok := d.text(m["version"], "version"); ok && v != "1" {
		d.wrong(m["version"].Line, "version %s is not known to this binary: write \"version: 1\"", v)
	}
	if n := m["backends"]; n != nil {
		for _, e := range d.entries(n, "backends") {
			c.Backends = append(c.Backends, d.backend(e))
		}
	}
	if len(c.Backends) > maxBackends {
		d.wrong(m["backends"].Line, "there are %d backends; %d is the most", len(c.Backends), maxBackends)
	}
	if _, declared := c.Backend(Monolith); !declared {
		c.Backends = append([]Backend{defaultMonolith()}, c.Backends...)
	}
	if n := m["trustedProxies"]; n != nil {
		d.trusted(n, c)
	}
	items := d.items(m["routes"], "routes")
	if len(items) > maxRoutes {
		d.wrong(m["routes"].Line, "there are %d routes; %d is the most", len(items), maxRoutes)
		return
	}
	for _, item := range items {
		c.Routes = append(c.Routes, d.route(item, c))
	}
}

func (d *reader) backend(e entry) Backend {
	what := "backend " + e.key
	b := Backend{Name: e.key, Line: e.line, Timeout: DefaultTimeout}
	if !isName(e.key, "-") {
		d.wrong(e.line, "the backend's name %q is not allowed: use lower-case letters, digits and -, a letter first", e.key)
	}
	m := d.fields(e.value, what, "kind", "url", "urls", "protocol", "store", "health", "timeout", "outlier", "slowStart", "ca", "serverName")
	if m["kind"] == nil && e.value.Kind == yaml.MappingNode {
		d.wrong(e.line, "%s has no kind: write \"kind: inproc\" or \"kind: http\"", what)
	}
	b.Kind = Kind(d.word(m["kind"], "the kind of "+what, "", string(Inproc), string(HTTP)))
	if n := m["store"]; n != nil {
		b.Store, _ = d.text(n, "the store of "+what)
		if b.Store != "" && !isName(b.Store, "-_.") {
			d.wrong(n.Line, "the store of %s is %q: use lower-case letters, digits, -, _ and .", what, b.Store)
		}
	}
	b.Timeout = d.duration(m["timeout"], "the timeout of "+what, DefaultTimeout, time.Millisecond, 10*time.Minute)
	b.Protocol = d.word(m["protocol"], "the protocol of "+what, "", H2C)
	d.instances(m, what, &b)
	if n := m["health"]; n != nil {
		b.Health = d.health(n, what)
	}
	d.balanced(m, what, &b)
	d.secured(m, what, &b)
	if b.Kind == Inproc {
		for _, key := range []string{"url", "urls", "protocol", "health", "timeout", "outlier", "slowStart", "ca", "serverName"} {
			if n := m[key]; n != nil {
				d.wrong(n.Line, "%s is in this process and needs no %s: remove it", what, key)
			}
		}
	}
	return b
}

func (d *reader) health(n *yaml.Node, what string) Health {
	m := d.fields(n, "the health check of "+what, "path", "interval")
	h := Health{Path: "/health", Interval: 2 * time.Second}
	if s, ok := d.text(m["path"], "the health path of "+what); ok {
		h.Path = s
		if _, err := url.ParseRequestURI(s); err != nil || !strings.HasPrefix(s, "/") {
			d.wrong(m["path"].Line, "the health path of %s is %q: it must start with /", what, s)
		}
	}
	h.Interval = d.duration(m["interval"], "the health interval of "+what, h.Interval, 50*time.Millisecond, 10*time.Minute)
	return h
}

// judge checks what only the whole file shows.
func (d *reader) judge(c *Config) {
	seen := map[string]int{}
	shapes := map[string][]*Route{}
	for i := range c.Routes {
		r := &c.Routes[i]
		if first := seen[r.ID]; first != 0 && r.ID != "" {
			d.wrong(r.Line, "the route id %s comes twice, first in line %d: rename one", r.ID, first)
		}
		seen[r.ID] = r.Line
		d.overlaps(r, shapes)
	}
}

func (d *reader) overlaps(r *Route, shapes map[string][]*Route) {
	for _, path := range r.Paths {
		segments, err := ParsePattern(path)
		if err != nil {
			continue // reported where it was read
		}
		key := shape(segments)
		for _, other := range shapes[key] {
			if !sameRank(r.Methods, other.Methods) {
				continue
			}
			if other == r {
				d.wrong(r.Line, "route %s has the path %s twice, parameters' names aside: remove one", r.ID, path)
				continue
			}
			d.wrong(r.Line, "the path %s of route %s overlaps with route %s (line %d) at equal rank: no request could tell them apart; remove it from one, or give them different methods", path, r.ID, other.ID, other.Line)
		}
		shapes[key] = append(shapes[key], r)
	}
}

// sameRank: both take any method, or both name one in common.
func sameRank(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	for _, m := range a {
		if contains(b, m) {
			return true
		}
	}
	return false
}

// Explain gives an error's lines for a log or a terminal.
func Explain(err error) []string {
	var e *Error
	if !errors.As(err, &e) {
		return []string{fmt.Sprint(err)}
	}
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return lines
}
