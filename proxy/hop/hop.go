// Package hop carries a request to an HTTP server and its answer back: the router's leg
// to a backend elsewhere. What clients send was parsed by net/http; from there on every
// byte to and from the backend is this package's, because a general client costs more
// than the rest of the router together.
//
//	Do → pool.go (a kept connection, or a new one) → request.go (the head, in one write)
//	   → head.go (the answer's head, strictly) → body.go (streamed as it comes)
//	   → send.go (bodies that are not held) and tunnel.go (upgrades)
//
// What a backend sends is judged strictly: an answer whose end could be read in two ways
// is refused, and its connection closed.
package hop

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// The bounds of a hop.
const (
	dialTimeout = time.Second      // at most; a shorter Timeout wins
	stall       = 2 * time.Minute  // see Options.Stall
	tunnelIdle  = 10 * time.Minute // see Options.TunnelIdle
	maxBusy     = 512              // exchanges with one server at a time
	maxIdle     = 128              // connections kept
	idleTimeout = 30 * time.Second // for so long; a server's Keep-Alive: timeout shortens it
	maxHead     = 64 << 10         // bytes of an answer's head
	maxFields   = 256              // of an answer's head
	maxInterim  = 16               // answers of 1xx before the answer
	waitForGo   = time.Second      // for a 100, before the body is sent anyway
)

// Failures that the caller tells apart; what they wrap is the cause.
var (
	// ErrNotSent: no byte of the request left, so it cannot have happened.
	ErrNotSent = errors.New("nothing was sent")
	// ErrTooSlow: a bound of time was passed.
	ErrTooSlow = errors.New("the backend was too slow")
	// ErrBadAnswer: what the backend sent is not an HTTP/1.1 answer with one meaning.
	ErrBadAnswer = errors.New("the backend's answer is malformed")
	// ErrBadRequest: the request cannot be written as one well-formed request.
	ErrBadRequest = errors.New("the request cannot be passed on")
	// ErrBody: the client's body could not be read to its end.
	ErrBody = errors.New("the request's body ended early")
)

// Options of an Upstream.
type Options struct {
	URL     *url.URL       // http or https; scheme and host only
	Timeout time.Duration  // from a request's last byte to the answer's head
	Trusted []netip.Prefix // hops whose word about earlier hops is passed on
	TLS     *tls.Config    // for https; nil: the system's roots
	Broke   func(error)    // told of answers that broke off after they had begun; may be nil
	// Stall is how long a stream in either direction may be silent, or not be taken; 0: two
	// minutes.
	Stall time.Duration
	// TunnelIdle is how long both directions of an upgraded connection may be silent; 0: ten
	// minutes.
	TunnelIdle time.Duration
}

// Upstream is a server with the connections that are kept to it.
type Upstream struct {
	host    string // as the Host header names it
	address string
	timeout time.Duration
	stall   time.Duration
	rearm   time.Duration // how far a stream moves before its bound is set anew
	idle    time.Duration // of tunnels
	trusted []netip.Prefix
	tls     *tls.Config // nil for http
	broke   func(error)
	dialer  net.Dialer
	busy    chan struct{}
	pool    pool
	watch   watch
}

// New makes an Upstream. Nothing is dialled yet.
func New(o Options) *Upstream {
	u := &Upstream{
		host: o.URL.Host, address: o.URL.Host, timeout: o.Timeout, trusted: o.Trusted, broke: o.Broke,
		dialer: net.Dialer{Timeout: min(o.Timeout, dialTimeout), KeepAlive: 15 * time.Second},
		busy:   make(chan struct{}, maxBusy),
		stall:  cmp.Or(o.Stall, stall), idle: cmp.Or(o.TunnelIdle, tunnelIdle),
	}
	u.rearm = u.stall / 12
	port := "80"
	if o.URL.Scheme == "https" {
		port = "443"
		u.tls = o.TLS.Clone()
		if u.tls == nil {
			u.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		u.tls.ServerName = cmp.Or(u.tls.ServerName, o.URL.Hostname())
		u.tls.NextProtos = []string{"http/1.1"}
	}
	if o.URL.Port() == "" {
		u.address = net.JoinHostPort(o.URL.Hostname(), port)
	}
	return u
}

// Close closes the idle connections; exchanges under way finish, and theirs are not kept.
func (u *Upstream) Close() { u.pool.close() }

// Call is what goes with a request.
type Call struct {
	Body   []byte    // the whole body, if it is held
	Stream io.Reader // else the body, read as it is sent; nil: there is none
	ID     string    // the X-Request-Id to send; "": the client's, if any
	Judge  Judge
}

// Judge sees an answer's head before it is passed on.
type Judge interface {
	// Head may change the header, which is the client's to be. With an error the answer
	// is dropped, and Do returns that error.
	Head(status int, header http.Header) error
}

// Do sends the request, passes the answer on, and returns nil when the client has it.
// After an error nothing of an answer was passed on. When the answer breaks off later,
// the client's connection is cut: Do panics with http.ErrAbortHandler.
//
// A request is sent a second time only when a kept connection turns out to be closed
// and either no byte was sent or the method is safe and its body is held.
func (u *Upstream) Do(w http.ResponseWriter, r *http.Request, c *Call) error {
	if err := u.enter(r.Context()); err != nil {
		return err
	}
	now := time.Now()
	k, err := u.get(r.Context(), now, false)
	if err == nil {
		if !k.reused {
			now = time.Now() // dialling took its time
		}
		x := exchange{u: u, k: k, w: w, r: r, c: c, began: now}
		if err = x.run(); x.again { //nolint:contextcheck // the request has it
			if k, err = u.get(r.Context(), now, true); err == nil {
				x = exchange{u: u, k: k, w: w, r: r, c: c, began: time.Now()}
				err = x.run() //nolint:contextcheck // the request has it
			}
		}
		if err == nil && x.after != nil {
			<-u.busy // a tunnel may last for days
			x.after()
			return nil
		}
		if x.torn {
			<-u.busy
			panic(http.ErrAbortHandler)
		}
	}
	<-u.busy
	return err
}

// enter takes one of the places, waiting for at most the timeout.
func (u *Upstream) enter(ctx context.Context) error {
	select {
	case u.busy <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(u.timeout)
	defer patience.Stop()
	select {
	case u.busy <- struct{}{}:
		return nil
	case <-patience.C:
		return fmt.Errorf("%w: %d requests to this backend are under way already", ErrNotSent, maxBusy)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNotSent, ctx.Err())
	}
}
