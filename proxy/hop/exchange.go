package hop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// exchange is one request on one connection.
type exchange struct {
	u *Upstream
	k *conn
	w http.ResponseWriter
	r *http.Request
	c *Call

	began   time.Time // the exchange, or the wait for a 100
	upgrade string    // the protocol that the client asks for
	expect  bool      // the backend was asked whether it wants the body
	sender  *sender   // of a streamed body, nil until it starts
	control *http.ResponseController
	waiting bool      // something written to the client may be in a buffer
	patient bool      // flush before waiting
	client  time.Time // until when the client's connection may be written
	until   time.Time // until when the stream from the backend may be silent, zero: not set
	partial bool      // not all of the request was sent

	again bool   // the kept connection was closed: another one may be used
	torn  bool   // the answer broke off
	gone  bool   // because the client went away
	after func() // the tunnel to run once the exchange is over
}

// run sends the request and passes the answer on.
func (x *exchange) run() error {
	k := x.k
	var err error
	if k.out, err = x.appendHead(k.out[:0]); err != nil {
		x.u.put(k)
		return err
	}
	x.u.watch.add(x.r.Context(), k)
	clean, err := x.converse()
	if x.sender != nil && !x.finishSending() {
		clean = false
	}
	clean = clean && !x.partial && (x.c.Stream == nil || x.sender != nil)
	switch alone := x.u.watch.remove(k); {
	case x.after != nil: // the tunnel has the connection
	case clean && alone:
		x.u.put(k)
	default:
		_ = k.Close()
	}
	return err
}

// converse tells whether the connection may be kept.
func (x *exchange) converse() (clean bool, err error) {
	if err := x.send(); err != nil {
		return false, err
	}
	if err := x.answerHead(); err != nil {
		if x.sender != nil {
			if cause := x.sender.failure(err); cause != nil {
				return false, cause
			}
		}
		return false, err
	}
	x.begin()
	return x.pass()
}

// begin notes that the answer has begun, for those who set the connection's deadlines.
func (x *exchange) begin() {
	if x.sender != nil {
		x.sender.mu.Lock()
		defer x.sender.mu.Unlock()
	}
	x.k.begun.Store(true)
}

// send writes the head, with the body if that is held, and starts to stream it if not.
func (x *exchange) send() error {
	k := x.k
	whole := len(x.c.Body) <= keepBytes
	if whole {
		k.out = append(k.out, x.c.Body...)
	}
	k.arm(x.began, x.u.timeout)
	n, err := k.Write(k.out)
	if err == nil && !whole {
		_, err = k.Write(x.c.Body)
	}
	if err != nil {
		switch {
		case n > 0 && !isTimeout(err):
			x.partial = true
			return nil // the answer may say why it does not listen any more
		case n == 0 && k.reused && x.r.Context().Err() == nil:
			x.again = true
		case n == 0:
			return x.broken(fmt.Errorf("%w: %w", ErrNotSent, err))
		}
		return x.broken(err)
	}
	if x.c.Stream != nil && !x.expect {
		x.startSending()
	}
	return nil
}

// answerHead reads up to the head of the final answer, or of one of 101.
func (x *exchange) answerHead() error {
	k := x.k
	limit := min(x.u.timeout, waitForGo)
	if x.expect {
		x.began = time.Now()
		k.arm(x.began, limit)
	}
	for interim := 0; ; {
		text, err := k.in.block(maxHead)
		if err != nil {
			if x.expect && x.sender == nil && isTimeout(err) && x.r.Context().Err() == nil && time.Since(x.began) >= limit {
				x.startSending() // it does not know of 100
				continue
			}
			return x.headFailed(err)
		}
		if err := k.head.parse(text); err != nil {
			return err
		}
		switch status := k.head.status; {
		case status >= http.StatusOK:
			return nil
		case status == http.StatusSwitchingProtocols:
			if x.upgrade == "" || !strings.EqualFold(k.head.upgrade, x.upgrade) || !has(k.head.fields, "Connection", "upgrade") {
				return bad("a switch to %.40q, which was not asked for", k.head.upgrade)
			}
			return nil
		case status == http.StatusContinue:
			if x.expect && x.sender == nil {
				x.startSending()
			}
		case k.head.length > 0 || k.head.chunked:
			return bad("a body with status %d", status)
		default:
			x.passInterim()
		}
		if interim++; interim > maxInterim {
			return bad("more than %d answers of 1xx", maxInterim)
		}
	}
}

// headFailed judges a connection that broke before the answer's head was there.
func (x *exchange) headFailed(err error) error {
	k := x.k
	safe := x.r.Method == http.MethodGet || x.r.Method == http.MethodHead || x.r.Method == http.MethodOptions
	nothing := k.in.buffered() == 0
	if nothing && k.reused && safe && x.c.Stream == nil && !isTimeout(err) && x.r.Context().Err() == nil {
		x.again = true
	}
	return x.broken(err)
}

// broken puts an error of the connection into the terms of this package.
func (x *exchange) broken(err error) error {
	switch {
	case x.r.Context().Err() != nil:
		return context.Cause(x.r.Context())
	case isTimeout(err):
		return fmt.Errorf("%w: %w", ErrTooSlow, err)
	}
	return err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// passInterim passes an answer of 1xx on, such as 103 Early Hints, to clients that know
// of them.
func (x *exchange) passInterim() {
	if !x.r.ProtoAtLeast(1, 1) {
		return
	}
	header, own := x.w.Header(), http.Header{}
	for name, values := range header {
		own[name] = values
	}
	clear(header)
	x.k.head.pass(header, false)
	x.w.WriteHeader(x.k.head.status)
	clear(header)
	for name, values := range own {
		header[name] = values
	}
}

// pass passes the final answer on.
func (x *exchange) pass() (clean bool, err error) {
	h := &x.k.head
	header := x.w.Header()
	id := header["X-Request-Id"]
	h.pass(header, h.status == http.StatusSwitchingProtocols)
	if id != nil {
		header["X-Request-Id"] = id
	}
	if err := x.c.Judge.Head(h.status, header); err != nil {
		h.takeBack(header)
		if id != nil {
			header["X-Request-Id"] = id
		}
		return x.skip(), err
	}
	if header["Content-Type"] == nil {
		header["Content-Type"] = nil // or net/http would guess one
	}
	if h.status == http.StatusSwitchingProtocols {
		header["Connection"] = []string{"Upgrade"}
		x.tunnel()
		return false, nil
	}
	if x.r.ProtoMajor == 1 && x.c.Stream != nil && (x.sender == nil || !x.sender.ended.Load()) {
		// The client is still sending. Whether it will have sent all when the answer is
		// over is not known, and what is left must not be read as its next request.
		header["Connection"] = []string{"close"}
	}
	if h.keep > 0 {
		x.k.keep = min(idleTimeout, h.keep)
	}
	return x.body(header), nil
}

// takeBack removes what pass gave.
func (h *head) takeBack(header http.Header) {
	for i := range h.fields {
		if !ofHop(h.fields[i].name) {
			delete(header, h.fields[i].name)
		}
	}
}
