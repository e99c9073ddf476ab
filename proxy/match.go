package proxy

import (
	"net/http"
	"strings"

	"banyan/proxy/canary"
	"banyan/proxy/routes"
)

// node is a place in the tree of path segments. Plain text ranks before a parameter, a
// parameter before /**, from left to right; on one path a route that names the method
// ranks before one that takes any.
type node struct {
	literals map[string]*node
	param    *node
	here     targets // patterns that end here
	tail     targets // patterns that go on with /**
}

// target is one pattern of a route.
type target struct {
	route     *route
	pattern   string
	segments  []int // by index in route.HashOn: the segment of a path key, or -1
	aggregate []int // likewise, of a stateful route's aggregate
}

// targets are the routes of one pattern by method.
type targets struct {
	byMethod []methodTarget
	any      *target
}

type methodTarget struct {
	method string
	target *target
}

// find gives the best ranked pattern that matches, nil if none does.
func (n *node) find(method, rest string) *target {
	if rest == "" {
		if t := n.here.of(method); t != nil {
			return t
		}
		return n.tail.of(method)
	}
	if rest[0] != '/' {
		return nil
	}
	segment, next := rest[1:], ""
	if i := strings.IndexByte(segment, '/'); i >= 0 {
		segment, next = segment[:i], segment[i:]
	}
	if child := n.literals[segment]; child != nil {
		if t := child.find(method, next); t != nil {
			return t
		}
	}
	if n.param != nil && segment != "" {
		if t := n.param.find(method, next); t != nil {
			return t
		}
	}
	return n.tail.of(method)
}

func (t *targets) of(method string) *target {
	for i := range t.byMethod {
		if t.byMethod[i].method == method {
			return t.byMethod[i].target
		}
	}
	if method == http.MethodHead {
		for i := range t.byMethod { // HEAD is GET without the body
			if t.byMethod[i].method == http.MethodGet {
				return t.byMethod[i].target
			}
		}
	}
	return t.any
}

// add puts a route's patterns into the tree.
func (n *node) add(r *route) error {
	for _, path := range r.Paths {
		segments, err := routes.ParsePattern(path)
		if err != nil {
			return err
		}
		t := &target{route: r, pattern: path, segments: keySegments(r.HashOn, segments)}
		if r.Stateful != nil {
			t.aggregate = keySegments(r.Stateful.Aggregate, segments)
		}
		n.put(segments, t, r.Methods)
	}
	return nil
}

func (n *node) put(segments []routes.Segment, t *target, methods []string) {
	at := n
	for _, s := range segments {
		if s.Tail {
			at.tail.put(t, methods)
			return
		}
		at = at.child(s)
	}
	at.here.put(t, methods)
}

func (n *node) child(s routes.Segment) *node {
	if s.Param != "" {
		if n.param == nil {
			n.param = &node{}
		}
		return n.param
	}
	if n.literals == nil {
		n.literals = map[string]*node{}
	}
	if n.literals[s.Literal] == nil {
		n.literals[s.Literal] = &node{}
	}
	return n.literals[s.Literal]
}

func (t *targets) put(to *target, methods []string) {
	if len(methods) == 0 {
		t.any = to
	}
	for _, m := range methods {
		t.byMethod = append(t.byMethod, methodTarget{m, to})
	}
}

// keySegments finds where a pattern has the parameters that the route hashes on.
func keySegments(keys []routes.Key, segments []routes.Segment) []int {
	at := make([]int, len(keys))
	for i, k := range keys {
		at[i] = -1
		for j, s := range segments {
			if (k.From == routes.FromPath || k.From == routes.FromID) && s.Param == k.Name {
				at[i] = j
			}
		}
	}
	return at
}

// position hashes the first key that the request has.
func (t *target) position(r *http.Request) int {
	for i := range t.route.HashOn {
		if v := t.value(i, r); v != "" {
			return canary.Position(t.route.seed, v)
		}
	}
	return canary.Position(t.route.seed, "")
}

func (t *target) value(i int, r *http.Request) string {
	key := &t.route.HashOn[i]
	switch key.From {
	case routes.FromHeader:
		if values := r.Header[key.Name]; len(values) > 0 {
			return values[0]
		}
	case routes.FromPath:
		return segment(r.URL.Path, t.segments[i])
	case routes.FromQuery:
		return queryValue(r.URL.RawQuery, key.Name)
	case routes.FromClientIP:
		return clientIP(r.RemoteAddr)
	case routes.FromJSON, routes.FromID: // of stateful routes only
	}
	return ""
}

// segment gives a path's i-th segment, "" if there is none.
func segment(path string, i int) string {
	if i < 0 {
		return ""
	}
	for ; path != ""; i-- {
		path = path[1:]
		end := strings.IndexByte(path, '/')
		if end < 0 {
			end = len(path)
		}
		if i == 0 {
			return path[:end]
		}
		path = path[end:]
	}
	return ""
}

// queryValue gives a parameter's value as it was sent, percent signs included: for a
// hash the spelling is as good as the meaning, and costs no allocation.
func queryValue(query, name string) string {
	for query != "" {
		pair := query
		if i := strings.IndexByte(query, '&'); i >= 0 {
			pair, query = query[:i], query[i+1:]
		} else {
			query = ""
		}
		if len(pair) > len(name) && pair[len(name)] == '=' && pair[:len(name)] == name {
			return pair[len(name)+1:]
		}
	}
	return ""
}

// clientIP is the address without the port.
func clientIP(remote string) string {
	if i := strings.LastIndexByte(remote, ':'); i >= 0 {
		return remote[:i]
	}
	return remote
}
