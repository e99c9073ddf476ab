package routes

import (
	"fmt"

	"banyan/modules/kernel/errs"
	"banyan/proxy/canary"
)

// CheckWeights judges weights of a route, wherever they come from: they name backends
// of the route, sum to 100 %, and do not leave data behind. errs: Invalid, Unsafe.
func (c *Config) CheckWeights(r Route, weights map[string]canary.Weight) error {
	has := r.Weights()
	sum := canary.None
	for name, w := range weights {
		if _, ok := has[name]; !ok {
			return errs.E(errs.Invalid, "route %s has no backend %s; it has %s", r.ID, name, list(names(r.Shares)))
		}
		if w < canary.None || w > canary.Full {
			return errs.E(errs.Invalid, "the weight of %s must be 0%% to 100%%", name)
		}
		sum += w
	}
	if sum != canary.Full {
		return errs.E(errs.Invalid, "the weights of route %s sum to %s; they must sum to 100%%", r.ID, sum)
	}
	return c.checkShift(r, weights)
}

// checkShift refuses a shift between backends that do not declare the same store: what
// was written on one side would be missing on the other.
func (c *Config) checkShift(r Route, weights map[string]canary.Weight) error {
	home, _ := c.Backend(Monolith)
	for _, s := range r.Shares {
		if s.Backend == Monolith || weights[s.Backend] == canary.None {
			continue
		}
		b, _ := c.Backend(s.Backend)
		if b.Store != "" && b.Store == home.Store {
			continue
		}
		if r.Stateful != nil && b.Name == r.Stateful.Participant {
			continue // the data moves with the traffic
		}
		why := fmt.Sprintf("%s and %s do not declare the same store (%s, %s), so the data would stay behind",
			Monolith, b.Name, storeName(home.Store), storeName(b.Store))
		remedy := fmt.Sprintf("keep %s at 0%%, or let both work on one database and declare its name as store of both", b.Name)
		if r.Stateful == nil {
			remedy += ", or make the route stateful, so that its data is handed over"
		}
		return errs.E(errs.Unsafe, "route %s cannot be shifted to %s: %s: %s", r.ID, b.Name, why, remedy).With("route", r.ID)
	}
	return nil
}

func storeName(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func names(shares []Share) []string {
	out := make([]string, len(shares))
	for i, s := range shares {
		out[i] = s.Backend
	}
	return out
}
