package main

import (
	"net/http"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations/reservationshttp"
	"banyan/modules/reservations/reservationslocal"
)

// participant is the name under which a coordinator finds the store.
const participant = "reservations"

// mount adds the context's paths and, if flights can be handed over to the store, those of
// a participant. It gives their specifications.
func (s settings) mount(router *mux.Router, seats *reservationslocal.Service) [][]byte {
	reservationshttp.Mount(router, seats)
	if !s.participates() {
		return [][]byte{reservationshttp.Spec}
	}
	handoverhttp.Mount(router, participant, seats.Participant(), *s.token)
	return [][]byte{reservationshttp.Spec, handoverhttp.Spec}
}

// wrap puts the edge around the paths; that of the participant's lets more through.
func (s settings) wrap(svc *service.Service, router http.Handler) http.Handler {
	if !s.participates() {
		return svc.Edge().Wrap(router)
	}
	return handoverhttp.Wrap(svc.Edge(), router)
}

// peers lets rebookings find the owners of their new flights, through the router.
func (s settings) peers(seats *reservationslocal.Service) {
	if *s.router != "" {
		seats.Peers(reservationshttp.NewClient(*s.router, web.NewTransport(web.TransportOptions{})))
	}
}
