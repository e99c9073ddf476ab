package redisstore

import (
	"sync"

	"banyan/modules/reservations/internal/store"
)

// cachedFlights bounds each of the cache's two generations; both full are some 15 MB.
const cachedFlights = 32768

// flightCache remembers flights that were asked for or written lately, to guess with; a
// commit verifies the guess. When the young generation is full it becomes the old one.
type flightCache struct {
	mu         sync.Mutex
	young, old map[string]cachedFlight
}

type cachedFlight struct {
	record string // as stored
	flight store.Flight
}

func (c *flightCache) get(id string) (cachedFlight, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.young[id]
	if !ok {
		if f, ok = c.old[id]; ok {
			c.keep(id, f)
		}
	}
	return f, ok
}

func (c *flightCache) put(id string, f cachedFlight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(id, f)
}

// keep is called under the lock.
func (c *flightCache) keep(id string, f cachedFlight) {
	if len(c.young) >= cachedFlights || c.young == nil {
		c.old, c.young = c.young, make(map[string]cachedFlight, 64)
	}
	c.young[id] = f
}
