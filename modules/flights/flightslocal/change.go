package flightslocal

import (
	"context"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/store"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/money"
)

// Change alters a flight if its version is still the one named.
func (s *Service) Change(ctx context.Context, flightID string, version int64, p flights.Patch) (flights.Flight, error) {
	was, err := s.row(ctx, flightID)
	if err != nil {
		return flights.Flight{}, err
	}
	if was.Version != version {
		return flights.Flight{}, errs.E(errs.PreconditionFailed, "%s is at version %d, not %d; read it again",
			flightID, was.Version, version).With("version", was.Version)
	}
	want := was
	if err := s.reschedule(ctx, &want, p); err != nil {
		return flights.Flight{}, err
	}
	g, err := s.refit(ctx, &want, p)
	if err != nil {
		return flights.Flight{}, err
	}
	if p.Status != nil {
		if *p.Status != flights.Scheduled && *p.Status != flights.Cancelled {
			return flights.Flight{}, bad("status", "must be SCHEDULED or CANCELLED, not %s", flights.Quote(string(*p.Status)))
		}
		want.Cancelled = *p.Status == flights.Cancelled
	}
	row, err := s.store.Change(ctx, was, want, g)
	if err != nil {
		return flights.Flight{}, err
	}
	return s.show(ctx, row)
}

// reschedule sets new times; what the agent says is no longer synthetic.
func (s *Service) reschedule(ctx context.Context, r *store.Row, p flights.Patch) (err error) {
	if p.Departure == nil && p.Arrival == nil {
		return nil
	}
	if p.Departure != nil {
		if r.Departure, err = parseTime("departure", *p.Departure); err != nil {
			return err
		}
		r.Synthetic &^= store.SyntheticDeparture
	}
	if p.Arrival != nil {
		if r.Arrival, err = parseTime("arrival", *p.Arrival); err != nil {
			return err
		}
		r.Synthetic &^= store.SyntheticArrival
	}
	_, _, err = s.setInstants(ctx, r)
	return err
}

// refit sets another aircraft, seat map or fares. Without new fares the old ones stay,
// but for cabins that the new aircraft does not have.
func (s *Service) refit(ctx context.Context, r *store.Row, p flights.Patch) (*store.Geometry, error) {
	known, err := s.store.Configurations(ctx, []string{r.Configuration})
	if err != nil {
		return nil, err
	}
	c := known[0]
	var g *store.Geometry
	if p.Aircraft != nil || p.Seats != nil || p.SeatMap != nil {
		aircraft, seats := c.Archetype, 0
		if p.Aircraft != nil {
			aircraft = *p.Aircraft
		}
		if p.Seats != nil {
			seats = *p.Seats
		}
		fitted, err := geometryOf(aircraft, seats, p.SeatMap)
		if err != nil {
			return nil, err
		}
		g, c.Cabins = &fitted, store.CabinSeats(fitted.Map)
		r.Synthetic &^= store.SyntheticAircraft
	}
	if p.Fares != nil {
		r.Synthetic &^= store.SyntheticFares
		return g, setFares(r, p.Fares, c.Cabins)
	}
	sold := false
	for i, seats := range c.Cabins {
		if seats == 0 {
			r.Fares[i] = 0
		}
		sold = sold || r.Fares[i] > 0
	}
	if !sold {
		return nil, bad("fares", "are needed: the new aircraft has none of the cabins that are sold")
	}
	return g, nil
}

// setFares reads the fares of the cabins that a flight sells, all in one currency.
func setFares(r *store.Row, fares map[flights.Cabin]flights.Money, seats [4]int) error {
	if len(fares) == 0 {
		return bad("fares", "must name a fare for at least one cabin")
	}
	r.Fares, r.Currency = store.Fares{}, ""
	left := len(fares)
	for i, cabin := range store.Cabins() {
		fare, ok := fares[cabin]
		if !ok {
			continue
		}
		left--
		field := "fares." + string(cabin)
		if seats[i] == 0 {
			return bad(field, "is for a cabin that the aircraft does not have")
		}
		if r.Currency != "" && r.Currency != fare.Currency {
			return bad(field, "must be in the currency of the other fares, %s", r.Currency)
		}
		minor, err := money.Parse(fare.Amount, fare.Currency)
		if err != nil {
			return bad(field, "cannot be read: %s", err.Error())
		}
		if minor == 0 {
			return bad(field, "must be more than 0")
		}
		r.Fares[i], r.Currency = minor, fare.Currency
	}
	if left > 0 {
		return bad("fares", "may name ECONOMY, PREMIUM_ECONOMY, BUSINESS and FIRST only")
	}
	return nil
}
