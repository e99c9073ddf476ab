package flightslocal

import (
	"context"
	"strings"

	"banyan/modules/flights"
	"banyan/modules/flights/geometry"
	"banyan/modules/flights/internal/store"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
)

// Schedule adds a dated flight.
func (s *Service) Schedule(ctx context.Context, f flights.NewFlight) (flights.Flight, error) {
	plan, err := s.plan(ctx, &f)
	if err != nil {
		return flights.Flight{}, err
	}
	return s.store.Schedule(ctx, plan)
}

// plan checks what an agent says and works out the rest.
func (s *Service) plan(ctx context.Context, f *flights.NewFlight) (store.Plan, error) {
	const maxKey, maxStops = 128, 9
	var plan store.Plan
	designator, err := flights.ParseDesignator(f.Designator)
	if err != nil {
		return plan, err
	}
	if len(f.Key) > maxKey || f.Key != "" && !visible(f.Key) {
		return plan, errs.E(errs.Invalid, "%s must have 1 to %d visible ASCII characters", idempotency.Header, maxKey)
	}
	if f.Stops < 0 || f.Stops > maxStops {
		return plan, bad("stops", "must be 0 to %d", maxStops)
	}
	row := store.Row{
		Designator: designator, Carrier: designator[:2], Origin: f.Origin, Destination: f.Destination, Stops: f.Stops,
	}
	origin, destination, err := s.timesOf(ctx, &row, f.Departure, f.Arrival)
	if err != nil {
		return plan, err
	}
	row.FlightID = flightID(designator, row.Origin, row.Departure)
	if plan.Geometry, err = geometryOf(f.Aircraft, f.Seats, f.SeatMap); err != nil {
		return plan, err
	}
	if err := setFares(&row, f.Fares, store.CabinSeats(plan.Geometry.Map)); err != nil {
		return plan, err
	}
	said := *f
	said.Designator = designator
	plan.Row, plan.Key, plan.Fingerprint = row, f.Key, idempotency.Fingerprint("schedule", said)
	plan.Answer = func(r store.Row, c store.Configuration) flights.Flight { return tell(&r, c, origin, destination) }
	return plan, nil
}

// flightID names a dated flight after its first schedule; it stays when the flight moves.
func flightID(designator, origin string, departure wall.Time) string {
	return flights.IDOf(designator, origin, departure.Date())
}

// timesOf reads both local times and sets them with their instants; it gives the zones
// of origin and destination.
func (s *Service) timesOf(ctx context.Context, r *store.Row, departure, arrival string) (origin, destination string, err error) {
	for field, code := range map[string]string{"origin": r.Origin, "destination": r.Destination} {
		if !flights.IsAirport(code) {
			return "", "", bad(field, "must be an IATA airport code of three capitals, not %s", flights.Quote(code))
		}
	}
	if r.Origin == r.Destination {
		return "", "", bad("destination", "must be another airport than the origin")
	}
	if r.Departure, err = parseTime("departure", departure); err != nil {
		return "", "", err
	}
	if r.Arrival, err = parseTime("arrival", arrival); err != nil {
		return "", "", err
	}
	return s.setInstants(ctx, r)
}

func (s *Service) setInstants(ctx context.Context, r *store.Row) (origin, destination string, err error) {
	airports, err := s.store.Airports(ctx, []string{r.Origin, r.Destination})
	if err != nil {
		return "", "", err
	}
	from, to := airports[0], airports[1]
	instant := func(field, code string, airport flights.Airport, at wall.Time) (int64, error) {
		if airport.Code == "" {
			return 0, bad(field, "%s is not a known airport", code)
		}
		loc, err := s.zones.Load(airport.TZ)
		if err != nil {
			return 0, errs.E(errs.Internal, "the time zone of %s is unknown", code).Because(err)
		}
		return at.Instant(loc), nil
	}
	if r.DepartureUTC, err = instant("origin", r.Origin, from, r.Departure); err != nil {
		return "", "", err
	}
	if r.ArrivalUTC, err = instant("destination", r.Destination, to, r.Arrival); err != nil {
		return "", "", err
	}
	if err := wall.Plausible(r.Minutes()); err != nil {
		return "", "", errs.E(errs.Invalid, "%s", err.Error()).With("field", "arrival")
	}
	return from.TZ, to.TZ, nil
}

// geometryOf gives the seat map of an archetype, or checks the one that is given.
func geometryOf(aircraft string, seats int, given *flights.SeatMap) (store.Geometry, error) {
	g := store.Geometry{Archetype: aircraft}
	if given == nil {
		var err error
		if g.Map, err = geometry.Archetype(aircraft, seats); err != nil {
			return g, err
		}
		g.Archetype, _ = geometry.Canonical(aircraft)
		g.Map.Configuration, g.Seats = "", geometry.Seats(g.Map) // the store gives the name
		return g, nil
	}
	const maxCode, capitals = 8, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if aircraft == "" || len(aircraft) > maxCode || strings.Trim(aircraft, capitals) != "" {
		return g, bad("aircraft", "must be 1 to %d capitals and digits, not %s", maxCode, flights.Quote(aircraft))
	}
	if err := geometry.Validate(*given); err != nil {
		return g, err
	}
	g.Map, g.Seats = *given, geometry.Seats(*given)
	g.Map.Configuration = ""
	if seats != 0 && seats != len(g.Seats) {
		return g, bad("seats", "says %d, but the seat map has %d; leave it out", seats, len(g.Seats))
	}
	return g, nil
}
