package optd

import (
	"cmp"
	"slices"
	"strings"

	"banyan/modules/flights"
	"banyan/modules/flights/geometry"
)

// candidate is an airport's line, with what decides between two of one code.
type candidate struct {
	flights.Airport
	place
	number int
	rank   int // the lower the better
}

// readAirports keeps the airports with an IATA code. Of several with the same code an
// active one wins, then a proper airport, then the first in the file.
func (r *reader) readAirports(d *Data) error {
	columns := []string{"iata", "name", "cityName", "countryCode", "timeZoneId", "latitude", "longitude", "featureCode", "isActive"}
	best := map[string]candidate{}
	err := r.lines(AirportsFile, "\t", columns, func(l *line) {
		if l.fields[0] == "" {
			return // most airfields have no IATA code: nobody sells seats there
		}
		c, ok := r.airport(l)
		if !ok {
			return
		}
		other, twice := best[c.Code]
		if !twice || c.rank < other.rank {
			best[c.Code], c = c, other
		}
		if twice {
			late := line{file: AirportsFile, number: c.number, report: r.problem}
			late.leave(Duplicate, "airport "+c.Code+" is there twice; the active one counts, or the first")
		}
	})
	for code, c := range best {
		d.Airports = append(d.Airports, c.Airport)
		p := c.place
		r.places[code] = &p
	}
	slices.SortFunc(d.Airports, func(a, b flights.Airport) int { return cmp.Compare(a.Code, b.Code) })
	return err
}

func (r *reader) airport(l *line) (candidate, bool) {
	f := l.fields
	c := candidate{number: l.number, Airport: flights.Airport{Code: f[0], Name: f[1], City: f[2], Country: f[3], TZ: f[4]}}
	if !flights.IsAirport(c.Code) || !flights.IsAirport(c.Country+"A") {
		l.leave(BadCode, "airport "+quote(c.Code)+" in country "+quote(c.Country))
		return c, false
	}
	if !l.name(c.Name) || !l.name(c.City) {
		return c, false
	}
	if c.Name == "" {
		l.leave(MissingField, "airport "+c.Code+" has no name")
		return c, false
	}
	zone, err := r.zones.Load(c.TZ)
	if err != nil {
		l.leave(NoZone, "airport "+c.Code+" has the time zone "+quote(c.TZ))
		return c, false
	}
	lat, ok1 := decimal(f[5], -90, 90)
	lon, ok2 := decimal(f[6], -180, 180)
	if !ok1 || !ok2 {
		l.leave(BadNumber, "airport "+c.Code+" is at "+quote(f[5])+", "+quote(f[6]))
		return c, false
	}
	c.Latitude, c.Longitude = lat, lon
	c.place = place{code: c.Code, lat: lat, lon: lon, zone: zone}
	if f[8] != "1" {
		c.rank += 2
	}
	if f[7] != "AIRP" {
		c.rank++
	}
	return c, true
}

// readAirlines keeps the airlines with an IATA code. A code passes on from airline to
// airline: the one that still flies has it, then the one that began last.
func (r *reader) readAirlines(d *Data) error {
	columns := []string{"2char_code", "name", "validity_from", "validity_to"}
	rank := map[string]string{}
	err := r.lines(AirlinesFile, "^", columns, func(l *line) {
		code, name, from, to := l.fields[0], l.fields[1], l.fields[2], l.fields[3]
		if code == "" {
			return // it sells under another airline's code, or none
		}
		if !flights.IsCarrier(code) {
			l.leave(CarrierNotIATA, "airline "+quote(code))
			return
		}
		if name == "" {
			l.leave(MissingField, "airline "+code+" has no name")
			return
		}
		if !l.name(name) {
			return
		}
		if to == "" {
			to = "9999-12-31"
		}
		if _, known := r.airlines[code]; !known || to+from > rank[code] {
			r.airlines[code], rank[code] = name, to+from
		}
	})
	for code, name := range r.airlines {
		d.Airlines = append(d.Airlines, Airline{code, name})
	}
	slices.SortFunc(d.Airlines, func(a, b Airline) int { return cmp.Compare(a.Code, b.Code) })
	return err
}

// readAircraft keeps the aircraft types, each with the archetype of the same type.
func (r *reader) readAircraft(d *Data) error {
	columns := []string{"iata_code", "manufacturer", "model", "icao_code"}
	known := map[string]bool{}
	err := r.lines(AircraftFile, "^", columns, func(l *line) {
		code, name := l.fields[0], strings.TrimSpace(l.fields[1]+" "+l.fields[2])
		switch {
		case len(code) != 3 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "":
			l.leave(BadCode, "aircraft "+quote(code))
		case name == "":
			l.leave(MissingField, "aircraft "+code+" has no name")
		case known[code]:
			l.leave(Duplicate, "aircraft "+code+" is there twice; the first counts")
		case l.name(name):
			known[code] = true
			archetype, ok := geometry.Canonical(code)
			if !ok {
				archetype, _ = geometry.Canonical(l.fields[3])
			}
			d.Aircraft = append(d.Aircraft, Aircraft{code, name, archetype})
		}
	})
	slices.SortFunc(d.Aircraft, func(a, b Aircraft) int { return cmp.Compare(a.Code, b.Code) })
	return err
}
