package flightslocal

import (
	"context"
	"fmt"
	"time"

	"banyan/modules/flights"
	"banyan/modules/flights/geometry"
	"banyan/modules/flights/internal/store"
	"banyan/modules/flights/internal/wall"
)

// SampleDays is for how many days the sample flies.
const SampleDays = 14

// sampleFlight flies every day, at local times; later is the days on which it arrives
// after its departure.
type sampleFlight struct {
	designator, origin, destination string
	departure, arrival              string
	later                           int
	aircraft                        string
	dollars                         int // economy
}

// LoadSample stores a few real airports and airlines and made-up flights between them,
// on today's date and those after it: every archetype, and the book's AA34 on the book's
// date. What exists is left as it is, so it may run at every start and beside an import.
func (s *Service) LoadSample(ctx context.Context, today time.Time) error {
	if err := s.sampleReference(ctx); err != nil {
		return err
	}
	list := sampleFlights()
	rows := make([]store.Row, 0, 1+SampleDays*len(list))
	add := func(f sampleFlight, day wall.Time) error {
		row, err := s.sampleRow(ctx, f, day)
		rows = append(rows, row)
		return err
	}
	if err := add(list[0], wall.Of(20200517, 0)); err != nil {
		return err
	}
	year, month, day := today.Date()
	first := wall.Of(year*10000+int(month)*100+day, 0)
	for d := range wall.Time(SampleDays) {
		for _, f := range list {
			if err := add(f, first+d*24*60); err != nil {
				return err
			}
		}
	}
	_, err := s.store.InsertFlights(ctx, rows, nil)
	return err
}

// sampleRow plans a flight as an agent's would be, and stores its configuration.
func (s *Service) sampleRow(ctx context.Context, f sampleFlight, day wall.Time) (store.Row, error) {
	fares := map[flights.Cabin]flights.Money{flights.Economy: dollars(f.dollars)}
	if f.aircraft == geometry.B789 || f.aircraft == geometry.B77W {
		fares[flights.PremiumEconomy], fares[flights.Business] = dollars(f.dollars*17/10), dollars(f.dollars*4)
	}
	plan, err := s.plan(ctx, &flights.NewFlight{
		Designator: f.designator, Origin: f.origin, Destination: f.destination,
		Departure: day.Date() + "T" + f.departure,
		Arrival:   (day + wall.Time(f.later)*24*60).Date() + "T" + f.arrival,
		Aircraft:  f.aircraft, Fares: fares,
	})
	if err != nil {
		return store.Row{}, err
	}
	plan.Row.Synthetic = madeUp | store.SyntheticStops
	c, err := s.store.Ensure(ctx, plan.Geometry)
	plan.Row.Configuration = c.ID
	return plan.Row, err
}

func dollars(n int) flights.Money {
	return flights.Money{Amount: fmt.Sprintf("%d.00", n), Currency: "USD"}
}

// sampleReference stores the airports that are not there yet: an import's are better.
func (s *Service) sampleReference(ctx context.Context) error {
	var codes []string
	for _, a := range sampleAirports() {
		codes = append(codes, a.Code)
	}
	known, err := s.store.Airports(ctx, codes)
	if err != nil {
		return err
	}
	var missing []flights.Airport
	for i, a := range sampleAirports() {
		if known[i].Code == "" {
			missing = append(missing, a)
		}
	}
	if err := s.store.PutAirports(ctx, missing); err != nil {
		return err
	}
	return s.store.PutCarriers(ctx, []store.Carrier{
		{Code: "AA", Name: "American Airlines"},
		{Code: "BA", Name: "British Airways"},
		{Code: "LH", Name: "Lufthansa"},
		{Code: "SQ", Name: "Singapore Airlines"},
	})
}

func sampleAirports() []flights.Airport {
	return []flights.Airport{
		{Code: "DCA", Name: "Ronald Reagan Washington National Airport", City: "Washington", Country: "US", TZ: "America/New_York", Latitude: 38.8521, Longitude: -77.0377},
		{Code: "DUB", Name: "Dublin Airport", City: "Dublin", Country: "IE", TZ: "Europe/Dublin", Latitude: 53.4213, Longitude: -6.2701},
		{Code: "FRA", Name: "Frankfurt am Main Airport", City: "Frankfurt", Country: "DE", TZ: "Europe/Berlin", Latitude: 50.0333, Longitude: 8.5706},
		{Code: "JFK", Name: "John F. Kennedy International Airport", City: "New York", Country: "US", TZ: "America/New_York", Latitude: 40.6398, Longitude: -73.7789},
		{Code: "LAX", Name: "Los Angeles International Airport", City: "Los Angeles", Country: "US", TZ: "America/Los_Angeles", Latitude: 33.9425, Longitude: -118.4081},
		{Code: "LHR", Name: "Heathrow Airport", City: "London", Country: "GB", TZ: "Europe/London", Latitude: 51.4706, Longitude: -0.4619},
		{Code: "SIN", Name: "Singapore Changi Airport", City: "Singapore", Country: "SG", TZ: "Asia/Singapore", Latitude: 1.3502, Longitude: 103.9944},
		{Code: "SYD", Name: "Sydney Kingsford Smith Airport", City: "Sydney", Country: "AU", TZ: "Australia/Sydney", Latitude: -33.9461, Longitude: 151.1772},
	}
}

// sampleFlights begins with the book's.
func sampleFlights() []sampleFlight {
	return []sampleFlight{
		{"AA34", "LAX", "DCA", "13:20", "21:25", 0, geometry.B738, 189},
		{"AA35", "DCA", "LAX", "08:00", "10:50", 0, geometry.B738, 179},
		{"AA100", "JFK", "LHR", "18:10", "06:20", 1, geometry.B77W, 540},
		{"AA101", "LHR", "JFK", "10:45", "13:50", 0, geometry.B77W, 560},
		{"AA4701", "JFK", "DCA", "07:30", "09:05", 0, geometry.ATR72, 89},
		{"AA4702", "DCA", "JFK", "17:15", "18:50", 0, geometry.ATR72, 95},
		{"BA117", "LHR", "JFK", "08:25", "11:20", 0, geometry.B789, 525},
		{"BA178", "JFK", "LHR", "08:05", "20:00", 0, geometry.B789, 515},
		{"BA902", "LHR", "FRA", "07:05", "09:45", 0, geometry.A320, 119},
		{"BA907", "FRA", "LHR", "18:35", "19:20", 0, geometry.A320, 129},
		{"LH900", "FRA", "LHR", "07:30", "08:15", 0, geometry.A320, 125},
		{"LH901", "LHR", "FRA", "09:15", "11:50", 0, geometry.A320, 115},
		{"LH978", "FRA", "DUB", "09:45", "10:50", 0, geometry.E190, 139},
		{"LH979", "DUB", "FRA", "11:35", "14:40", 0, geometry.E190, 135},
		{"SQ26", "FRA", "SIN", "21:50", "17:05", 1, geometry.B77W, 690},
		{"SQ221", "SIN", "SYD", "20:40", "07:40", 1, geometry.B789, 410},
		{"SQ222", "SYD", "SIN", "16:10", "21:20", 0, geometry.B789, 420},
		{"SQ325", "SIN", "FRA", "12:15", "19:10", 0, geometry.B77W, 680},
	}
}
