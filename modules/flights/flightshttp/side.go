package flightshttp

import (
	"context"
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
)

// Paths of what sides of a handover ask each other, and the router asks them.
const (
	partsPath     = "/side/v1/flights"
	referencePath = "/side/v1/reference"
)

// sides is the handlers of MountSide.
type sides struct{ side flights.Side }

// MountSide adds what the other side of a handover, and whoever puts the two together,
// ask of one. It tells no more than the context's own paths do, but is no part of its
// contract:
//
//	GET /side/v1/flights     the parameters of GET /v1/flights; a flights.Part
//	GET /side/v1/reference   since, a number, and after; a flights.ReferencePage
func MountSide(r *mux.Router, side flights.Side) {
	s := sides{side}
	r.Handle(partsPath, rest.Handler(s.part)).Methods(http.MethodGet)
	r.Handle(referencePath, rest.Handler(s.reference)).Methods(http.MethodGet)
}

func (s sides) part(w http.ResponseWriter, r *http.Request) error {
	q, err := readSearch(r)
	if err != nil {
		return err
	}
	var part flights.Part
	if q.Has("designator") {
		part, err = s.side.NumberPart(r.Context(), q["designator"], q["departure"])
	} else {
		var c flights.Criteria
		if c, err = criteria(q); err == nil {
			part, err = s.side.SearchPart(r.Context(), c)
		}
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	web.JSON(w, http.StatusOK, part)
	return nil
}

func (s sides) reference(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "since", "after")
	if err != nil {
		return err
	}
	var since int64
	if q.Has("since") {
		if since, err = strconv.ParseInt(q["since"], 10, 64); err != nil {
			return errs.E(errs.Invalid, "since must be a number").With("field", "since").Because(err)
		}
	}
	page, err := s.side.Reference(r.Context(), since, q["after"])
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	web.JSON(w, http.StatusOK, page)
	return nil
}

var _ flights.Side = (*Client)(nil)

// SearchPart asks GET /side/v1/flights.
func (c *Client) SearchPart(ctx context.Context, q flights.Criteria) (flights.Part, error) {
	var part flights.Part
	_, err := c.to.Do(ctx, rest.Call{Method: http.MethodGet, Path: partsPath, Query: searchQuery(&q), Out: &part})
	return part, err
}

// NumberPart asks GET /side/v1/flights?designator=….
func (c *Client) NumberPart(ctx context.Context, designator, departureLocal string) (flights.Part, error) {
	query := parameters("departure", departureLocal)
	query.Set("designator", designator)
	var part flights.Part
	_, err := c.to.Do(ctx, rest.Call{Method: http.MethodGet, Path: partsPath, Query: query, Out: &part})
	return part, err
}

// Reference asks GET /side/v1/reference.
func (c *Client) Reference(ctx context.Context, since int64, after string) (flights.ReferencePage, error) {
	var page flights.ReferencePage
	_, err := c.to.Do(ctx, rest.Call{
		Method: http.MethodGet, Path: referencePath, Out: &page,
		Query: parameters("since", strconv.FormatInt(since, 10), "after", after),
	})
	return page, err
}
