// Package flightslocal is the flights context in this process: the rules of flights.go
// over the context's SQL store.
package flightslocal

import (
	"context"
	"time"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/store"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// Service implements flights.Service.
type Service struct {
	store *store.Store
	zones *wall.Zones
}

var _ flights.Service = (*Service)(nil)

// New makes the service over a migrated database, which it does not close.
func New(db *sqldb.DB) *Service { return &Service{store: store.New(db), zones: &wall.Zones{}} }

// Flight gives one dated flight.
func (s *Service) Flight(ctx context.Context, flightID string) (flights.Flight, error) {
	row, err := s.row(ctx, flightID)
	if err != nil {
		return flights.Flight{}, err
	}
	return s.show(ctx, row)
}

// maxFlightID is the length of the longest flight id, in bytes.
const maxFlightID = 32

func (s *Service) row(ctx context.Context, flightID string) (store.Row, error) {
	unknown := errs.E(errs.FlightUnknown, "there is no flight %s", flights.Quote(flightID))
	if len(flightID) > maxFlightID || !visible(flightID) {
		return store.Row{}, unknown
	}
	row, ok, err := s.store.Flight(ctx, flightID)
	if err == nil && !ok {
		err = unknown
	}
	return row, err
}

// visible says whether s is not empty and has visible ASCII characters only.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

// SeatMap gives the geometry of a flight's configuration.
func (s *Service) SeatMap(ctx context.Context, flightID string) (flights.SeatMap, error) {
	row, err := s.row(ctx, flightID)
	if err != nil {
		return flights.SeatMap{}, err
	}
	return s.store.SeatMap(ctx, row.Configuration)
}

// ByNumber finds a flight by designator and local departure time, or its next one.
func (s *Service) ByNumber(ctx context.Context, designator, departureLocal string) (flights.Flight, error) {
	canonical, err := flights.ParseDesignator(designator)
	if err != nil {
		return flights.Flight{}, err
	}
	var row store.Row
	var ok bool
	if departureLocal == "" {
		row, ok, err = s.store.Next(ctx, canonical, time.Now().Unix())
	} else {
		at, bad := parseTime("departure_date_time", departureLocal)
		if bad != nil {
			return flights.Flight{}, bad
		}
		row, ok, err = s.store.Departing(ctx, canonical, at)
	}
	if err != nil {
		return flights.Flight{}, err
	}
	if !ok {
		return flights.Flight{}, errs.E(errs.FlightUnknown, "there is no flight %s at that time", canonical)
	}
	return s.show(ctx, row)
}

func (s *Service) show(ctx context.Context, row store.Row) (flights.Flight, error) {
	list, err := s.showAll(ctx, []store.Row{row})
	if err != nil {
		return flights.Flight{}, err
	}
	return list[0], nil
}

// showAll tells rows as the contract does.
func (s *Service) showAll(ctx context.Context, rows []store.Row) ([]flights.Flight, error) {
	codes := make([]string, 0, 2*len(rows))
	ids := make([]string, len(rows))
	for i := range rows {
		codes = append(codes, rows[i].Origin, rows[i].Destination)
		ids[i] = rows[i].Configuration
	}
	airports, err := s.store.Airports(ctx, codes)
	if err != nil {
		return nil, err
	}
	configurations, err := s.store.Configurations(ctx, ids)
	if err != nil {
		return nil, err
	}
	list := make([]flights.Flight, len(rows))
	for i := range rows {
		r := &rows[i]
		list[i] = tell(r, configurations[r.Configuration], airports[r.Origin].TZ, airports[r.Destination].TZ)
	}
	return list, nil
}
