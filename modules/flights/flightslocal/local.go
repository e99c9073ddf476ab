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

var _ flights.Side = (*Service)(nil)

// Options of Open.
type Options struct {
	// Empty makes a store that was never used own nothing: flights are handed over to it.
	// Without it, whoever creates a store owns every flight.
	Empty bool
}

// New makes the service over a migrated database, which it does not close. A fresh one
// owns every flight; it is made so when it is first used.
func New(db *sqldb.DB) *Service { return with(db, Options{}) }

// Open is New with options, and makes a fresh store at once. errs: Unsafe for a database
// that puts flights into other buckets.
func Open(ctx context.Context, db *sqldb.DB, o Options) (*Service, error) {
	s := with(db, o)
	return s, s.store.Open(ctx)
}

func with(db *sqldb.DB, o Options) *Service {
	return &Service{store: store.New(db, store.Options(o)), zones: &wall.Zones{}}
}

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
func (s *Service) SeatMap(ctx context.Context, flightID string) (flights.PublishedSeatMap, error) {
	row, err := s.row(ctx, flightID)
	if err != nil {
		return flights.PublishedSeatMap{}, err
	}
	return s.store.SeatMap(ctx, row.Configuration)
}

// ByNumber finds a flight by designator and local departure time, or its next one.
func (s *Service) ByNumber(ctx context.Context, designator, departureLocal string) (flights.Flight, error) {
	rows, _, _, err := s.numbered(ctx, designator, departureLocal)
	if err != nil {
		return flights.Flight{}, err
	}
	if len(rows) == 0 {
		return flights.Flight{}, flights.NoSuchNumber(designator)
	}
	return s.show(ctx, rows[0])
}

// numbered finds at most one flight, of those that are served here, and its place among
// those that another store might find: a coming one before one that has departed or is
// cancelled, and of those the last.
func (s *Service) numbered(ctx context.Context, designator, departureLocal string) ([]store.Row, flights.Place, *store.Served, error) {
	var place flights.Place
	canonical, err := flights.ParseDesignator(designator)
	if err != nil {
		return nil, place, nil, err
	}
	var rows []store.Row
	var v *store.Served
	now := time.Now().Unix()
	if departureLocal == "" {
		rows, v, err = s.store.Next(ctx, canonical, now)
	} else {
		at, bad := parseTime("departure_date_time", departureLocal)
		if bad != nil {
			return nil, place, nil, bad
		}
		rows, v, err = s.store.Departing(ctx, canonical, at)
	}
	if err != nil || len(rows) == 0 {
		return nil, place, v, err
	}
	place = flights.Place{Departure: rows[0].DepartureUTC, FlightID: rows[0].FlightID}
	if departureLocal == "" && rows[0].DepartureUTC < now {
		place.Value, place.Departure = 1, -place.Departure
	}
	return rows, place, v, nil
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
		list[i] = tell(&rows[i], configurations[i], airports[2*i].TZ, airports[2*i+1].TZ)
	}
	return list, nil
}
