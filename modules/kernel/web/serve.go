package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// ServerOptions bound what clients may cost. Zero means the default named.
type ServerOptions struct {
	ReadTimeout  time.Duration // for header and body: 15 s
	WriteTimeout time.Duration // from the end of the header to the last byte: 60 s
	IdleTimeout  time.Duration // of a kept connection: 90 s
	DrainTimeout time.Duration // for requests under way when the server stops: 20 s
	// DrainDelay is how long the server goes on with readiness failing before it stops
	// listening, so that balancers look elsewhere first. 0 is none.
	DrainDelay time.Duration
	OnDrain    func()    // called as the drain begins, to fail readiness
	ErrorLog   io.Writer // for what net/http has to say; nil discards it
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

// Serve serves until ctx ends, then drains: readiness fails first, kept connections are
// closed as they fall idle, requests under way finish within DrainTimeout. The error is
// nil after a complete drain.
func Serve(ctx context.Context, l net.Listener, h http.Handler, o ServerOptions) error {
	o = o.withDefaults()
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       o.ReadTimeout,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       o.IdleTimeout,
		MaxHeaderBytes:    maxHeader - maxHeaderSlop,
		ErrorLog:          log.New(o.ErrorLog, "", 0),
		// Requests outlive the signal that stops the server.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	return drain(ctx, srv, o, failed)
}

func drain(ctx context.Context, srv *http.Server, o ServerOptions, failed <-chan error) error {
	if o.OnDrain != nil {
		o.OnDrain()
	}
	if o.DrainDelay > 0 {
		srv.SetKeepAlivesEnabled(false)
		select {
		case err := <-failed:
			return fmt.Errorf("serve: %w", err)
		case <-time.After(o.DrainDelay):
		}
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.DrainTimeout)
	defer cancel()
	if err := srv.Shutdown(bounded); err != nil {
		_ = srv.Close()
		return fmt.Errorf("requests were still running %s after the stop; they were cut off: %w", o.DrainTimeout, err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
