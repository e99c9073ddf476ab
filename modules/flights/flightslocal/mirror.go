package flightslocal

import (
	"context"
	"sync"
	"time"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
)

// The patience of a Copier.
const (
	mirrorEvery  = time.Second
	mirrorMost   = 10 * time.Second
	mirrorsPages = 100_000 // a source that gives more is broken
)

// Copier keeps this store's reference data up to date with the other side's. Each side of
// a handover copies from the other, for either may make a configuration.
type Copier struct {
	service *Service
	source  flights.Mirror

	mu       sync.Mutex
	complete time.Time
	err      error
}

// Copier reads from the other side.
func (s *Service) Copier(source flights.Mirror) *Copier {
	return &Copier{service: s, source: source, complete: time.Now()}
}

// Lag tells for how many seconds the copy may have been behind, and why the last step
// failed, if it did.
func (c *Copier) Lag() (seconds float64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.complete).Seconds(), c.err
}

// Follow copies what changes until ctx ends. It waits and tries again when the source or
// the store fails.
func (c *Copier) Follow(ctx context.Context) {
	pause := mirrorEvery
	for {
		if c.CatchUp(ctx) != nil {
			pause = min(2*pause, mirrorMost)
		} else {
			pause = mirrorEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// CatchUp copies everything if anything has changed, and returns.
func (c *Copier) CatchUp(ctx context.Context) error {
	before := time.Now()
	err := c.copy(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err = err; err == nil {
		c.complete = before
	}
	return err
}

func (c *Copier) copy(ctx context.Context) error {
	side, known, err := c.service.store.Other(ctx)
	if err != nil {
		return err
	}
	first, err := c.source.Reference(ctx, known, "")
	if err != nil || first.Changes <= known {
		return err
	}
	for page, n := first, 0; ; n++ {
		if n == mirrorsPages || page.Side != side {
			return errs.E(errs.BadGateway, "the reference data of the other side makes no sense")
		}
		if err := c.service.store.PutMirrored(ctx, &page); err != nil {
			return err
		}
		if page.Next == "" {
			return c.service.store.SaveMirrored(ctx, side, first.Changes)
		}
		if page, err = c.source.Reference(ctx, known, page.Next); err != nil {
			return err
		}
	}
}
