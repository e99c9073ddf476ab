package web

import (
	"context"
	"sync/atomic"
	"time"
)

// bounded is a context with a bound of time whose timer is made when somebody first
// waits for it: most requests end without anybody waiting.
type bounded struct {
	parent context.Context
	until  time.Time // zero: no bound; set before the context is shared
	over   atomic.Bool
	timed  atomic.Pointer[timed]
}

// timed is the context that has the timer.
type timed struct {
	context.Context
	cancel context.CancelFunc
}

// limit sets the bound, which earlier ones stay within.
func (b *bounded) limit(until time.Time) {
	if b.until.IsZero() || until.Before(b.until) {
		b.until = until
	}
}

// end cancels the context for those who wait, and for those who will.
func (b *bounded) end() {
	b.over.Store(true)
	if t := b.timed.Load(); t != nil {
		t.cancel()
	}
}

// Deadline implements context.Context.
func (b *bounded) Deadline() (time.Time, bool) {
	until, ok := b.parent.Deadline()
	if b.until.IsZero() || (ok && until.Before(b.until)) {
		return until, ok
	}
	return b.until, true
}

// Done implements context.Context.
func (b *bounded) Done() <-chan struct{} {
	if t := b.timed.Load(); t != nil {
		return t.Done()
	}
	if b.until.IsZero() {
		return b.parent.Done()
	}
	t := &timed{}
	t.Context, t.cancel = context.WithDeadline(b.parent, b.until)
	if !b.timed.CompareAndSwap(nil, t) {
		t.cancel()
		return b.timed.Load().Done()
	}
	if b.over.Load() {
		t.cancel()
	}
	return t.Done()
}

// Err implements context.Context.
func (b *bounded) Err() error {
	if t := b.timed.Load(); t != nil {
		return t.Err()
	}
	err := b.parent.Err()
	switch {
	case err != nil || b.until.IsZero():
		return err
	case b.over.Load():
		return context.Canceled
	case time.Now().Before(b.until):
		return nil
	}
	return context.DeadlineExceeded
}

// Value implements context.Context. Contexts made from this one find the one with the
// timer here, and need no goroutine to wait for it.
func (b *bounded) Value(key any) any {
	if t := b.timed.Load(); t != nil {
		return t.Value(key)
	}
	return b.parent.Value(key)
}
