package web

import (
	"io"
	"net/http"
	"time"
)

// Stall ends an exchange whose client neither sends nor takes anything for limit. Bodies
// and answers of any length may take any time as long as they move: it is for servers
// without a ReadTimeout, which streams would run into, and with limit as WriteTimeout,
// which it puts off.
func Stall(limit time.Duration) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			out := &moving{ResponseWriter: w, control: http.NewResponseController(w), limit: limit, last: time.Now()}
			if r.Body != nil && r.Body != http.NoBody {
				in := &coming{ReadCloser: r.Body, control: out.control, limit: limit}
				again := *r
				again.Body = in
				r = &again
			}
			next.ServeHTTP(out, r)
		})
	}
}

// nearly is the part of a limit after which a deadline is worth moving on.
const nearly = 8

// moving is an answer whose deadline moves on with it.
type moving struct {
	http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
	last    time.Time
}

func (m *moving) extend() {
	if now := time.Now(); now.Sub(m.last) > m.limit/nearly {
		_ = m.control.SetWriteDeadline(now.Add(m.limit)) // a writer of a test has none
		m.last = now
	}
}

// WriteHeader implements http.ResponseWriter.
func (m *moving) WriteHeader(status int) {
	m.extend()
	m.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (m *moving) Write(p []byte) (int, error) {
	m.extend()
	return m.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (m *moving) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// coming is a body whose deadline moves on with it.
type coming struct {
	io.ReadCloser
	control *http.ResponseController
	limit   time.Duration
	last    time.Time
}

// Read implements io.Reader.
func (c *coming) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(c.last) > c.limit/nearly {
		_ = c.control.SetReadDeadline(now.Add(c.limit))
		c.last = now
	}
	n, err := c.ReadCloser.Read(p)
	if err != nil { // the server goes on to watch for the client leaving, for as long as it takes
		_ = c.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
