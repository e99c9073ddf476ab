package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/web"
	"banyan/proxy/hop"
	"banyan/proxy/routes"
)

// The bounds of the leg to a backend; package hop has more.
const (
	maxHeld = 64 << 10 // request bodies up to this are held, so that they can be sent again
	maxHead = 64 << 10 // bytes of a health check's answer
)

// leg is the way to a backend over HTTP.
type leg struct {
	upstream hop.Sender
	calls    *calls
}

// attempt is one try of a request.
type attempt struct {
	leg     *leg
	backend *backend
	method  string
	began   time.Time
	owned   bool // an answer of 421 is not for the client
	status  int  // of the answer, 0 until it comes
}

func newLeg(b routes.Backend, seconds *prometheus.HistogramVec, notes logrus.FieldLogger) *leg {
	target, _ := url.Parse(b.URL) // judged by package routes
	o := hop.Options{URL: target, Timeout: b.Timeout, Trusted: routes.TrustedProxies(b.Trusted)}
	if target.Scheme == "https" {
		o.TLS = b.TLS()
	}
	o.Broke = func(err error) {
		notes.WithField("backend", b.Name).WithError(err).Warn("an answer broke off; its client's connection was cut")
	}
	l := &leg{calls: newCalls(seconds, target.Host)}
	if b.Protocol == routes.H2C {
		l.upstream = hop.NewH2C(o)
	} else {
		l.upstream = hop.New(o)
	}
	return l
}

func (l *leg) close() { l.upstream.Close() }

// forward sends the request to a backend elsewhere and, if it certainly did not happen
// or may happen twice, to another one that serves the same data.
func (p *Router) forward(w http.ResponseWriter, r *http.Request, a *arm) {
	held, err := hold(w, r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	err = a.send(w, r, held)
	for _, other := range a.others {
		if err == nil || !mayRepeat(r, held, err) {
			break
		}
		if other.backend.down() {
			continue
		}
		note(w, func(x *Exchange) { x.Failed = a.backend.Name })
		a = other
		a.requests.Inc()
		if a.backend.handler != nil {
			w.Header()[BackendHeader] = a.backend.header
			a.backend.handler.ServeHTTP(w, held.apply(r))
			return
		}
		err = a.send(w, r, held)
	}
	if err != nil {
		p.fail(w, r, a, err)
	}
}

// try is one attempt; nil means that an answer was passed on, of this status.
func (l *leg) try(w http.ResponseWriter, r *http.Request, b *backend, held *body) (status int, err error) {
	return l.attempt(w, r, held, &attempt{leg: l, backend: b})
}

// tryOwner is try on a route whose data moves: errMisdirected if it is not there.
func (l *leg) tryOwner(w http.ResponseWriter, r *http.Request, b *backend, held *body) (status int, err error) {
	return l.attempt(w, r, held, &attempt{leg: l, backend: b, owned: true})
}

func (l *leg) attempt(w http.ResponseWriter, r *http.Request, held *body, t *attempt) (status int, err error) {
	delete(w.Header(), BackendHeader) // Head sets it
	call := hop.Call{Body: held.small, ID: web.RequestID(r.Context()), Judge: t}
	if held.stream != nil {
		call.Stream = held.stream
		_ = http.NewResponseController(w).EnableFullDuplex() // the answer may begin before the request has ended; HTTP/2 always lets it
	}
	t.method, t.began = r.Method, time.Now()
	err = l.upstream.Do(w, r, &call)
	if t.status == 0 {
		l.calls.observe(r.Method, 0, time.Since(t.began))
	}
	if err != nil && held.stream != nil && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close") // what is left of the body must not be read as a request
	}
	return t.status, unreadable(err)
}

// Head implements hop.Judge: it marks an answer with its backend.
func (t *attempt) Head(status int, header http.Header) error {
	t.status = status
	t.leg.calls.observe(t.method, status, time.Since(t.began))
	if t.owned && status == http.StatusMisdirectedRequest {
		return errMisdirected
	}
	header[BackendHeader] = t.backend.header
	return nil
}

// unreadable gives the failures that are the client's their code.
func unreadable(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return errs.E(errs.TooLarge, "the body is larger than %d bytes", tooLarge.Limit).Because(err)
	case errors.Is(err, hop.ErrBody) && errors.Is(err, os.ErrDeadlineExceeded):
		return errs.E(errs.Timeout, "the body came too slowly").Because(err)
	case errors.Is(err, hop.ErrBody):
		return errs.E(errs.Invalid, "the body ended early").Because(err)
	case errors.Is(err, hop.ErrBadRequest):
		return errs.E(errs.Invalid, "this request is not passed on: %v", err).Because(err)
	}
	return err
}

// body is a request's body: held in memory when it is small, else read as it is sent.
type body struct {
	small  []byte
	stream *untouched
}

// untouched remembers whether anything was taken from a client's body.
type untouched struct {
	io.ReadCloser
	touched bool
}

func (u *untouched) Read(b []byte) (int, error) {
	u.touched = true
	return u.ReadCloser.Read(b)
}

func hold(w http.ResponseWriter, r *http.Request) (*body, error) {
	switch {
	case r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0:
		return &body{}, nil
	case r.ContentLength > 0 && r.ContentLength <= maxHeld && len(r.Header["Expect"]) == 0: // else the backend says whether it wants it
		small, err := web.Body(w, r, maxHeld)
		return &body{small: small}, err
	}
	return &body{stream: &untouched{ReadCloser: r.Body}}, nil
}

// apply gives the body back to a request that stays in this process.
func (b *body) apply(r *http.Request) *http.Request {
	if b.small == nil {
		return r
	}
	again := *r
	again.Body = io.NopCloser(bytes.NewReader(b.small))
	return &again
}
