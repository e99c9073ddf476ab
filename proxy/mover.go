package proxy

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/canary"
	"banyan/proxy/handover"
	"banyan/proxy/routes"
)

// Handover is what a Router needs to move data with the traffic of stateful routes.
type Handover struct {
	// Journal is the router's own schema, the one that keeps the weights.
	Journal *sqldb.DB
	// Participants are the stores of the modules in this process, by the name that a
	// stateful route gives its participant.
	Participants map[string]kernel.Participant
	// Gather makes the handler of requests that are about no single bucket, such as
	// searches, by participant: it asks both sides, and puts their parts together. Without
	// it such requests are asked of one side, then the other.
	Gather map[string]func(away Away) http.Handler
	// Follow keeps the copies up to date that home has of the data of the extracted side,
	// by participant, until ctx ends. It runs while a route to that side is in force.
	Follow map[string]func(ctx context.Context, away Away)
	// Token is shown to participants elsewhere, "" for none.
	Token string
	// AcceptDataLoss lets a store become owner that may lose what it acknowledged.
	AcceptDataLoss bool
}

// Away is how the extracted side of a stateful route is called: at the base of URL, over a
// transport that goes to any fit instance by the backend's authorities.
type Away struct {
	URL  string
	Over http.RoundTripper
}

// mover knows who owns the buckets of a stateful route, and moves them. It outlives
// tables as long as the route's settings stay the same.
type mover struct {
	route       string
	settings    moverSettings
	wait        routes.Stateful
	coordinator *handover.Coordinator
	owners      *handover.Map
	away        Away
	gather      http.Handler               // nil: none
	waiters     [bucket.Count]atomic.Int32 // requests that wait for a bucket
	waiting     atomic.Int64               // all of them
	strain      handover.Strain            // of the route's requests
}

// moverSettings are what a mover cannot change while it runs.
type moverSettings struct {
	away, homeURL, awayURL string
	stateful               string // as text: it has a slice
}

// moves tells whether a route's data must move with its traffic: it is stateful and its
// two backends do not work on one store.
func moves(c *routes.Config, r routes.Route) bool {
	if r.Stateful == nil {
		return false
	}
	home, _ := c.Backend(routes.Monolith)
	away, _ := c.Backend(r.Stateful.Participant)
	return home.Store == "" || home.Store != away.Store
}

// prepare starts a mover for every route that needs one and has none yet, before the
// route is put in force. Those that run already are left alone.
func (p *Router) prepare(ctx context.Context, c *routes.Config) (map[string]*mover, error) {
	p.mu.Lock()
	old := p.movers
	p.mu.Unlock()
	movers := map[string]*mover{}
	for _, r := range c.Routes {
		if !moves(c, r) {
			continue
		}
		s := settingsOf(c, r)
		if m := old[r.ID]; m != nil && m.settings == s {
			movers[r.ID] = m
			continue
		}
		m, err := p.newMover(c, r, s)
		if err == nil {
			err = m.coordinator.Start(ctx)
		}
		if err != nil {
			return nil, &routes.Error{Problems: []routes.Problem{{
				File: c.File, Line: r.Line, Code: errs.CodeOf(err), Text: "route " + r.ID + " cannot hand over its data: " + err.Error(),
			}}}
		}
		movers[r.ID] = m
	}
	return movers, nil
}

func settingsOf(c *routes.Config, r routes.Route) moverSettings {
	home, _ := c.Backend(routes.Monolith)
	away, _ := c.Backend(r.Stateful.Participant)
	return moverSettings{away: away.Name, homeURL: home.URL, awayURL: away.URL, stateful: r.Stateful.String()}
}

func (p *Router) newMover(c *routes.Config, r routes.Route, s moverSettings) (*mover, error) {
	if p.handover.Journal == nil {
		return nil, errs.E(errs.Unsafe, "this router has no journal; give it a database")
	}
	m := &mover{route: r.ID, settings: s, wait: *r.Stateful}
	home, err := p.side(c, routes.Monolith, s.away)
	if err != nil {
		return nil, err
	}
	away, err := p.side(c, s.away, s.away)
	if err != nil {
		return nil, err
	}
	tell := p.metrics.moved(r.ID, routes.Monolith)
	m.coordinator, err = handover.New(handover.Options{
		Journal: handover.NewJournal(p.handover.Journal, r.ID), Home: home, Away: away,
		Desired:     func(ctx context.Context) (handover.Desired, error) { return p.desired(ctx, m) },
		PauseBudget: r.Stateful.PauseBudget, Retain: r.Stateful.Retain, MaxMoves: r.Stateful.MaxMoves,
		AcceptDataLoss: p.handover.AcceptDataLoss, Load: m.strain.Load,
		Observe: func(report handover.Report) {
			m.strain.Moved(time.Now())
			tell(report)
		},
	})
	if err != nil {
		return nil, err
	}
	m.owners = m.coordinator.Map()
	m.away = Away{URL: s.awayURL, Over: p.over(c, s.away)}
	if gather := p.handover.Gather[s.away]; gather != nil {
		m.gather = gather(m.away)
	}
	return m, nil
}

// side gives a backend's store: in this process, or by the participant API.
func (p *Router) side(c *routes.Config, name, participant string) (handover.Side, error) {
	b, _ := c.Backend(name)
	if b.Kind == routes.HTTP {
		return handover.Side{Name: name, Participant: handoverhttp.NewClient(b.URL, participant, p.handover.Token, p.over(c, name))}, nil
	}
	local := p.handover.Participants[participant]
	if local == nil {
		return handover.Side{}, errs.E(errs.Unsafe, "this process has no store that can hand over the buckets of %s", participant)
	}
	return handover.Side{Name: name, Participant: local}, nil
}

// over is the way to a backend's instances.
func (p *Router) over(c *routes.Config, name string) http.RoundTripper {
	b, _ := c.Backend(name)
	return &anyInstance{router: p, first: b}
}

// desired tells a mover what the weights in force ask for.
func (p *Router) desired(ctx context.Context, m *mover) (handover.Desired, error) {
	r := p.table.Load().byID[m.route]
	if r == nil || r.mover != m {
		return handover.Desired{Paused: true}, nil // no longer in force: begin nothing
	}
	pins, err := m.coordinator.Journal().Pins(ctx)
	if err != nil {
		return handover.Desired{}, err
	}
	return handover.Desired{
		Weight: r.weights[m.settings.away], Paused: r.row != nil && r.row.Paused, Pins: handover.PinsOf(pins, m.settings.away),
	}, nil
}

// actual is the share of buckets that the extracted side owns.
func (m *mover) actual() canary.Weight {
	return canary.Weight(m.coordinator.Progress().Actual)
}

// move moves a route's data until ctx ends.
func (p *Router) move(ctx context.Context, m *mover) {
	if err := m.coordinator.Run(ctx); err != nil {
		p.log.WithError(err).WithField("route", m.route).Error("the route's data is no longer moved")
	}
}

// watchMovers keeps the movers of the table in force running.
func (p *Router) watchMovers(ctx context.Context, loops *sync.WaitGroup) {
	running := map[*mover]context.CancelFunc{}
	for {
		p.mu.Lock()
		current := map[*mover]bool{}
		for _, m := range p.movers {
			current[m] = true
		}
		p.mu.Unlock()
		for m, stop := range running {
			if !current[m] {
				stop()
				delete(running, m)
			}
		}
		for m := range current {
			if running[m] != nil {
				m.coordinator.Kick() // weights may have changed
				continue
			}
			own, stop := context.WithCancel(ctx)
			running[m] = stop
			loops.Go(func() { p.move(own, m) })
			if follow := p.handover.Follow[m.settings.away]; follow != nil {
				loops.Go(func() { follow(own, m.away) })
			}
		}
		select {
		case <-ctx.Done():
			for _, stop := range running {
				stop()
			}
			return
		case <-p.moved:
		}
	}
}
