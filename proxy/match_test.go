package proxy

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"banyan/proxy/routes"
)

// pattern is what the naive reference knows of a target.
type pattern struct {
	segments []routes.Segment
	method   string // "" for any
	target   *target
}

// rank gives how good a match is, part by part, the lower the better: plain text, a
// parameter, the tail, and at last the method. Nil is no match.
func (p *pattern) rank(method, path string) []int {
	if path != "" && path[0] != '/' {
		return nil
	}
	parts := strings.Split(path, "/")[1:]
	if path == "" {
		parts = nil
	}
	var rank []int
	for i, s := range p.segments {
		switch {
		case s.Tail:
			return p.withMethod(append(rank, 2), method)
		case i >= len(parts), s.Param != "" && parts[i] == "", s.Param == "" && parts[i] != s.Literal:
			return nil
		case s.Param != "":
			rank = append(rank, 1)
		default:
			rank = append(rank, 0)
		}
	}
	if len(parts) > len(p.segments) {
		return nil
	}
	return p.withMethod(append(rank, -1), method) // ending here is better than a tail of nothing
}

func (p *pattern) withMethod(rank []int, method string) []int {
	switch {
	case p.method == method:
		return append(rank, 0)
	case method == http.MethodHead && p.method == http.MethodGet:
		return append(rank, 1)
	case p.method == "":
		return append(rank, 2)
	}
	return nil
}

// naive tries every pattern.
func naive(list []pattern, method, path string) *target {
	var best []int
	var found *target
	for i := range list {
		if rank := list[i].rank(method, path); rank != nil && (best == nil || slices.Compare(rank, best) < 0) {
			best, found = rank, list[i].target
		}
	}
	return found
}

// planted reads patterns, "GET /a/{b}" or "/a/**" a line, into a tree and a list; those
// that a file may not have are left out.
func planted(text string) (*node, []pattern) {
	const most = 64
	root, seen := &node{}, map[string]bool{}
	var list []pattern
	for line := range strings.Lines(text) {
		method, path, named := strings.Cut(strings.TrimSpace(line), " ")
		if !named {
			method, path = "", method
		}
		segments, err := routes.ParsePattern(path)
		key := method + " "
		for _, s := range segments {
			if s.Param != "" {
				s.Literal = "{}"
			} else if s.Tail {
				s.Literal = "**"
			}
			key += "/" + s.Literal
		}
		if err != nil || seen[key] || len(list) == most {
			continue
		}
		seen[key] = true
		p := pattern{segments: segments, method: method, target: &target{pattern: line}}
		list = append(list, p)
		var methods []string
		if method != "" {
			methods = []string{method}
		}
		root.put(segments, p.target, methods)
	}
	return root, list
}

// FuzzMatch compares the tree with trying every pattern.
func FuzzMatch(f *testing.F) {
	const patterns = "/\n/**\n/a\nGET /a\n/{x}\n/a/b\n/a/{x}\nGET /a/{x}\n/a/{x}/c\n/a/**\nPOST /a/b/**\n/{x}/b\n/{x}/{y}/**\n/a/\n"
	for _, path := range []string{"", "/", "/a", "/a/", "/a/b", "/a/b/c", "/b/b", "/b/x/c/d", "//", "/a//c", "a", "*"} {
		for _, method := range []string{"GET", "HEAD", "POST", "BREW"} {
			f.Add(patterns, method, path)
		}
	}
	f.Add("GET /{a}/b\n/x/**\nPUT /x/b", "GET", "/x/b")
	f.Fuzz(func(t *testing.T, patterns, method, path string) {
		root, list := planted(patterns)
		got, want := root.find(method, path), naive(list, method, path)
		if got != want {
			t.Errorf("%s %q: the tree gives %+v, trying all gives %+v of\n%s", method, path, got, want, patterns)
		}
	})
}
