// Package guess lets a store decide before it asks: what was last known of a flight, and
// an estimate of the store's clock. Whoever writes on a guess verifies it in the same
// atomic step, so that a wrong one costs a second try and nothing else.
package guess

import "sync"

// cached bounds each of a cache's two generations.
const cached = 32768

// Cache remembers by flight what was read or written lately. When the young generation
// is full it becomes the old one. The zero value is empty and ready.
type Cache[V any] struct {
	mu         sync.Mutex
	young, old map[string]V
}

// Get gives what is known of a flight.
func (c *Cache[V]) Get(id string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.young[id]
	if !ok {
		if v, ok = c.old[id]; ok {
			c.keep(id, v)
		}
	}
	return v, ok
}

// Put remembers a flight.
func (c *Cache[V]) Put(id string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(id, v)
}

// keep is called under the lock.
func (c *Cache[V]) keep(id string, v V) {
	if len(c.young) >= cached || c.young == nil {
		c.old, c.young = c.young, make(map[string]V, 64)
	}
	c.young[id] = v
}
