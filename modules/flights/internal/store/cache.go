package store

import (
	"sync"
	"time"
)

const (
	maxCached = 20_000           // all airports of the world, or so many configurations
	cacheLife = 10 * time.Minute // after which airports are read again
)

// cache keeps rows by code. It forgets everything when it is full or old.
type cache[V any] struct {
	mu   sync.RWMutex
	rows map[string]V
	born time.Time
}

func newCache[V any]() *cache[V] { return &cache[V]{rows: map[string]V{}, born: time.Now()} }

// get gives what is known of the codes, and the codes it knows nothing of, each once.
func (c *cache[V]) get(codes []string) (map[string]V, []string) {
	found := make(map[string]V, len(codes))
	var missing []string
	c.mu.RLock()
	defer c.mu.RUnlock()
	old := time.Since(c.born) > cacheLife
	for _, code := range codes {
		if _, ok := found[code]; ok {
			continue
		}
		v, ok := c.rows[code]
		if !ok || old {
			missing = append(missing, code)
			ok = false
		}
		if ok {
			found[code] = v
		}
	}
	return found, missing
}

func (c *cache[V]) put(rows map[string]V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rows)+len(rows) > maxCached || time.Since(c.born) > cacheLife {
		c.rows, c.born = map[string]V{}, time.Now()
	}
	for code, v := range rows {
		c.rows[code] = v
	}
}
