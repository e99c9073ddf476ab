package routes

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"banyan/proxy/canary"
)

// The readers of single values: each leaves what it was given as default when the node
// is absent, and reports what is wrong with it otherwise.

func (d *reader) word(n *yaml.Node, what, fallback string, allowed ...string) string {
	s, ok := d.text(n, what)
	if !ok {
		return fallback
	}
	if !contains(allowed, s) {
		d.wrong(n.Line, "%s is %q: it may be %s", what, s, list(allowed))
		return fallback
	}
	return s
}

func (d *reader) duration(n *yaml.Node, what string, fallback, least, most time.Duration) time.Duration {
	s, ok := d.text(n, what)
	if !ok {
		return fallback
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		d.wrong(n.Line, "%s is %q: write a duration with its unit, such as 500ms, 2s or 1h", what, s)
		return fallback
	}
	if v < least || v > most {
		d.wrong(n.Line, "%s is %s: it may be %s to %s", what, s, least, most)
		return fallback
	}
	return v
}

func (d *reader) number(n *yaml.Node, what string, fallback, least, most int) int {
	s, ok := d.text(n, what)
	if !ok {
		return fallback
	}
	v, err := strconv.Atoi(s)
	if err != nil || v < least || v > most {
		d.wrong(n.Line, "%s is %q: write a whole number from %d to %d", what, s, least, most)
		return fallback
	}
	return v
}

func (d *reader) weight(n *yaml.Node, what string) canary.Weight {
	s, ok := d.text(n, what)
	if !ok {
		return canary.None
	}
	w, err := canary.ParseWeight(s)
	if err != nil {
		d.wrong(n.Line, "%s: %v", what, err)
	}
	return w
}

// size reads bytes, such as 64KiB; the units are B, KiB and MiB.
func (d *reader) size(n *yaml.Node, what string, fallback, most int64) int64 {
	s, ok := d.text(n, what)
	if !ok {
		return fallback
	}
	for _, unit := range []struct {
		suffix string
		bytes  int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"B", 1}} {
		number, found := strings.CutSuffix(s, unit.suffix)
		if !found {
			continue
		}
		if v, err := strconv.ParseInt(number, 10, 32); err == nil && v > 0 && v*unit.bytes <= most {
			return v * unit.bytes
		}
	}
	d.wrong(n.Line, "%s is %q: write a size with its unit, such as 64KiB, at most %d MiB", what, s, most>>20)
	return fallback
}

// bound reads a metric's bound: a percentage, as a ratio, or a plain number.
func (d *reader) bound(n *yaml.Node, what string) *float64 {
	s, ok := d.text(n, what)
	if !ok {
		return nil
	}
	if strings.HasSuffix(s, "%") {
		w := d.weight(n, what).Ratio()
		return &w
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0 && v <= 1e9) { // the negation also refuses NaN
		d.wrong(n.Line, "%s is %q: write a percentage or a number that is not negative", what, s)
		return nil
	}
	return &v
}

// key reads header:Name, path:name, query:name, json:name, id:name or client-ip.
func (d *reader) key(n *yaml.Node, what string, sources ...Source) (Key, bool) {
	s, ok := d.text(n, what)
	if !ok {
		return Key{}, false
	}
	from, name, named := strings.Cut(s, ":")
	for _, source := range sources {
		if Source(from) != source {
			continue
		}
		switch {
		case source == FromClientIP && !named:
			return Key{From: source}, true
		case source == FromHeader && isToken(name), source != FromHeader && source != FromClientIP && isName(strings.ToLower(name), "_-."):
			return Key{From: source, Name: name}, true
		}
	}
	forms := make([]string, len(sources))
	for i, source := range sources {
		forms[i] = string(source)
		if source != FromClientIP {
			forms[i] += ":name"
		}
	}
	d.wrong(n.Line, "%s is %q: it may be %s", what, s, list(forms))
	return Key{}, false
}

// isToken accepts a header's name.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 127 || strings.ContainsRune(`()<>@,;:\"/[]?={}`, rune(c)) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
