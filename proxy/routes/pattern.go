package routes

import (
	"fmt"
	"strings"
)

// Segment is one part of a path pattern.
type Segment struct {
	Literal string // "" for a parameter or the tail
	Param   string // name without braces
	Tail    bool   // **: any number of further segments, none included
}

// maxSegments bounds a pattern.
const maxSegments = 16

// ParsePattern splits a path such as /v1/holds/{hold_id}/** into its segments.
func ParsePattern(path string) ([]Segment, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("the path %q must start with /", path)
	}
	parts := strings.Split(path[1:], "/")
	if len(parts) > maxSegments {
		return nil, fmt.Errorf("the path %q has more than %d segments", path, maxSegments)
	}
	segments := make([]Segment, 0, len(parts))
	seen := map[string]bool{}
	for i, part := range parts {
		last := i == len(parts)-1
		s, err := parseSegment(part, last)
		if err != nil {
			return nil, fmt.Errorf("the path %q: %w", path, err)
		}
		if s.Param != "" && seen[s.Param] {
			return nil, fmt.Errorf("the path %q names {%s} twice", path, s.Param)
		}
		seen[s.Param] = true
		segments = append(segments, s)
	}
	return segments, nil
}

func parseSegment(part string, last bool) (Segment, error) {
	switch {
	case part == "**" && last:
		return Segment{Tail: true}, nil
	case part == "**":
		return Segment{}, fmt.Errorf("** may only be the last segment")
	case part == "" && !last:
		return Segment{}, fmt.Errorf("a segment is empty: write one / between segments")
	case part == "." || part == "..":
		return Segment{}, fmt.Errorf("clients resolve . and .. before they send a path: write the path that is left")
	case strings.HasPrefix(part, "{") && strings.HasSuffix(part, "}"):
		name := part[1 : len(part)-1]
		if !isName(name, "_") {
			return Segment{}, fmt.Errorf("%s is not a parameter: write {name} with lower-case letters, digits and _", part)
		}
		return Segment{Param: name}, nil
	case strings.ContainsAny(part, "{}*?#% \t"):
		return Segment{}, fmt.Errorf("the segment %q is neither plain text nor a {param}; * is only allowed as a last segment /**", part)
	}
	return Segment{Literal: part}, nil
}

// shape is the pattern without its parameters' names: two routes of one shape are of
// equal rank.
func shape(segments []Segment) string {
	var b strings.Builder
	for _, s := range segments {
		switch {
		case s.Tail:
			b.WriteString("/**")
		case s.Param != "":
			b.WriteString("/{}")
		default:
			b.WriteString("/" + s.Literal)
		}
	}
	return b.String()
}

// isName accepts 1 to 64 lower-case letters, digits and the extra characters, a letter first.
func isName(s, extra string) bool {
	if s == "" || len(s) > 64 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune(extra, rune(c)) {
			return false
		}
	}
	return true
}
