package main

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"banyan/modules/flights/flightshttp"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/flights/flightssplit"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations/reservationshttp"
	"banyan/modules/reservations/reservationslocal"
	"banyan/proxy"
)

// flightsAway is what the monolith does about flights that are handed over to a service
// with a store of its own.
type flightsAway struct {
	banyan *banyan
	svc    *service.Service

	mu    sync.Mutex
	shown bool
	now   *copies // that are followed, nil: none
}

// gather makes the handler of requests about many flights, which asks both stores.
func (f *flightsAway) gather(away proxy.Away) http.Handler {
	r := web.NewRouter()
	side := flightshttp.NewClient(away.URL, away.Over)
	flightshttp.Mount(r, flightssplit.New(f.banyan.flights, side, flightssplit.Options{}))
	return r
}

// follow keeps up, until ctx ends, what flights and reservations know of the other store:
// the aircraft that were configured there, and the flights that were changed there.
func (f *flightsAway) follow(ctx context.Context, away proxy.Away) {
	c := &copies{
		reference: f.banyan.flights.Copier(flightshttp.NewClient(away.URL, away.Over)),
		events:    f.banyan.reservations.Feed(reservationslocal.FlightsAway, reservationshttp.NewFlightEvents(away.URL, away.Over)),
	}
	f.show(c)
	defer f.hide(c)
	var both sync.WaitGroup
	both.Go(func() { c.reference.Follow(ctx) })
	both.Go(func() { f.banyan.followEvents(ctx, f.svc, c.events) })
	both.Wait()
}

// copies are kept of the other store's data.
type copies struct {
	reference *flightslocal.Copier
	events    *reservationslocal.Feed
}

// lag is that of the copy which is further behind.
func (c *copies) lag() (seconds float64, err error) {
	seconds, err = c.reference.Lag()
	events := c.events.Lag()
	return max(seconds, events.Seconds), errors.Join(err, events.Err)
}

// show makes health and metrics tell how far the copies are behind, from the first time on
// that there is a route to another store.
func (f *flightsAway) show(c *copies) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now = c; f.shown {
		return
	}
	f.shown = true
	f.svc.Follows(reservationslocal.FlightsAway, f.behind)
}

// hide ends what show began, unless other copies are followed by now.
func (f *flightsAway) hide(c *copies) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now == c {
		f.now = nil
	}
}

// behind is the lag, 0 while nothing is followed.
func (f *flightsAway) behind() (seconds float64, err error) {
	f.mu.Lock()
	c := f.now
	f.mu.Unlock()
	if c == nil {
		return 0, nil
	}
	return c.lag()
}

// followEvents keeps the copy of flights up to date. A feed that stops at a malformed
// event does not stop the sales of what is known.
func (b *banyan) followEvents(ctx context.Context, svc *service.Service, feed *reservationslocal.Feed) {
	if err := feed.Follow(ctx); err != nil {
		svc.Log.WithError(err).Error("the copy of flights is no longer kept up")
	}
}
