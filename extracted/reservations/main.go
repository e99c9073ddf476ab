// Command banyan-reservations is the reservations context alone: the same code as in the
// single binary, over the monolith's schema, or with a store of its own, to which flights
// are handed over.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations/reservationshttp"
	"banyan/modules/reservations/reservationslocal"
)

const (
	name      = "banyan-reservations"
	tidyEvery = 5 * time.Second
)

func main() { service.Main(name, run) }

func run(ctx context.Context, p service.Process) (err error) {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	s := addFlags(fs)
	if start, err := service.Parse(fs, p, name+" serves reservations: holds, bookings, the state of seats.", s.check); err != nil || !start {
		return err
	}
	svc, listener, err := s.Start(ctx, name, p.Stderr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	seats, done, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	s.peers(seats)
	svc.DependsOn("reservations", seats.Ping)
	if s.participates() && s.Exposed() && *s.token == "" {
		svc.Log.Warn("whoever reaches --listen can hand flights over: set --participant-token, or keep /participant/ from others")
	}
	router := web.NewRouter()
	if err := svc.MountCommon(router, "Banyan reservations", "Holds, bookings, the state of seats.", s.mount(router, seats)...); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return svc.Serve(ctx, listener, s.wrap(svc, router), s.ServerOptions()) })
	group.Go(func() error {
		seats.Tidy(ctx, tidyEvery, func(err error) { svc.Log.WithError(err).Warn("tidying failed; it is tried again") })
		return nil
	})
	if *s.flights != "" {
		group.Go(func() error { follow(ctx, svc, seats, reservationslocal.FlightsHome, *s.flights); return nil })
	}
	if *s.flightsAway != "" {
		group.Go(func() error { follow(ctx, svc, seats, reservationslocal.FlightsAway, *s.flightsAway); return nil })
	}
	return group.Wait()
}

// follow keeps up the copy of flights from a source; when it ends, what is known is still
// sold.
func follow(ctx context.Context, svc *service.Service, seats *reservationslocal.Service, source, url string) {
	feed := seats.Feed(source, reservationshttp.NewFlightEvents(url, web.NewTransport(web.TransportOptions{})))
	svc.Follows(source, func() (float64, error) { lag := feed.Lag(); return lag.Seconds, lag.Err })
	if err := feed.Follow(ctx); err != nil {
		svc.Log.WithError(err).Error("the copy of flights is no longer kept up")
	}
}
