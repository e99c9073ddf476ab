package flightslocal

import (
	"context"

	"banyan/modules/flights"
)

// Airports gives a page of airports, by code. The cursor is the last code of the page
// before.
func (s *Service) Airports(ctx context.Context, q flights.AirportQuery) (flights.AirportPage, error) {
	var page flights.AirportPage
	limit, err := limitOf(q.Limit)
	if err != nil {
		return page, err
	}
	if q.Country != "" && (len(q.Country) != 2 || !flights.IsAirport(q.Country+"A")) {
		return page, bad("country", "must be an ISO 3166 code of two capitals, not %s", flights.Quote(q.Country))
	}
	if q.Cursor != "" && !flights.IsAirport(q.Cursor) {
		return page, bad("cursor", "is not one that a page before gave as next_cursor")
	}
	list, err := s.store.AirportsAfter(ctx, q.Country, q.Cursor, limit+1)
	if err != nil {
		return page, err
	}
	if len(list) > limit {
		list = list[:limit]
		page.NextCursor = list[limit-1].Code
	}
	page.Airports = list
	return page, nil
}

// PutAirports stores airports, over those with the same codes.
func (s *Service) PutAirports(ctx context.Context, list []flights.Airport) error {
	return s.store.PutAirports(ctx, list)
}
