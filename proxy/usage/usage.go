// Package usage counts what the router's callers ask for: by endpoint, which is a method
// and a path template that is found in the traffic itself, with latencies, errors and
// bytes, since the process began and in the last hour; and from that it says what to
// extract first, and why (advice.go).
//
// Whatever paths are sent, memory stays within constants: maxNodes of the tree of paths,
// maxEndpoints with counts. What finds no room is counted as a whole, and shown. Query
// strings are never looked at, and what looks like an id is not kept (shape.go).
package usage

import (
	"net/http"
	"sync"
	"time"

	"banyan/proxy"
	"banyan/proxy/routes"
)

// The bounds of a process.
const (
	maxEndpoints = 512
	maxNodes     = 4096
)

// Usage counts exchanges. It implements proxy.Observer.
type Usage struct {
	now   func() time.Time
	began time.Time

	mu    sync.Mutex
	known map[known]*endpoint // by the patterns of routes.yaml
	tree  tree                // of everything else
	// crowded has what found no room, refused what only clients' mistakes are known of:
	// paths that nobody serves make no templates.
	crowded, refused endpoint
}

// known is an endpoint of a route.
type known struct {
	method  method
	pattern string
}

// New makes a Usage; now is the clock, nil for time.Now.
func New(now func() time.Time) *Usage {
	if now == nil {
		now = time.Now
	}
	return &Usage{now: now, began: now(), known: map[known]*endpoint{}, tree: tree{root: &node{}}}
}

// Observe implements proxy.Observer.
func (u *Usage) Observe(x *proxy.Exchange) {
	m := methodOf(x.Request.Method)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.endpoint(m, x).add(x)
}

// endpoint finds or makes the one of an exchange.
func (u *Usage) endpoint(m method, x *proxy.Exchange) *endpoint {
	if x.Pattern != "" {
		key := known{m, x.Pattern}
		e := u.known[key]
		if e == nil {
			if !u.tree.room() {
				return &u.crowded
			}
			e = &endpoint{}
			u.known[key] = e
			u.tree.endpoints++
		}
		return e
	}
	// A path that was only ever refused may be anything.
	served := x.Status != 0 && (x.Status < 400 || x.Status >= 500)
	n := u.tree.find(x.Request.URL.Path, served)
	switch {
	case n == nil && served:
		return &u.crowded
	case n == nil || (n.methods[m] == nil && !served):
		return &u.refused
	case n.methods[m] == nil:
		if !u.tree.room() {
			return &u.crowded
		}
		n.methods[m] = &endpoint{}
		u.tree.endpoints++
	}
	return n.methods[m]
}

// method is an HTTP method by number; there are few, whatever is sent.
type method uint8

const methodCount = 8

func methodNames() [methodCount]string {
	return [methodCount]string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, "(other)",
	}
}

func methodOf(name string) method {
	switch name {
	case http.MethodGet:
		return 0
	case http.MethodHead:
		return 1
	case http.MethodPost:
		return 2
	case http.MethodPut:
		return 3
	case http.MethodPatch:
		return 4
	case http.MethodDelete:
		return 5
	case http.MethodOptions:
		return 6
	}
	return methodCount - 1
}

// reads tells whether a method changes nothing.
func (m method) reads() bool { return m == 0 || m == 1 || m == 6 }

// The last hour is kept in parts.
const (
	parts = 6
	part  = 10 * time.Minute
)

// endpoint has the counts of a method and a template.
type endpoint struct {
	total counts
	parts [parts]*counts // of the last hour; by number modulo parts
	at    [parts]int64   // the number of the part of time that is in there
}

func (e *endpoint) add(x *proxy.Exchange) {
	number := x.Began.Unix() / int64(part/time.Second)
	i := number % parts
	if e.parts[i] == nil {
		e.parts[i] = &counts{}
	} else if e.at[i] != number {
		*e.parts[i] = counts{}
	}
	e.at[i] = number
	e.total.add(x)
	e.parts[i].add(x)
}

// merge takes in what another endpoint has counted.
func (e *endpoint) merge(from *endpoint) {
	e.total.merge(&from.total)
	for i, c := range from.parts {
		switch {
		case c == nil || from.at[i] < e.at[i]:
		case e.parts[i] == nil || from.at[i] > e.at[i]:
			e.parts[i], e.at[i] = c, from.at[i]
		default:
			e.parts[i].merge(c)
		}
	}
}

// lastHour is what was counted in the parts that the last hour touches.
func (e *endpoint) lastHour(now time.Time) counts {
	var sum counts
	number := now.Unix() / int64(part/time.Second)
	for i, c := range e.parts {
		if c != nil && number-e.at[i] < parts {
			sum.merge(c)
		}
	}
	return sum
}

// counts are those of one endpoint in one window.
type counts struct {
	requests int64
	errors   int64 // 5xx, and answers that broke off
	refused  int64 // 4xx
	away     int64 // answered by another backend than the home
	in, out  int64 // bytes of bodies
	took     histogram
}

func (c *counts) add(x *proxy.Exchange) {
	c.requests++
	switch {
	case x.Status == 0 || x.Status >= 500:
		c.errors++
	case x.Status >= 400:
		c.refused++
	}
	if x.Backend != "" && x.Backend != routes.Monolith {
		c.away++
	}
	c.in += x.In
	c.out += x.Out
	c.took.add(x.Took)
}

func (c *counts) merge(from *counts) {
	c.requests += from.requests
	c.errors += from.errors
	c.refused += from.refused
	c.away += from.away
	c.in += from.in
	c.out += from.out
	c.took.merge(&from.took)
}
