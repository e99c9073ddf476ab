// Package flightshttp is the flights context over HTTP: the paths that serve it, their
// specification, and the client that gives the same Service from elsewhere.
package flightshttp

import (
	_ "embed"
	"net/http"

	"github.com/gorilla/mux"

	"banyan/modules/flights"
	"banyan/modules/kernel/rest"
)

// Spec is the OpenAPI 3.1 description of every path that Mount adds.
//
//go:embed openapi.yaml
var Spec []byte

// api is the context's handlers.
type api struct{ svc flights.Service }

// Mount adds the context's paths to r: version 1, and the book's.
func Mount(r *mux.Router, svc flights.Service) {
	a := api{svc}
	handle := func(method, path string, h rest.Handler) { r.Handle(path, h).Methods(method) }

	handle(http.MethodGet, "/v1/airports", a.airports)
	handle(http.MethodGet, "/v1/flights", a.search)
	handle(http.MethodPost, "/v1/flights", a.schedule)
	handle(http.MethodGet, "/v1/flights/{flight_id}", a.flight)
	handle(http.MethodPatch, "/v1/flights/{flight_id}", a.change)
	handle(http.MethodGet, "/v1/flights/{flight_id}/seat-map", a.seatMap)

	handle(http.MethodGet, "/flights", a.bookFlight)
	handle(http.MethodGet, "/flights/{flight_no}/seat_map", a.bookSeatMap)
	handle(http.MethodGet, "/events/{eventType}", a.bookEvents)
	handle(http.MethodPost, "/events/{eventType}", a.bookPutEvents)
}
