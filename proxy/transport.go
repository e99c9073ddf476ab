package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"

	"banyan/modules/kernel/web"
)

// Transport gives a RoundTripper whose requests follow the same decision as those from
// outside. When the owner is in this process there is no network: its handler runs, and
// its answer streams through memory at the reader's pace. The requests' scheme and host
// do not matter.
func (p *Router) Transport() http.RoundTripper { return internal{p} }

// internalRemote is what handlers see as the caller's address.
const internalRemote = "127.0.0.1:0"

type internal struct{ router http.Handler }

// RoundTrip implements http.RoundTripper.
func (t internal) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(web.WithRequestID(context.Background(), web.RequestID(r.Context())))
	follow := context.AfterFunc(r.Context(), cancel) // but none of the caller's values: it is a request of its own
	in := r.Clone(ctx)                               //nolint:contextcheck // cancelled with the caller's, see above
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = internalRemote
	in.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if id := web.RequestID(r.Context()); id != "" {
		in.Header.Set(web.RequestIDHeader, id)
	}
	reader, writer := io.Pipe()
	a := &inMemory{header: http.Header{}, body: writer, head: make(chan struct{}), request: r, reader: reader}
	go func() {
		defer cancel()
		defer follow()
		a.run(t.router, in)
	}()
	select {
	case <-a.head:
		return a.response, a.err
	case <-r.Context().Done():
		_ = reader.CloseWithError(r.Context().Err()) // the handler's writes now fail
		return nil, r.Context().Err()
	}
}

// inMemory is a ResponseWriter whose other end is a Response.
type inMemory struct {
	header   http.Header
	body     *io.PipeWriter
	reader   *io.PipeReader
	request  *http.Request
	head     chan struct{} // closed when response or err is set
	once     sync.Once
	response *http.Response
	err      error
}

func (a *inMemory) run(handler http.Handler, in *http.Request) {
	defer func() { _ = in.Body.Close() }()
	defer func() {
		if p := recover(); p != nil {
			a.broke(fmt.Errorf("the handler broke off: %v", p))
		}
	}()
	handler.ServeHTTP(a, in)
	a.WriteHeader(http.StatusOK)
	_ = a.body.Close()
}

// broke reports a panic: as an error when the answer has not begun, else as a stream
// that ends early.
func (a *inMemory) broke(err error) {
	a.once.Do(func() {
		a.err = err
		close(a.head)
	})
	_ = a.body.CloseWithError(errors.Join(io.ErrUnexpectedEOF, err))
}

// Header implements http.ResponseWriter.
func (a *inMemory) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter; informational answers are left out.
func (a *inMemory) WriteHeader(status int) {
	if status >= 100 && status < 200 {
		return
	}
	a.once.Do(func() {
		a.response = &http.Response{
			Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: a.header.Clone(), Body: a.reader, ContentLength: -1, Request: a.request,
		}
		close(a.head)
	})
}

// Write implements http.ResponseWriter. It waits for the reader, so nothing piles up.
func (a *inMemory) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// Flush implements http.Flusher: what is written has been read.
func (a *inMemory) Flush() { a.WriteHeader(http.StatusOK) }
