package main

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"
	"golang.org/x/sync/errgroup"

	"banyan/modules/flights/flightshttp"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/kernel/web"
)

// participant is the name under which a coordinator finds the store.
const participant = "flights"

// openStore makes the service over the monolith's schema, or its own. errs: Unsafe if a
// schema that is to be its own was made by a monolith.
func (s settings) openStore(ctx context.Context, db *sqldb.DB) (*flightslocal.Service, error) {
	if !s.participates() {
		return flightslocal.New(db), nil
	}
	svc, err := flightslocal.Open(ctx, db, flightslocal.Options{Empty: !*s.own})
	if err != nil || *s.own {
		return svc, err
	}
	page, err := svc.Reference(ctx, 0, "")
	if err == nil && page.Side != flightslocal.Away {
		err = errs.E(errs.Unsafe, "--home-url is for a schema of this service's own, but the one of --mysql-dsn was made by who owned every flight, such as the monolith; name another")
	}
	return svc, err
}

// mount adds the context's paths and, if flights can be handed over to the store, those of
// a participant and of a side. It gives their specifications.
func (s settings) mount(router *mux.Router, svc *flightslocal.Service) [][]byte {
	flightshttp.Mount(router, svc)
	if !s.participates() {
		return [][]byte{flightshttp.Spec}
	}
	handoverhttp.Mount(router, participant, svc.Participant(), *s.token)
	flightshttp.MountSide(router, svc)
	return [][]byte{flightshttp.Spec, handoverhttp.Spec}
}

// wrap puts the edge around the paths; that of the participant's lets more through.
func (s settings) wrap(svc *service.Service, router http.Handler) http.Handler {
	if !s.participates() {
		return svc.Edge().Wrap(router)
	}
	return handoverhttp.Wrap(svc.Edge(), router)
}

// takePart gets the store ready for what is handed over, and keeps its copy of the other
// side's reference data.
func (s settings) takePart(ctx context.Context, svc *service.Service, store *flightslocal.Service, group *errgroup.Group) {
	if !s.participates() {
		return
	}
	group.Go(func() error {
		if err := store.Prepare(ctx); err != nil && ctx.Err() == nil {
			svc.Log.WithError(err).Warn("the flights are not ready to be handed over; the first move tries again")
		}
		return nil
	})
	if *s.own {
		return // there is nothing at home that is not here
	}
	copier := store.Copier(flightshttp.NewClient(*s.home, web.NewTransport(web.TransportOptions{})))
	svc.Follows("flights-reference", copier.Lag)
	group.Go(func() error { copier.Follow(ctx); return nil })
}
