package flightslocal

import (
	"time"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/store"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/money"
)

// tell puts a row into the words of the contract.
func tell(r *store.Row, c store.Configuration, originTZ, destinationTZ string) flights.Flight {
	f := flights.Flight{
		FlightID: r.FlightID, Designator: r.Designator, Carrier: r.Carrier,
		Origin: r.Origin, Destination: r.Destination,
		Departure: moment(r.Departure, r.DepartureUTC, originTZ),
		Arrival:   moment(r.Arrival, r.ArrivalUTC, destinationTZ),
		Minutes:   int(r.Minutes()), Stops: r.Stops,
		Aircraft: c.Archetype, Configuration: r.Configuration, Seats: c.Seats,
		Fares: make(map[flights.Cabin]flights.Money, 1), Status: r.Fact().Status,
		Synthetic: r.Synthetic.Names(), Version: r.Version,
	}
	for i, cabin := range store.Cabins() {
		if minor := r.Fares[i]; minor > 0 {
			f.Fares[cabin] = flights.Money{Amount: money.Format(minor, r.Currency), Currency: r.Currency}
		}
	}
	return f
}

func moment(local wall.Time, utc int64, tz string) flights.Moment {
	return flights.Moment{Local: local.String(), TZ: tz, UTC: time.Unix(utc, 0).UTC().Format(time.RFC3339)}
}

func parseTime(field, s string) (wall.Time, error) {
	t, err := wall.Parse(s)
	if err != nil {
		return 0, errs.E(errs.Invalid, "%s must be a local time such as 2026-11-21T09:00, not %s", field, flights.Quote(s)).
			With("field", field).Because(err)
	}
	return t, nil
}
