package routes

import (
	"fmt"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"banyan/modules/kernel/errs"
)

// Problem is one mistake of a file.
type Problem struct {
	File string
	Line int // 0: the file as a whole
	Text string
	Code errs.Code // Invalid, or Unsafe for a shift that would lose data
}

// String is the line that a person sees.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Error is everything that is wrong with a file, in the order of its lines.
type Error struct{ Problems []Problem }

// Error gives one line per problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the code: Unsafe when nothing but unsafe shifts is wrong.
func (e *Error) Unwrap() error {
	code := errs.Unsafe
	for _, p := range e.Problems {
		if p.Code != errs.Unsafe {
			code = errs.Invalid
		}
	}
	return errs.E(code, "%s", e.Error())
}

// reader walks YAML nodes and collects what is wrong with them.
type reader struct {
	file     string
	problems []Problem
	warnings []string
}

func (d *reader) wrong(line int, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, line, fmt.Sprintf(format, args...), errs.Invalid})
}

func (d *reader) warn(line int, format string, args ...any) {
	d.warnings = append(d.warnings, Problem{File: d.file, Line: line, Text: fmt.Sprintf(format, args...)}.String())
}

func (d *reader) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	sort.SliceStable(d.problems, func(a, b int) bool { return d.problems[a].Line < d.problems[b].Line })
	return &Error{d.problems}
}

// entry is a key of a mapping with its value.
type entry struct {
	key   string
	line  int
	value *yaml.Node
}

// entries gives a mapping's entries in the file's order; what names it in messages.
func (d *reader) entries(n *yaml.Node, what string) []entry {
	if n.Kind != yaml.MappingNode {
		d.wrong(n.Line, "%s must be a mapping of keys to values, not %s", what, kindName(n))
		return nil
	}
	var list []entry
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode {
			d.wrong(k.Line, "%s has a key that is %s: write a name", what, kindName(k))
			continue
		}
		if first := seen[k.Value]; first != 0 {
			d.wrong(k.Line, "%s has %q twice, first in line %d: remove one", what, k.Value, first)
			continue
		}
		seen[k.Value] = k.Line
		list = append(list, entry{k.Value, k.Line, n.Content[i+1]})
	}
	return list
}

// fields is entries for a mapping whose keys are known; others are refused.
func (d *reader) fields(n *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	m := map[string]*yaml.Node{}
	for _, e := range d.entries(n, what) {
		if contains(known, e.key) {
			m[e.key] = e.value
			continue
		}
		remedy := "it may have " + list(known)
		if near := nearest(e.key, known); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		d.wrong(e.line, "%s has no key %q: %s", what, e.key, remedy)
	}
	return m
}

// items gives a list's values; a single value is not taken for a list.
func (d *reader) items(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		d.wrong(n.Line, "%s must be a list in [brackets], not %s", what, kindName(n))
		return nil
	}
	return n.Content
}

// text gives a scalar's text; ok is false when it is absent or no scalar.
func (d *reader) text(n *yaml.Node, what string) (string, bool) {
	if n == nil {
		return "", false
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.wrong(n.Line, "%s must be a single value, not %s", what, kindName(n))
		return "", false
	}
	return n.Value, true
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias (write the value out)"
	case yaml.ScalarNode:
		if n.Tag != "!!null" {
			return fmt.Sprintf("%q", n.Value)
		}
	case yaml.DocumentNode: // never inside one
	}
	return "empty"
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// list writes a, b and c.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// nearest gives the known word within an edit distance of a third of its length, "" if none.
func nearest(word string, known []string) string {
	best, at := "", 1+max(len(word), 3)/3
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < at {
			best, at = k, d
		}
	}
	return best
}

// distance is Levenshtein's; words longer than 64 are far from everything.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
