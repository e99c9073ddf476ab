package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"banyan/modules/kernel/httpd"
)

// ServerOptions bound what clients may cost. Zero means the default named, a negative
// time none.
type ServerOptions struct {
	ReadTimeout  time.Duration // for header and body: 15 s
	WriteTimeout time.Duration // from the end of the header to the last byte: 60 s
	IdleTimeout  time.Duration // of a kept connection: 90 s
	DrainTimeout time.Duration // for requests under way when the server stops: 20 s
	// DrainDelay is how long the server goes on with readiness failing before it stops
	// listening, so that balancers look elsewhere first. 0 is none.
	DrainDelay time.Duration
	// Asterisk gives OPTIONS * to the handler, as a proxy must; else net/http answers it.
	Asterisk bool
	// TLS makes clients speak TLS, with HTTP/2 for those that can; nil is clear text, in
	// which HTTP/2 is for clients that know of it.
	TLS      *tls.Config
	OnDrain  func()    // called as the drain begins, to fail readiness
	ErrorLog io.Writer // for what the server has to say; nil discards it
}

const (
	readHeaderTimeout = 5 * time.Second
	// maxHeader bounds a request's line and header; net/http adds 4 KiB to what it is told.
	maxHeader     = 16 << 10
	maxHeaderSlop = 4 << 10
)

func (o ServerOptions) withDefaults() ServerOptions {
	for _, d := range []struct {
		at    *time.Duration
		value time.Duration
	}{
		{&o.ReadTimeout, 15 * time.Second},
		{&o.WriteTimeout, time.Minute},
		{&o.IdleTimeout, 90 * time.Second},
		{&o.DrainTimeout, 20 * time.Second},
	} {
		if *d.at == 0 {
			*d.at = d.value
		}
	}
	if o.ErrorLog == nil {
		o.ErrorLog = io.Discard
	}
	return o
}

// server is what serves a listener: ours in clear text, net/http's under TLS.
type server interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
	Close() error
}

// Serve serves until ctx ends, then drains: readiness fails first; answers ask clients to
// close their connections; requests under way finish within DrainTimeout. The error is
// nil after a complete drain.
func Serve(ctx context.Context, l net.Listener, h http.Handler, o ServerOptions) error {
	o = o.withDefaults()
	var draining atomic.Bool
	srv := o.server(context.WithoutCancel(ctx), closeWhen(&draining, h)) // requests outlive the signal that stops the server
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	draining.Store(true)
	if o.OnDrain != nil {
		o.OnDrain()
	}
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-time.After(o.DrainDelay):
	}
	return shutdown(context.WithoutCancel(ctx), srv, l, ended, o.DrainTimeout)
}

func (o ServerOptions) server(ctx context.Context, h http.Handler) server {
	config := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       o.ReadTimeout,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       o.IdleTimeout,
		MaxHeaderBytes:    maxHeader - maxHeaderSlop,

		DisableGeneralOptionsHandler: o.Asterisk,

		ErrorLog:    log.New(o.ErrorLog, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	if o.TLS == nil {
		return httpd.New(config)
	}
	config.TLSConfig = o.TLS
	return secure{config}
}

// secure is net/http's Server under TLS.
type secure struct{ *http.Server }

// Serve serves with the configuration's certificate.
func (s secure) Serve(l net.Listener) error { return s.ServeTLS(l, "", "") }

// closeWhen makes answers end their connection once draining is set.
func closeWhen(draining *atomic.Bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// settle is for requests on connections that were accepted last: a connection on which
// nothing has come yet is closed without an answer soon after.
const settle = 100 * time.Millisecond

func shutdown(ctx context.Context, srv server, l net.Listener, ended <-chan error, limit time.Duration) error {
	_ = l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	time.Sleep(settle)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		_ = srv.Close()
		return fmt.Errorf("requests were still running %s after the stop; they were cut off: %w", limit, err)
	}
	return nil
}
