package web

import (
	"context"
	"net/http"

	"banyan/modules/kernel/errs"
)

type contextKey int

const (
	requestIDKey contextKey = iota
	failureKey
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

// keepFailure leaves the error for the access log, which runs around the handler.
func keepFailure(r *http.Request, e *errs.Error) {
	if slot, ok := r.Context().Value(failureKey).(*error); ok {
		*slot = e
	}
}
