package flights

import (
	"cmp"
	"context"

	"banyan/modules/kernel/handover"
)

// Side is one of two stores between which flights are split by their buckets: one that
// flights are handed over to or from. Its Service answers for the flights that it serves
// and no others: by id it gives errs.Misdirected for those of the other side, and what it
// finds is but a part.
type Side interface {
	Service
	Parts
	Mirror
}

// Parts answers questions about many flights, for the buckets that a side serves.
type Parts interface {
	// SearchPart is Search. errs: as Search.
	SearchPart(ctx context.Context, c Criteria) (Part, error)
	// NumberPart is ByNumber, but a flight that is not found is no error. errs: Invalid.
	NumberPart(ctx context.Context, designator, departureLocal string) (Part, error)
}

// Part is what one side answers to a question about many flights. The two sides' parts
// make the whole answer if their buckets are all, and each once.
type Part struct {
	Serves  handover.Buckets `json:"serves"`
	Flights []Flight         `json:"flights"` // in the order of their places
	Places  []Place          `json:"places"`  // of Flights
	More    bool             `json:"more"`    // there are flights behind these
	Mark    string           `json:"mark"`    // of the criteria, for a cursor
}

// Place is where a flight stands in the order of a question. Fields compare one by one, in
// this order.
type Place struct {
	Currency  string `json:"c,omitempty"` // of a search by price
	Value     int64  `json:"n,omitempty"` // price or minutes, or how little the flight is wanted
	Departure int64  `json:"d"`           // seconds since 1970
	FlightID  string `json:"f"`
}

// Compare is less than 0 if p comes before q.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Currency, q.Currency), cmp.Compare(p.Value, q.Value),
		cmp.Compare(p.Departure, q.Departure), cmp.Compare(p.FlightID, q.FlightID))
}

// Mirror gives reference data: what belongs to no flight, so that it is not handed over
// but copied, beforehand.
type Mirror interface {
	// Reference gives some of the reference data, after the mark that the page before gave
	// as Next. There is nothing to be had if since is the number of changes. errs: Invalid.
	Reference(ctx context.Context, since int64, after string) (ReferencePage, error)
}

// ReferencePage is a page of reference data. Whoever has read all pages has, at least,
// what there was at the number of changes that the first of them told.
type ReferencePage struct {
	Side           string                   `json:"side"`    // whose changes are counted
	Changes        int64                    `json:"changes"` // made on that side
	Airports       []Airport                `json:"airports,omitempty"`
	Carriers       []ReferenceCarrier       `json:"carriers,omitempty"`
	Aircraft       []ReferenceAircraft      `json:"aircraft,omitempty"`
	Configurations []ReferenceConfiguration `json:"configurations,omitempty"`
	Next           string                   `json:"next,omitempty"` // "" on the last page
}

// ReferenceCarrier is an airline.
type ReferenceCarrier struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// ReferenceAircraft is an aircraft type and the archetype that stands for it.
type ReferenceAircraft struct {
	Code      string `json:"code"`
	Name      string `json:"name"`
	Archetype string `json:"archetype"`
}

// ReferenceConfiguration is an aircraft's geometry; its id never means another one.
type ReferenceConfiguration struct {
	ID        string  `json:"id"`
	Archetype string  `json:"archetype"`
	Seats     int     `json:"seats"`
	Version   int     `json:"version"`
	Map       SeatMap `json:"map"`
}
