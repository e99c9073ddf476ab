package store

import (
	"slices"
	"sync"
	"time"
)

const (
	maxRows   = 20_000           // all airports of the world, or so many configurations
	maxMaps   = 256              // seat maps, of some 40 KB
	cacheLife = 10 * time.Minute // after which airports are read again
)

// cache keeps rows by code. It forgets everything when it is full or old.
type cache[V any] struct {
	mu   sync.RWMutex
	rows map[string]V
	born time.Time
	most int
}

func newCache[V any](most int) *cache[V] {
	return &cache[V]{rows: map[string]V{}, born: time.Now(), most: most}
}

// load gives the rows of the codes, in their order, and reads those it does not know; one
// that is not there is the zero value.
func (c *cache[V]) load(codes []string, read func(missing []string) (map[string]V, error)) ([]V, error) {
	list, missing := c.get(codes)
	if len(missing) == 0 {
		return list, nil
	}
	fresh, err := read(missing)
	if err != nil {
		return nil, err
	}
	c.put(fresh)
	for i, code := range codes {
		if v, ok := fresh[code]; ok {
			list[i] = v
		}
	}
	return list, nil
}

// get gives what is known of the codes, and the codes it knows nothing of, each once.
func (c *cache[V]) get(codes []string) (list []V, missing []string) {
	list = make([]V, len(codes))
	c.mu.RLock()
	defer c.mu.RUnlock()
	old := time.Since(c.born) > cacheLife
	for i, code := range codes {
		if v, ok := c.rows[code]; ok && !old {
			list[i] = v
		} else if !slices.Contains(missing, code) {
			missing = append(missing, code)
		}
	}
	return list, missing
}

func (c *cache[V]) put(rows map[string]V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rows)+len(rows) > c.most || time.Since(c.born) > cacheLife {
		c.rows, c.born = map[string]V{}, time.Now()
	}
	for code, v := range rows {
		c.rows[code] = v
	}
}
