package main

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"banyan/modules/flights/flightshttp"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/health"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations/reservationshttp"
	"banyan/modules/reservations/reservationslocal"
	"banyan/proxy"
	"banyan/proxy/promotion"
	"banyan/proxy/routes"
	"banyan/proxy/usage"
	"banyan/proxy/weights"
)

const (
	description = "Seats on flights: search, hold, confirm. Errors are application/problem+json with a stable code."
	// inProcess stands for the address of calls that the router answers or forwards.
	inProcess = "http://banyan"
	tidyEvery = 5 * time.Second
)

// banyan is the contexts and the router in front of them.
type banyan struct {
	flights      *flightslocal.Service
	reservations *reservationslocal.Service
	feed         *reservationslocal.Feed
	router       *proxy.Router
	usage        *usage.Usage
	public       http.Handler
	keepEvents   time.Duration
}

// wire is the only place where contexts meet: reservations reads flights' events by the
// same routing decision as any caller of them.
func wire(ctx context.Context, svc *service.Service, d *data, s *serveSettings) (*banyan, error) {
	b := &banyan{flights: flightslocal.New(d.flights), usage: usage.New(nil), keepEvents: *s.keepEvents}
	var err error
	if b.reservations, err = reservationslocal.NewSQL(ctx, d.reservations, d.seats); err != nil {
		return nil, err
	}
	monolith := web.NewRouter()
	flightshttp.Mount(monolith, b.flights)
	flightshttp.MountSide(monolith, b.flights) // what was extracted copies reference data
	reservationshttp.Mount(monolith, b.reservations)

	b.router, err = proxy.New(ctx, proxy.Options{
		Config: s.routes, Modules: map[string]http.Handler{routes.Monolith: monolith},
		Weights: weights.New(d.proxy), Promotions: promotion.New(d.proxy), Log: svc.Log, Registry: svc.Registry,
		Handover: b.handover(svc, d, s), Observers: []proxy.Observer{b.usage},
	})
	if err != nil {
		return nil, err
	}
	// The flights of a rebooking may be owned elsewhere by now.
	b.reservations.Peers(reservationshttp.NewClient(inProcess, b.router.Transport()))
	b.feed = b.reservations.Feed(reservationslocal.FlightsHome, reservationshttp.NewFlightEvents(inProcess, b.router.Transport()))
	b.watch(svc, d)

	common := web.NewRouter()
	if err := svc.MountCommon(common, "Banyan", description, flightshttp.Spec, reservationshttp.Spec); err != nil {
		return nil, err
	}
	b.public = svc.Edge().Wrap(inFront(common, b.router))
	return b, nil
}

// handover says how the contexts' data is moved with the traffic of stateful routes.
func (b *banyan) handover(svc *service.Service, d *data, s *serveSettings) proxy.Handover {
	away := &flightsAway{banyan: b, svc: svc}
	return proxy.Handover{
		Token: *s.participant, Journal: d.proxy,
		Participants: map[string]handover.Participant{
			flightsData:      b.flights.Participant(),
			reservationsData: b.reservations.Participant(),
		},
		Gather: map[string]func(proxy.Away) http.Handler{flightsData: away.gather},
		Follow: map[string]func(context.Context, proxy.Away){flightsData: away.follow},
	}
}

// watch makes readiness depend on what the contexts depend on.
func (b *banyan) watch(svc *service.Service, d *data) {
	svc.DependsOn(flightsData, health.Database(d.flights))
	svc.DependsOn(reservationsData, b.reservations.Ping)
	svc.DependsOn(proxyData, health.Database(d.proxy))
	svc.Follows(reservationslocal.FlightsHome, func() (float64, error) {
		lag := b.feed.Lag()
		return lag.Seconds, lag.Err
	})
}

// loops keeps the contexts going until ctx ends.
func (b *banyan) loops(ctx context.Context, svc *service.Service, group *errgroup.Group) {
	group.Go(func() error { b.router.Run(ctx); return nil })
	group.Go(func() error {
		if err := b.flights.Prepare(ctx); err != nil && ctx.Err() == nil {
			svc.Log.WithError(err).Warn("the flights are not ready to be handed over; the first move tries again")
		}
		return nil
	})
	group.Go(func() error { b.followEvents(ctx, svc, b.feed); return nil })
	group.Go(func() error {
		b.flights.KeepEvents(ctx, b.keepEvents, func(err error) { svc.Log.WithError(err).Warn("old events of others stay; it is tried again") })
		return nil
	})
	group.Go(func() error {
		b.reservations.Tidy(ctx, tidyEvery, func(err error) { svc.Log.WithError(err).Warn("tidying failed; it is tried again") })
		return nil
	})
}

// inFront answers the paths of the program itself and leaves the others to the router.
func inFront(common, router http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ping", "/health", "/metrics", "/version", "/openapi.json", "/docs":
			common.ServeHTTP(w, r)
		default:
			router.ServeHTTP(w, r)
		}
	})
}
