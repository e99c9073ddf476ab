package wall

import (
	"fmt"
	"sync"
	"time"
)

// maxZones bounds the zones kept; the database has fewer than 600 names.
const maxZones = 1024

// Zones loads time zones once. The zero value is ready.
type Zones struct {
	mu    sync.RWMutex
	known map[string]*time.Location
}

// Load gives the zone of an IANA name such as Europe/Berlin.
func (z *Zones) Load(name string) (*time.Location, error) {
	z.mu.RLock()
	loc, ok := z.known[name]
	z.mu.RUnlock()
	if ok {
		return loc, nil
	}
	if name == "" || name == "Local" { // names that LoadLocation takes, but no airport has
		return nil, fmt.Errorf("%q is not an IANA time zone", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.known == nil || len(z.known) >= maxZones {
		z.known = map[string]*time.Location{}
	}
	z.known[name] = loc
	return loc, nil
}
