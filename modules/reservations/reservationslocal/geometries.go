package reservationslocal

import (
	"context"
	"slices"
	"sync"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations/internal/rules"
	"banyan/modules/reservations/internal/store"
)

// maxGeometries bounds the cache: some 4 KB each.
const maxGeometries = 1024

// geometries caches seat maps. A configuration never changes under its id, so an
// entry is never stale.
type geometries struct {
	store store.Catalogue
	mu    sync.RWMutex
	known map[string]rules.Geometry
}

func newGeometries(st store.Catalogue) *geometries {
	return &geometries{store: st, known: map[string]rules.Geometry{}}
}

func (c *geometries) cached(configuration string) (rules.Geometry, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	g, ok := c.known[configuration]
	return g, ok
}

// get asks the store for what is not cached. A configuration that the store does not
// know either is errs.Unavailable: its event is still to come.
func (c *geometries) get(ctx context.Context, configuration string) (rules.Geometry, error) {
	if g, ok := c.cached(configuration); ok {
		return g, nil
	}
	seats, err := c.store.Geometry(ctx, configuration)
	if err != nil {
		return nil, err
	}
	if seats == nil {
		return nil, errs.E(errs.Unavailable, "the seat map %s has not arrived yet; try again", configuration)
	}
	seats = slices.Clone(seats)
	slices.Sort(seats)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxGeometries {
		for k := range c.known { // any one: all are cheap to fetch again
			delete(c.known, k)
			break
		}
	}
	c.known[configuration] = seats
	return seats, nil
}
