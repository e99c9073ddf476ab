package proxy

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"banyan/proxy/routes"
	"banyan/proxy/shadow"
)

// shadows is what the router knows of copies: who compares, and how each backend is
// asked. Copies have connections of their own, so that they never take one from a client.
type shadows struct {
	*shadow.Shadower
	sides map[*backend]*copySide // guarded by the router's mu
	calls *prometheus.HistogramVec
}

// copySide is the way of copies to a backend.
type copySide struct {
	ask  shadow.Side
	legs []*leg // to each instance in turn; none in this process
}

func (p *Router) newShadows(registry prometheus.Registerer) (err error) {
	// Copies are no calls that a client waits for: their times are not shown among those.
	calls := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "copies"}, []string{"method", "server", "code"})
	p.shadows = shadows{sides: map[*backend]*copySide{}, calls: calls}
	p.shadows.Shadower, err = shadow.New(registry)
	return err
}

func (s *shadows) compare(ctx context.Context) { s.Run(ctx) }

// Shadow gives what compares the router's copies, for those who look at the result.
func (p *Router) Shadow() *shadow.Shadower { return p.shadows.Shadower }

// shadow puts the shadows of a table in force; the caller holds mu.
func (p *Router) shadow(t *table, backends map[string]*backend) {
	var plans []shadow.Plan
	used := map[*backend]*copySide{}
	side := func(b *backend) *copySide {
		if used[b] == nil {
			if used[b] = p.shadows.sides[b]; used[b] == nil {
				used[b] = p.newCopySide(b)
			}
		}
		return used[b]
	}
	for _, r := range t.routes {
		if r.Shadow == nil || r.Shadow.Percent == 0 {
			continue
		}
		home, away := r.arms[0].backend, backends[r.Shadow.Backend]
		plans = append(plans, shadow.Plan{
			Route: r.ID, Version: r.Fingerprint + " " + strings.Join(away.Instances(), " "), Settings: *r.Shadow,
			Old: side(home).ask, New: side(away).ask, Timeout: max(home.Timeout, away.Timeout),
			Ready: func() bool { return !away.down() },
		})
	}
	kept := p.shadows.Keep(plans)
	for _, r := range t.routes {
		r.shadow = kept[r.ID]
	}
	for b, old := range p.shadows.sides {
		if used[b] != nil {
			continue
		}
		for _, l := range old.legs {
			l.close()
		}
	}
	p.shadows.sides = used
}

func (p *Router) newCopySide(b *backend) *copySide {
	if b.handler != nil {
		return &copySide{ask: func(w http.ResponseWriter, r *http.Request) error {
			b.handler.ServeHTTP(w, r)
			return nil
		}}
	}
	side := &copySide{}
	for _, url := range b.Instances() {
		side.legs = append(side.legs, newLeg(b.At(url), p.shadows.calls, silent()))
	}
	var next atomic.Uint32
	side.ask = func(w http.ResponseWriter, r *http.Request) error {
		own := side.legs[int(next.Add(1))%len(side.legs)]
		_, err := own.try(w, r, b, &body{})
		return err
	}
	return side
}

// tee gives the writer that keeps an answer of the home for comparison, nil if this
// request is not chosen.
func tee(w http.ResponseWriter, r *http.Request, a *arm, match *target) *shadow.Tee {
	if match == nil || match.route.shadow == nil || a != &match.route.arms[0] {
		return nil
	}
	return match.route.shadow.Tee(w, r)
}

// serveTeed answers as ever, and only then lets the answer be compared: if it was whole,
// and the home's.
func (p *Router) serveTeed(t *shadow.Tee, r *http.Request, a *arm, match *target) {
	defer t.Close()
	p.answer(t, r, a, match)
	if by := t.Header()[BackendHeader]; len(by) > 0 && by[0] == routes.Monolith {
		t.Send()
	}
}
