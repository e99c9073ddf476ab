// Package shadow sends copies of safe requests to a second backend and compares the
// answers, while clients notice nothing:
//
//	Route.Tee     the client's answer is written through, and kept up to a bound
//	Tee.Send      behind it, request and answer wait in a bounded queue, or are dropped
//	Shadower.Run  a few workers ask the new side, and now and then the old one again
//	Compare       status, headers and JSON fields; what differs between old and old
//	              is noise
//	Shadower.Report  fields, ranked by how much more new differs than old itself
//
// Bodies, cookies and credentials live as long as a comparison; what is kept are
// fields' names, counts and a few samples with secrets masked.
package shadow

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"banyan/modules/kernel/errs"
	"banyan/proxy/canary"
	"banyan/proxy/routes"
)

// Header marks a copy, so that a backend can leave it out of its books, and so that a
// copy is never copied again.
const Header = "X-Banyan-Shadow"

// The bounds of a process.
const (
	workers    = 4
	maxQueue   = 256
	maxHeld    = 64 << 20 // bytes of answers that are kept for comparison
	maxPooled  = 256 << 10
	noiseEvery = 8  // of so many comparisons one asks the old side again
	noiseFirst = 32 // but of the first ones, every one does
)

// Side sends a request to one backend, once. The error means that there was no answer.
type Side func(w http.ResponseWriter, r *http.Request) error

// Plan is how a route is shadowed.
type Plan struct {
	Route    string
	Version  string // when it changes, what was counted before is forgotten
	Settings routes.Shadow
	Old, New Side
	Timeout  time.Duration // of one copy, to the answer's end
	Ready    func() bool   // whether the new side should be asked at all
}

// Shadower compares; a process has one.
type Shadower struct {
	queue   chan *pair
	held    atomic.Int64 // bytes
	buffers sync.Pool
	server  http.Server // stands for the one that a copy seems to come through
	metrics metrics

	mu     sync.Mutex
	routes map[string]*Route
}

// New makes a Shadower; Run makes it work. The error is one of registering its metrics.
func New(registry prometheus.Registerer) (*Shadower, error) {
	s := &Shadower{queue: make(chan *pair, maxQueue), metrics: newMetrics(), routes: map[string]*Route{}}
	return s, s.metrics.register(registry)
}

// Route is a route that is shadowed.
type Route struct {
	plan     Plan
	shadower *Shadower
	tally    *tally
}

// Keep puts the plans in force and forgets all other routes. What was counted for a
// route stays as long as its version does. The result is by the route's id.
func (s *Shadower) Keep(plans []Plan) map[string]*Route {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := make(map[string]*Route, len(plans))
	for _, p := range plans {
		p.Settings.Ignore = anyIndex(p.Settings.Ignore)
		r := &Route{plan: p, shadower: s}
		if old := s.routes[p.Route]; old != nil && old.plan.Version == p.Version {
			r.tally = old.tally
		} else {
			r.tally = newTally(p.Route, s.metrics)
		}
		kept[p.Route] = r
	}
	for id := range s.routes {
		if kept[id] == nil {
			s.metrics.forget(id)
		}
	}
	s.routes = kept
	return kept
}

// anyIndex writes $.flights[0].price as $.flights[*].price, which is how fields are named.
func anyIndex(paths []string) []string {
	out := make([]string, len(paths))
	for i, path := range paths {
		out[i] = regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, "[*]")
	}
	return out
}

// Reset forgets what was counted for a route. errs: NotFound.
func (s *Shadower) Reset(route string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.routes[route]
	if r == nil {
		return notShadowed(route)
	}
	r.tally.reset()
	return nil
}

func notShadowed(route string) error {
	return errs.E(errs.NotFound, "route %s is not shadowed: give it a shadow in routes.yaml, or see banyan routes list", route)
}

func (s *Shadower) buffer() *bytes.Buffer {
	if b, ok := s.buffers.Get().(*bytes.Buffer); ok {
		return b
	}
	return &bytes.Buffer{}
}

// giveBack takes a buffer for its next use, unless it has become too large to keep.
func (s *Shadower) giveBack(b *bytes.Buffer) {
	if b.Cap() <= maxPooled {
		b.Reset()
		s.buffers.Put(b)
	}
}

// chosen decides by lot whether a request is copied.
func (r *Route) chosen(req *http.Request) bool {
	return canary.Weight(rand.N(int(canary.Full))) < r.plan.Settings.Percent && copyable(req)
}

// copyable requests are safe, have no body, are no upgrade and no copies themselves.
func copyable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
	default:
		return false
	}
	return r.ContentLength == 0 && len(r.Header["Upgrade"]) == 0 && len(r.Header[Header]) == 0
}

// Run compares until ctx ends.
func (s *Shadower) Run(ctx context.Context) {
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case p := <-s.queue:
					p.compare(ctx)
				}
			}
		})
	}
	all.Wait()
}
