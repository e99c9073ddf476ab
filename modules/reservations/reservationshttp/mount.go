// Package reservationshttp is the reservations context over HTTP: the paths that serve
// it, their specification, and the client that gives the same Service from elsewhere.
package reservationshttp

import (
	_ "embed"
	"net/http"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/rest"
	"banyan/modules/reservations"
)

// Spec is the OpenAPI 3.1 description of every path that Mount adds.
//
//go:embed openapi.yaml
var Spec []byte

// TokenHeader carries a hold's token; it never stands in a URL, which ends up in logs.
const TokenHeader = "X-Hold-Token"

// CustomerHeader names the customer who asks. It is a statement, not a proof: whoever
// fronts this service must set it from a login of its own.
const CustomerHeader = "X-Customer-Id"

// api is the context's handlers.
type api struct{ svc reservations.Service }

// Mount adds the context's paths to r: version 1, and the book's.
func Mount(r *mux.Router, svc reservations.Service) {
	a := api{svc}
	handle := func(method, path string, h rest.Handler) { r.Handle(path, h).Methods(method) }

	handle(http.MethodPost, "/v1/flights/{flight_id}/holds", a.hold)
	handle(http.MethodGet, "/v1/holds/{hold_id}", a.getHold)
	handle(http.MethodDelete, "/v1/holds/{hold_id}", a.release)
	handle(http.MethodPost, "/v1/holds/{hold_id}/extend", a.extend)
	handle(http.MethodPost, "/v1/holds/{hold_id}/confirm", a.confirm)

	handle(http.MethodPost, "/v1/flights/{flight_id}/reservations", a.reserve)
	handle(http.MethodGet, "/v1/reservations/{reservation_id}", a.getReservation)
	handle(http.MethodDelete, "/v1/reservations/{reservation_id}", a.cancel)
	handle(http.MethodPost, "/v1/reservations/{reservation_id}/change-seat", a.changeSeat)
	handle(http.MethodPost, "/v1/reservations/{reservation_id}/rebook", a.rebook)

	handle(http.MethodGet, "/v1/flights/{flight_id}/seats", a.seats)
	handle(http.MethodGet, "/v1/flights/{flight_id}/occupants", a.occupants)
	handle(http.MethodPut, "/v1/flights/{flight_id}/blocks/{seat}", a.block)
	handle(http.MethodDelete, "/v1/flights/{flight_id}/blocks/{seat}", a.unblock)

	handle(http.MethodGet, "/reservations", a.bookTaken)
	handle(http.MethodPut, "/reservations", a.bookReserve)
	handle(http.MethodPut, "/reservations/{reservation_id}", a.bookRebook)
}
