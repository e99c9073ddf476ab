package hop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// Sender is a way to a server.
type Sender interface {
	Do(w http.ResponseWriter, r *http.Request, c *Call) error
	Close()
}

// H2C is a server that speaks HTTP/2 without TLS, reached by net/http's client.
type H2C struct {
	u         *Upstream // for its bounds
	target    *url.URL
	transport *http.Transport
	proxy     httputil.ReverseProxy
}

type h2cKey struct{}

// h2cCall travels in the context and brings back the error.
type h2cCall struct {
	*Call
	u      *Upstream
	w      http.ResponseWriter
	client context.Context
	cancel context.CancelCauseFunc
	err    error
}

// moving is an answer's body that is given up when it is silent for too long.
type moving struct {
	io.ReadCloser
	call *h2cCall
	late *time.Timer
}

// Read implements io.Reader.
func (m *moving) Read(p []byte) (int, error) {
	m.late.Reset(m.call.u.stall)
	n, err := m.ReadCloser.Read(p)
	m.late.Stop()
	if err != nil && !errors.Is(err, io.EOF) && m.call.u.broke != nil && m.call.client.Err() == nil {
		m.call.u.broke(err)
	}
	return n, err
}

// NewH2C makes an H2C. Nothing is dialled yet.
func NewH2C(o Options) *H2C {
	h := &H2C{u: New(o), target: o.URL}
	h.transport = &http.Transport{
		DialContext:            h.u.dialer.DialContext,
		MaxConnsPerHost:        maxIdle,
		IdleConnTimeout:        idleTimeout,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: maxHead,
		DisableCompression:     true,
		Protocols:              &http.Protocols{},
	}
	h.transport.Protocols.SetUnencryptedHTTP2(true)
	h.proxy = httputil.ReverseProxy{
		Rewrite: h.rewrite, Transport: h.transport, FlushInterval: -1, ModifyResponse: judgeH2C,
		ErrorLog: log.New(io.Discard, "", 0),
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			r.Context().Value(h2cKey{}).(*h2cCall).err = err
		},
	}
	return h
}

// Close closes the idle connections.
func (h *H2C) Close() { h.transport.CloseIdleConnections() }

// Do is Upstream's Do.
func (h *H2C) Do(w http.ResponseWriter, r *http.Request, c *Call) error {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	call := &h2cCall{Call: c, u: h.u, w: w, client: r.Context(), cancel: cancel}
	h.proxy.ServeHTTP(w, r.WithContext(context.WithValue(ctx, h2cKey{}, call)))
	var dial *net.OpError
	switch {
	case call.err == nil:
		return nil
	case r.Context().Err() != nil:
		return context.Cause(r.Context())
	case errors.As(call.err, &dial) && dial.Op == "dial":
		return fmt.Errorf("%w: %w", ErrNotSent, call.err)
	case isTimeout(call.err):
		return fmt.Errorf("%w: %w", ErrTooSlow, call.err)
	}
	return call.err
}

func (h *H2C) rewrite(pr *httputil.ProxyRequest) {
	call := pr.In.Context().Value(h2cKey{}).(*h2cCall)
	pr.SetURL(h.target)
	pr.Out.Host = h.u.hostFor(pr.In)
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery // as it came: judging it is the backend's business
	trusted := h.u.trusts(pr.In.RemoteAddr)
	for name := range pr.Out.Header {
		if skipped(name, trusted, call.ID != "") && name != "Te" && name != "Trailer" {
			delete(pr.Out.Header, name)
		}
	}
	for line := range strings.SplitSeq(string(appendForwarded(nil, pr.In, trusted)), "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			pr.Out.Header.Add(name, value)
		}
	}
	if call.ID != "" {
		pr.Out.Header["X-Request-Id"] = []string{call.ID}
	}
	// The Transport would send a request with these a second time by itself.
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if key, ok := pr.Out.Header[name]; ok {
			delete(pr.Out.Header, name)
			pr.Out.Header[strings.ToLower(name)] = key
		}
	}
	switch {
	case call.Stream != nil:
		pr.Out.Body = io.NopCloser(call.Stream)
	case len(call.Body) > 0:
		pr.Out.Body = io.NopCloser(bytes.NewReader(call.Body))
	}
}

func judgeH2C(resp *http.Response) error {
	call := resp.Request.Context().Value(h2cKey{}).(*h2cCall)
	if call.w.Header()["X-Request-Id"] != nil {
		delete(resp.Header, "X-Request-Id")
	}
	if resp.StatusCode != http.StatusSwitchingProtocols { // whose body can be written, too
		late := time.AfterFunc(call.u.stall, func() { call.cancel(ErrTooSlow) })
		late.Stop()
		resp.Body = &moving{ReadCloser: resp.Body, call: call, late: late}
	}
	return call.Judge.Head(resp.StatusCode, resp.Header)
}
