package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"banyan/modules/kernel/web"
)

// within runs f with the context of a request that is bounded by limit.
func within(t *testing.T, parent context.Context, limit time.Duration, f func(context.Context)) {
	t.Helper()
	h := web.Limits(0, limit)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r.Context()) }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(parent, http.MethodGet, "/", nil))
}

// TestBoundOfTime: whoever asks the context of a request about its time, in whatever
// way and order, is told the same.
func TestBoundOfTime(t *testing.T) {
	const long, short = time.Hour, time.Millisecond
	closed := func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Error("not done")
		}
	}
	over := func(ctx context.Context) {
		for ctx.Err() == nil {
			time.Sleep(short)
		}
	}
	for _, c := range []struct {
		name  string
		limit time.Duration
		ask   func(context.Context)
	}{
		{"wait", short, closed},
		{"poll", short, over},
		{"poll, then wait", short, func(ctx context.Context) { over(ctx); closed(ctx) }},
		{"wait in a child", short, func(ctx context.Context) {
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			closed(child)
			if !errors.Is(child.Err(), context.DeadlineExceeded) {
				t.Errorf("the child says %v", child.Err())
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			within(t, t.Context(), c.limit, func(ctx context.Context) {
				c.ask(ctx)
				if !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
					t.Errorf("it says %v, because of %v", ctx.Err(), context.Cause(ctx))
				}
			})
		})
	}
	t.Run("not yet", func(t *testing.T) {
		within(t, t.Context(), long, func(ctx context.Context) {
			if until, ok := ctx.Deadline(); !ok || time.Until(until) > long || time.Until(until) < long/2 || ctx.Err() != nil {
				t.Errorf("until %v (%v), %v", until, ok, ctx.Err())
			}
		})
	})
	t.Run("an earlier one of the caller's", func(t *testing.T) {
		parent, cancel := context.WithTimeout(t.Context(), short)
		defer cancel()
		within(t, parent, long, func(ctx context.Context) {
			if until, _ := ctx.Deadline(); time.Until(until) > short {
				t.Errorf("until %v", until)
			}
			closed(ctx)
		})
	})
}

// TestBoundEndsWithTheRequest: what a handler leaves behind is cancelled.
func TestBoundEndsWithTheRequest(t *testing.T) {
	var asked, unasked context.Context
	within(t, t.Context(), time.Hour, func(ctx context.Context) { asked = ctx; _ = ctx.Done() })
	within(t, t.Context(), time.Hour, func(ctx context.Context) { unasked = ctx })
	for name, ctx := range map[string]context.Context{"asked": asked, "unasked": unasked} {
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("%s: %v", name, ctx.Err())
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Errorf("%s: not done", name)
		}
	}
}
