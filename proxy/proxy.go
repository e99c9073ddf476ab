// Package proxy is the strangler fig's router: it decides, request by request, whether
// the monolith in this process answers or a service that was extracted from it. Weights
// choose callers (package canary), a file says which requests belong together (package
// routes), and weights set at run time are kept in SQL (package weights).
//
//	ServeHTTP → pick → in this process: a function call
//	                 → elsewhere: upstream.go
//
// The decision reads one immutable table. Reload, weight changes and replicas' changes
// build a new table and swap the pointer; requests under way keep the one they began with.
package proxy

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"banyan/modules/kernel/web"
	"banyan/proxy/promotion"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// BackendHeader tells the caller which backend answered.
const BackendHeader = "X-Banyan-Backend"

// Options are what a Router is made of.
type Options struct {
	// Config is a valid file (routes.Load); nil means everything to the monolith. A
	// file that was read from a path is watched by Run.
	Config *routes.Config
	// Modules are the handlers in this process by the backend's name; without an HTTP
	// monolith in Config there must be one named routes.Monolith.
	Modules map[string]http.Handler
	// Weights keeps what is set at run time; nil: weights come from the file alone.
	Weights *weights.Store
	// Handover moves the data of stateful routes; the zero value cannot.
	Handover Handover
	// Observers are told of every exchange.
	Observers []Observer
	// Promotions keeps how far routes have climbed by themselves; nil: none does. It
	// needs Weights.
	Promotions *promotion.Store
	// Log gets reloads and failures; nil: nothing is logged.
	Log logrus.FieldLogger
	// Registry gets the metrics; nil: they are kept but not shown.
	Registry prometheus.Registerer
}

// Router shares requests out among backends. It is an http.Handler.
type Router struct {
	table   atomic.Pointer[table]
	modules map[string]http.Handler
	store   *weights.Store
	log     logrus.FieldLogger
	metrics *metrics
	// observers never change.
	observers []Observer
	promoter  *promoter // nil: none
	// handover is given; movers are by route, guarded by mu.
	handover Handover
	movers   map[string]*mover
	moved    chan struct{}
	shadows  shadows

	reading  sync.Mutex // one reading of the run-time weights at a time
	mu       sync.Mutex // guards what tables are built from; never held over I/O
	config   *routes.Config
	rows     map[string]weights.Row
	backends map[string]*backend
	leaving  []*instance // that a reload took out and that still have requests
	problem  error       // why the file on disk is not the one in use, nil if it is
	changed  chan struct{}
}

// New makes a Router that is ready to serve; Run adds health checks, reload and what
// other replicas change. Weights set before a restart are in force from the start.
// errs: Invalid for a configuration that does not fit this process, Unavailable when
// the run-time weights cannot be read.
func New(ctx context.Context, o Options) (*Router, error) {
	p := &Router{
		modules: o.Modules, store: o.Weights, log: o.Log, config: o.Config,
		backends: map[string]*backend{}, changed: make(chan struct{}, 1),
		observers: o.Observers, handover: o.Handover, moved: make(chan struct{}, 1),
	}
	if p.log == nil {
		p.log = silent()
	}
	if p.config == nil {
		p.config = routes.Default()
	}
	var err error
	if p.metrics, err = newMetrics(o.Registry, p); err != nil {
		return nil, err
	}
	if err := p.newShadows(o.Registry); err != nil {
		return nil, err
	}
	if err := p.promotes(o); err != nil {
		return nil, err
	}
	if p.store != nil {
		if p.rows, err = p.store.All(ctx); err != nil {
			return nil, err
		}
	}
	movers, err := p.prepare(ctx, p.config)
	if err != nil {
		return nil, err
	}
	if err := p.adopt(p.config, p.rows, movers); err != nil {
		return nil, err
	}
	for _, w := range p.config.Warnings {
		p.log.Warn(w)
	}
	return p, nil
}

// ServeHTTP lets the backend that pick chooses answer, or, where the data moves with the
// traffic, the owner of the data that the request is about.
func (p *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, match := p.table.Load().pick(r)
	if len(p.observers) > 0 {
		p.observed(w, r, a, match)
		return
	}
	p.serve(w, r, a, match)
}

// serve carries out a decision, and keeps what is to be compared.
func (p *Router) serve(w http.ResponseWriter, r *http.Request, a *arm, match *target) {
	if t := tee(w, r, a, match); t != nil {
		p.serveTeed(t, r, a, match)
		return
	}
	p.answer(w, r, a, match)
}

// answer lets the backend answer.
func (p *Router) answer(w http.ResponseWriter, r *http.Request, a *arm, match *target) {
	if match != nil && match.route.mover != nil {
		p.serveOwned(w, r, match)
		return
	}
	a.requests.Inc()
	if a.backend.handler != nil {
		w.Header()[BackendHeader] = a.backend.header
		a.backend.handler.ServeHTTP(w, r)
		return
	}
	if match != nil {
		web.SetRoute(r.Context(), match.pattern)
	}
	p.forward(w, r, a)
}

// pick is the routing decision. It is a pure function of the table and the request, but
// for the backends' health, and allocates nothing. With the backend it gives what
// matched, nil if nothing did.
func (t *table) pick(r *http.Request) (*arm, *target) {
	match := t.root.find(r.Method, r.URL.Path)
	if match == nil {
		return &t.rest.arms[0], nil // no route: the monolith
	}
	route := match.route
	chosen := 0 // the home
	if route.shifted {
		chosen = route.split.Choose(match.position(r))
	}
	a := &route.arms[chosen]
	if a.backend.down() {
		a = a.standIn()
	}
	return a, match
}

// standIn gives a healthy backend of the route that serves the same data, or, if there
// is none, the sick one: it may be better than its checks say.
func (a *arm) standIn() *arm {
	for _, other := range a.others {
		if !other.backend.down() {
			return other
		}
	}
	return a
}
