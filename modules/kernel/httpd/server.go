// Package httpd serves HTTP/1.1 with less work for a request than net/http's Server. What
// clients send is still parsed by net/http: a request is read with http.ReadRequest, its
// body is the one that comes with it, and HTTP/2 is handed over to net/http whole. Ours is
// what lies between: the loop of a connection, the answer's framing, deadlines that are
// moved on only when they have to be, and a watch for clients that leave which begins only
// once a request has been in its handler for a while. To clients and handlers it is
// net/http's Server; the tests compare the two, and list the few differences.
package httpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// headSlop is what net/http adds to its MaxHeaderBytes.
	headSlop = 4 << 10
	// acceptPause is the longest pause after an accept that failed for now.
	acceptPause = time.Second
	// freshGrace is for connections that have sent nothing yet when Shutdown begins.
	freshGrace = 500 * time.Millisecond
)

// ErrShutdown is that of requests still running when a Shutdown's time is up.
var ErrShutdown = errors.New("httpd: requests are still running")

// Server serves connections as New's configuration says.
type Server struct {
	config   *http.Server
	handler  http.Handler
	maxHead  int
	headTime time.Duration // for a request's head
	idleTime time.Duration // between requests
	base     time.Time     // instants are counted from here
	date     atomic.Pointer[date]
	buffers  sync.Pool
	copies   sync.Pool // of *[copySize]byte
	watch    watch
	http2    handover

	mu      sync.Mutex
	conns   map[*conn]struct{}
	closing atomic.Bool
	empty   chan struct{} // closed when closing and the last connection has gone
}

// New makes a server of a configuration of net/http: Handler, the four timeouts,
// MaxHeaderBytes, DisableGeneralOptionsHandler, ErrorLog and BaseContext. It serves
// HTTP/2 in clear text to clients that begin with it. The configuration is the server's
// from now on, and what http.ServerContextKey gives to handlers.
func New(config *http.Server) *Server {
	s := &Server{
		config: config, handler: config.Handler, maxHead: config.MaxHeaderBytes,
		headTime: config.ReadHeaderTimeout, idleTime: config.IdleTimeout,
		base: time.Now(), conns: map[*conn]struct{}{}, empty: make(chan struct{}),
	}
	if s.maxHead <= 0 {
		s.maxHead = http.DefaultMaxHeaderBytes
	}
	s.maxHead += headSlop
	if s.headTime == 0 {
		s.headTime = config.ReadTimeout
	}
	if s.idleTime == 0 {
		s.idleTime = config.ReadTimeout
	}
	if config.ErrorLog == nil {
		config.ErrorLog = log.New(io.Discard, "", 0)
	}
	if !config.DisableGeneralOptionsHandler {
		s.handler = generalOptions(s.handler)
	}
	s.buffers.New = func() any { return newBuffers() }
	s.copies.New = func() any { return new([copySize]byte) }
	s.http2.init(config)
	return s
}

// generalOptions answers OPTIONS * as net/http does.
func generalOptions(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != "*" || r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Length", "0")
		if r.ContentLength != 0 { // a small body is read for the sake of the next request
			_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 4<<10))
		}
	})
}

// Serve serves the connections of l until it is closed, and gives the error of its Accept;
// then l is closed in any case. A failure that passes, as when files run out, is waited out.
func (s *Server) Serve(l net.Listener) error {
	defer func() { _ = l.Close() }()
	ctx := context.Background()
	if s.config.BaseContext != nil {
		ctx = s.config.BaseContext(l)
	}
	ctx = context.WithValue(ctx, http.ServerContextKey, s.config)
	pause := 5 * time.Millisecond
	for {
		rwc, err := l.Accept()
		var passing net.Error
		//nolint:staticcheck // SA1019: nothing else tells errors of accept that pass, net/http asks the same
		if errors.As(err, &passing) && passing.Temporary() {
			s.config.ErrorLog.Printf("accept failed, trying again in %s: %v", pause, err)
			time.Sleep(pause)
			pause = min(2*pause, acceptPause)
			continue
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		pause = 5 * time.Millisecond
		c := newConn(s, rwc)
		if !s.track(c) {
			_ = rwc.Close()
			continue
		}
		go c.serve(ctx)
	}
}

func (s *Server) track(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

// forget is for connections that have ended or are somebody else's now.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.conns[c]; !known {
		return
	}
	delete(s.conns, c)
	if s.closing.Load() && len(s.conns) == 0 {
		close(s.empty)
	}
}

// Shutdown lets requests end whose first byte has come, with Connection: close, and closes
// every other connection. Listeners are closed before, by their owner. The error is of
// ErrShutdown if ctx ends before the last request. Hijacked connections are not known here.
func (s *Server) Shutdown(ctx context.Context) error {
	s.shut(stateIdle)
	sweep := time.AfterFunc(freshGrace, func() { s.closeThose(stateFresh) })
	defer sweep.Stop()
	err := s.http2.shutdown(ctx)
	select {
	case <-s.empty:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrShutdown, err)
	}
	return nil
}

// Close cuts every connection.
func (s *Server) Close() error {
	s.shut(stateIdle)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.rwc.Close()
	}
	return s.http2.close()
}

// shut admits no more connections and closes those in a state.
func (s *Server) shut(which int32) {
	s.mu.Lock()
	if !s.closing.Swap(true) && len(s.conns) == 0 {
		close(s.empty)
	}
	s.mu.Unlock()
	s.closeThose(which)
}

func (s *Server) closeThose(state int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.state.CompareAndSwap(state, stateShut) {
			_ = c.rwc.Close()
		}
	}
}

// now is the time since the server's base: half the price of a time.Time.
func (s *Server) now() time.Duration { return time.Since(s.base) }

// date is the text of a Date field and how long it may be used.
type date struct {
	text  string
	until time.Duration
}

// appendDate appends the time of now, which it formats once a second.
func (s *Server) appendDate(to []byte, now time.Duration) []byte {
	d := s.date.Load()
	if d == nil || now >= d.until {
		t := time.Now()
		d = &date{
			text:  t.UTC().Format(http.TimeFormat),
			until: now + time.Second - time.Duration(t.Nanosecond()),
		}
		s.date.Store(d)
	}
	return append(to, d.text...)
}
