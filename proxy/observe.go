package proxy

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"banyan/proxy/routes"
)

// Exchange is a request and what became of it.
type Exchange struct {
	Route   string // the route's id, routes.DefaultID when none matched
	Pattern string // what matched, "" when none did
	Backend string // that answered
	Failed  string // that was asked before Backend and gave no answer, "" as a rule
	Request *http.Request
	Status  int // of the answer; 0: it broke off before it began
	Began   time.Time
	Took    time.Duration // to the answer's last byte
	Gateway bool          // the router answered in the place of Backend
	Torn    bool          // the answer broke off, or never began
	Left    bool          // the caller went away before its end
	In, Out int64         // bytes of the bodies; a request's is 0 when it was not announced
}

// Observer is told of every exchange when it has ended, by the goroutine that served it:
// it must be quick, must not block, and must not keep the exchange or its request.
type Observer interface {
	Observe(x *Exchange)
}

// recorder sees how an answer goes out.
type recorder struct {
	http.ResponseWriter
	exchange Exchange
}

//nolint:gochecknoglobals // a pool, which keeps nothing of what it is lent for
var recorders = sync.Pool{New: func() any { return &recorder{} }}

// observed serves a request and tells the observers.
func (p *Router) observed(w http.ResponseWriter, r *http.Request, a *arm, match *target) {
	rec := recorders.Get().(*recorder)
	rec.ResponseWriter = w
	rec.exchange = Exchange{Route: routes.DefaultID, Request: r, Began: time.Now(), In: max(r.ContentLength, 0)}
	if match != nil {
		rec.exchange.Route, rec.exchange.Pattern = match.route.ID, match.pattern
	}
	rec.exchange.Torn = true // until it has ended
	defer func() {           // also when the answer is torn off, which is a panic
		x := &rec.exchange
		x.Took = time.Since(x.Began)
		x.Left = x.Left || errors.Is(r.Context().Err(), context.Canceled)
		if names := w.Header()[BackendHeader]; len(names) > 0 {
			x.Backend = names[0]
		}
		for _, o := range p.observers {
			o.Observe(x)
		}
		*rec = recorder{}
		recorders.Put(rec)
	}()
	p.serve(rec, r, a, match)
	rec.exchange.Torn = false
	if rec.exchange.Status == 0 {
		rec.exchange.Status = http.StatusOK // a handler that returns without a word means this
	}
}

// WriteHeader implements http.ResponseWriter.
func (rec *recorder) WriteHeader(status int) {
	if rec.exchange.Status < http.StatusOK { // an informational one is followed by the answer
		rec.exchange.Status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (rec *recorder) Write(b []byte) (int, error) {
	if rec.exchange.Status < http.StatusOK {
		rec.exchange.Status = http.StatusOK
	}
	n, err := rec.ResponseWriter.Write(b)
	rec.exchange.Out += int64(n)
	rec.exchange.Left = rec.exchange.Left || err != nil
	return n, err
}

// note tells of an answer that is being recorded, whatever wraps the recorder, such as a
// shadow's tee.
func note(w http.ResponseWriter, what func(*Exchange)) {
	for {
		switch at := w.(type) {
		case *recorder:
			what(&at.exchange)
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = at.Unwrap()
		default:
			return
		}
	}
}

// Unwrap is for http.ResponseController.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }
