package web

import (
	"context"
	"net/http"
	"time"

	"banyan/modules/kernel/errs"
)

type contextKey int

const (
	requestIDKey contextKey = iota
	exchangeKey
)

// RequestID gives the id of the request under way, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// WithRequestID gives a context that carries the id; clients pass it on.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey, id)
}

// SetRoute names the route template of the request under way for log and metrics. It
// must come from a bounded set, such as the paths of the router or of routes.yaml.
func SetRoute(ctx context.Context, template string) {
	if x, ok := ctx.Value(exchangeKey).(*exchange); ok {
		x.route = template
	}
}

// keepFailure leaves the error for the access log, which runs around the handler.
func keepFailure(r *http.Request, e *errs.Error) {
	if x, ok := r.Context().Value(exchangeKey).(*exchange); ok {
		x.failure = e
	}
}

// exchange is what the edge knows of one request: it is the context that carries the
// id and the bound of time, and the writer that counts the answer, in one allocation.
type exchange struct {
	bounded
	http.ResponseWriter
	began   time.Time
	id      string
	idValue []string // the header's value, shared by request and answer
	route   string
	failure error
	status  int // 0 until the header is written
	bytes   int64
}

// Value answers for the id and the exchange; everything else is the bound's or the
// parent's.
func (x *exchange) Value(key any) any {
	switch key {
	case exchangeKey:
		return x
	case requestIDKey:
		return x.id
	}
	return x.bounded.Value(key)
}

// WriteHeader notes the status of the final answer.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write counts the body.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(p)
	x.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach flushing, deadlines and hijacking.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// answered is the status as the client sees it: no answer at all is an empty 200.
func (x *exchange) answered() int {
	if x.status == 0 {
		return http.StatusOK
	}
	return x.status
}

// begin gives the exchange of a request, a new one at the outermost middleware.
func begin(w http.ResponseWriter, r *http.Request) (*exchange, *http.Request) {
	if x, ok := w.(*exchange); ok {
		return x, r
	}
	x := &exchange{ResponseWriter: w, began: time.Now()}
	x.parent = r.Context()
	x.idValue = requestIDOf(r)
	x.id = x.idValue[0]
	r = r.WithContext(x) //nolint:contextcheck // x is the request's own context, and more
	r.Header[RequestIDHeader] = x.idValue
	return x, r
}
