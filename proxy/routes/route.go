package routes

import (
	"errors"
	"net/http"
	"net/textproto"
	"time"

	"go.yaml.in/yaml/v3"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/proxy/canary"
)

// DefaultID is the id, reserved, of whatever no route matches.
const DefaultID = "default"

func (d *reader) route(n *yaml.Node, c *Config) Route {
	r := Route{Line: n.Line}
	m := d.fields(n, "a route", "id", "match", "backends", "hashOn", "shadow", "stateful", "analysis")
	if n.Kind != yaml.MappingNode {
		return r
	}
	if m["id"] == nil {
		d.wrong(n.Line, "the route has no id: write such as \"id: flights-read\"")
	} else if id, ok := d.text(m["id"], "the id of a route"); ok {
		r.ID = id
		if !isName(id, "-") || id == DefaultID {
			d.wrong(m["id"].Line, "the route id %q is not allowed: use lower-case letters, digits and -, a letter first, and not %q", id, DefaultID)
		}
	}
	what := "route " + r.ID
	before := len(d.problems)
	d.match(m["match"], what, &r)
	d.shares(m["backends"], what, c, &r)
	d.hashOn(m["hashOn"], what, &r)
	d.shadow(m["shadow"], what, &r)
	d.stateful(m["stateful"], what, &r)
	d.analysis(m["analysis"], what, &r)
	d.shadowed(m["shadow"], what, c, &r)
	if len(d.problems) == before {
		d.shift(m["backends"], c, r)
	}
	return r
}

func (d *reader) match(n *yaml.Node, what string, r *Route) {
	if n == nil {
		d.wrong(r.Line, "%s has no match: write such as \"match: { methods: [GET], paths: [/v1/flights] }\"", what)
		return
	}
	m := d.fields(n, "the match of "+what, "methods", "paths")
	for _, item := range d.items(m["methods"], "the methods of "+what) {
		method, ok := d.text(item, "a method of "+what)
		switch {
		case !ok:
		case !contains(methods(), method):
			d.wrong(item.Line, "%s has the method %q: it may be %s", what, method, list(methods()))
		case contains(r.Methods, method):
			d.wrong(item.Line, "%s has the method %s twice: remove one", what, method)
		default:
			r.Methods = append(r.Methods, method)
		}
	}
	if m["methods"] != nil && len(m["methods"].Content) == 0 {
		d.wrong(m["methods"].Line, "the methods of %s are empty: leave the key out for any method", what)
	}
	for _, item := range d.items(m["paths"], "the paths of "+what) {
		path, ok := d.text(item, "a path of "+what)
		if !ok {
			continue
		}
		if _, err := ParsePattern(path); err != nil {
			d.wrong(item.Line, "%s: %v", what, err)
			continue
		}
		r.Paths = append(r.Paths, path)
	}
	if m["paths"] == nil || len(m["paths"].Content) == 0 {
		d.wrong(n.Line, "%s matches no path: write such as \"paths: [/v1/flights]\"", what)
	}
}

func methods() []string {
	return []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
	}
}

// shares reads the weights: the home comes first, whether the file names it or not.
func (d *reader) shares(n *yaml.Node, what string, c *Config, r *Route) {
	r.Shares = []Share{{Backend: Monolith}}
	if n == nil {
		r.Shares[0].Weight = canary.Full
		return
	}
	sum := canary.None
	before := len(d.problems)
	for _, e := range d.entries(n, "the backends of "+what) {
		if _, known := c.Backend(e.key); !known {
			remedy := "declare it under backends"
			if near := nearest(e.key, backendNames(c)); near != "" {
				remedy = "did you mean \"" + near + "\"?"
			}
			d.wrong(e.line, "%s names the backend %q, which is not declared: %s", what, e.key, remedy)
			continue
		}
		w := d.weight(e.value, "the weight of "+e.key+" on "+what)
		sum += w
		if e.key == Monolith {
			r.Shares[0].Weight = w
		} else {
			r.Shares = append(r.Shares, Share{e.key, w})
		}
	}
	if sum != canary.Full && len(d.problems) == before {
		d.wrong(n.Line, "the weights of %s sum to %s: they must sum to 100%%", what, sum)
	}
}

func backendNames(c *Config) []string {
	out := make([]string, len(c.Backends))
	for i, b := range c.Backends {
		out[i] = b.Name
	}
	return out
}

func (d *reader) shift(n *yaml.Node, c *Config, r Route) {
	var e *errs.Error
	if err := c.CheckWeights(r, r.Weights()); errors.As(err, &e) {
		line := r.Line
		if n != nil {
			line = n.Line
		}
		d.problems = append(d.problems, Problem{d.file, line, e.Message, e.Code})
	}
}

func (d *reader) hashOn(n *yaml.Node, what string, r *Route) {
	for _, item := range d.items(n, "hashOn of "+what) {
		k, ok := d.key(item, "a hashOn key of "+what, FromHeader, FromPath, FromQuery, FromClientIP)
		if !ok {
			continue
		}
		if k.From == FromPath && !r.hasParam(k.Name) {
			d.wrong(item.Line, "%s hashes on path:%s, but none of its paths has {%s}", what, k.Name, k.Name)
			continue
		}
		if k.From == FromHeader {
			k.Name = textproto.CanonicalMIMEHeaderKey(k.Name)
		}
		r.HashOn = append(r.HashOn, k)
	}
	if len(r.HashOn) == 0 || r.HashOn[len(r.HashOn)-1].From != FromClientIP {
		r.HashOn = append(r.HashOn, Key{From: FromClientIP}) // every request has one
	}
}

func (r *Route) hasParam(name string) bool {
	for _, path := range r.Paths {
		segments, _ := ParsePattern(path)
		for _, s := range segments {
			if s.Param == name {
				return true
			}
		}
	}
	return false
}

func (r *Route) has(backend string) bool {
	_, ok := r.Weights()[backend]
	return ok
}

// member reads a backend that must be one of the route's, and not its home.
func (d *reader) member(n *yaml.Node, line int, what string, r *Route) string {
	if n == nil {
		d.wrong(line, "%s is missing: name one of the route's backends", what)
		return ""
	}
	name, ok := d.text(n, what)
	if ok && (!r.has(name) || name == Monolith) {
		d.wrong(n.Line, "%s is %q: it must be one of the route's backends other than %s (a weight of 0%% will do)", what, name, Monolith)
	}
	return name
}

func (d *reader) stateful(n *yaml.Node, what string, r *Route) {
	if n == nil {
		return
	}
	m := d.fields(n, "stateful of "+what, "aggregate", "buckets", "participant", "pauseBudget", "maxWait", "maxWaiters", "retain", "maxMoves")
	s := &Stateful{Participant: d.member(m["participant"], n.Line, "the participant of "+what, r)}
	for _, item := range d.items(m["aggregate"], "the aggregate of "+what) {
		if k, ok := d.key(item, "an aggregate key of "+what, FromPath, FromID, FromJSON, FromQuery); ok {
			if (k.From == FromPath || k.From == FromID) && !r.hasParam(k.Name) {
				d.wrong(item.Line, "%s has the aggregate %s, but none of its paths has {%s}", what, k, k.Name)
			}
			s.Aggregate = append(s.Aggregate, k)
		}
	}
	if len(s.Aggregate) == 0 {
		d.wrong(n.Line, "%s is stateful but says not by what: write such as \"aggregate: [path:flight_id]\"", what)
	}
	s.Buckets = d.number(m["buckets"], "the buckets of "+what, bucket.Count, bucket.Count, bucket.Count)
	s.PauseBudget = d.duration(m["pauseBudget"], "the pauseBudget of "+what, 500*time.Millisecond, time.Millisecond, time.Minute)
	s.MaxWait = d.duration(m["maxWait"], "the maxWait of "+what, 2*time.Second, time.Millisecond, time.Minute)
	s.MaxWaiters = d.number(m["maxWaiters"], "the maxWaiters of "+what, 256, 1, 65536)
	s.Retain = d.duration(m["retain"], "the retain of "+what, 24*time.Hour, time.Second, 90*24*time.Hour)
	s.MaxMoves = d.number(m["maxMoves"], "the maxMoves of "+what, 4, 1, 64)
	r.Stateful = s
}
