package web

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/sirupsen/logrus"

	"banyan/modules/kernel/errs"
)

// RequestIDHeader carries the id of a request through every hop.
const RequestIDHeader = "X-Request-Id"

// Middleware wraps a handler. Those of this package share one record of the request,
// which the outermost of them makes.
type Middleware func(http.Handler) http.Handler

// Edge is how a listener of ours is set up. The zero value of a field leaves it out.
type Edge struct {
	Log     *logrus.Entry
	Metrics *Metrics
	MaxBody int64         // bytes; no handler may allow more
	Timeout time.Duration // for a whole request; 0 for streams
	// Bare leaves answers without a request id of ours: they are another program's.
	Bare bool
}

// Wrap puts the middleware around a handler, in the order that keeps log and metrics
// true even when the handler panics.
func (e Edge) Wrap(next http.Handler) http.Handler {
	next = Recover(e.Log)(next)
	next = Limits(e.MaxBody, e.Timeout)(next)
	if e.Metrics != nil {
		next = e.Metrics.Measure(next)
	}
	if e.Log != nil {
		next = AccessLog(e.Log)(next)
	}
	if e.Bare {
		return next
	}
	return RequestIDs(next)
}

// RequestIDs keeps a caller's X-Request-Id if it is at most 64 visible ASCII characters
// and makes one otherwise. It is on the answer, in the context (see RequestID), and on
// the request, so that a proxy forwards it.
func RequestIDs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, r := begin(w, r)
		x.Header()[RequestIDHeader] = x.idValue
		next.ServeHTTP(x, r)
	})
}

const maxRequestID = 64

func requestIDOf(r *http.Request) []string {
	given := r.Header[RequestIDHeader]
	if len(given) == 1 && saneID(given[0]) {
		return given[:1:1]
	}
	return []string{rand.Text()}
}

func saneID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// Limits bounds a request's body in bytes and its time; 0 leaves either unbounded.
func Limits(maxBody int64, timeout time.Duration) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if timeout > 0 {
				var x *exchange
				x, r = begin(w, r)
				w = x
				x.limit(x.began.Add(timeout))
				defer x.end()
			}
			if maxBody > 0 && r.Body != nil && r.Body != http.NoBody {
				r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Recover turns a panic into a 500, with the stack in the log. When part of the answer
// has gone out already, it cuts the connection: a torn answer must not look whole.
func Recover(log *logrus.Entry) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x, r := begin(w, r)
			defer func() {
				p := recover()
				if p == nil {
					return
				}
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p) // a handler's way to cut the connection
				}
				if log != nil {
					log.WithField("request_id", x.id).WithField("stack", string(debug.Stack())).Error("a handler panicked: ", p)
				}
				if x.status != 0 {
					panic(http.ErrAbortHandler)
				}
				clear(x.Header())
				x.Header()[RequestIDHeader] = x.idValue
				Fail(x, r, fmt.Errorf("panic: %v", p))
			}()
			next.ServeHTTP(x, r)
		})
	}
}

// maxLoggedPath bounds the path in a log line, in bytes.
const maxLoggedPath = 256

// AccessLog writes a line for every request: the path without its query, which may hold
// secrets, and the code and cause of a failure. Probes are logged at debug level.
func AccessLog(log *logrus.Entry) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x, r := begin(w, r)
			defer func() {
				if level := levelOf(x, r); log.Logger.IsLevelEnabled(level) {
					log.WithFields(line(x, r, time.Since(x.began))).Log(level, "request")
				}
			}()
			next.ServeHTTP(x, r)
		})
	}
}

func levelOf(x *exchange, r *http.Request) logrus.Level {
	switch {
	case x.status >= http.StatusInternalServerError:
		return logrus.ErrorLevel
	case r.URL.Path == "/ping" || r.URL.Path == "/health" || r.URL.Path == "/metrics":
		return logrus.DebugLevel
	}
	return logrus.InfoLevel
}

func line(x *exchange, r *http.Request, took time.Duration) logrus.Fields {
	path := r.URL.Path
	if len(path) > maxLoggedPath {
		path = path[:maxLoggedPath] + "…"
	}
	fields := logrus.Fields{
		"method": r.Method, "path": path, "route": x.route,
		"status": x.answered(), "bytes": x.bytes,
		"duration_ms": float64(took.Microseconds()) / 1000, "request_id": x.id,
	}
	if x.failure != nil {
		fields["code"] = errs.CodeOf(x.failure)
		fields["error"] = x.failure.Error()
	}
	return fields
}
