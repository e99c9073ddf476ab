// Package optd reads a folder of OpenTravelData files and derives dated flights from
// their airline-routes. Airports with zone and position, airlines, routes, frequencies
// and seats per flight are the files'; times, designators, aircraft and fares are made
// up from hashes of stable fields, so the same files always give the same flights.
//
// A bad or unknown line is reported with file, line number and reason, and left out;
// only a file that is missing or has other columns ends the reading.
package optd

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/wall"
)

// The files that are read.
const (
	AirportsFile = "airports_geonames.txt"
	AirlinesFile = "optd_airlines.csv"
	AircraftFile = "optd_aircraft.csv"
	RoutesFile   = "optd_airline_por_rcld.csv"
)

// Reason sorts the lines that are left out.
type Reason string

// The reasons.
const (
	BadFields        Reason = "wrong number of fields"
	TooLong          Reason = "line too long"
	BadText          Reason = "not UTF-8, or too long a name"
	MissingField     Reason = "missing field"
	BadCode          Reason = "malformed code"
	BadNumber        Reason = "bad number"
	NoZone           Reason = "no known time zone"
	Duplicate        Reason = "duplicate"
	CarrierNotIATA   Reason = "carrier is not an IATA code"
	UnknownAirline   Reason = "unknown airline"
	UnknownAirport   Reason = "unknown airport"
	SameAirport      Reason = "origin is destination"
	NoSeats          Reason = "no seats"
	BadCapacity      Reason = "seats per flight out of range"
	NoDesignatorLeft Reason = "no flight number left"
)

// Problem is a line that was left out.
type Problem struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // from 1, the header
	Reason Reason `json:"reason"`
	Detail string `json:"detail"`
}

// String gives the problem as compilers do: file, line, text.
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.Reason, p.Detail)
}

// Airline is an airline with an IATA code.
type Airline struct{ Code, Name string }

// Aircraft is an aircraft type; Archetype is "" when no seat map stands for it.
type Aircraft struct{ Code, Name, Archetype string }

// Data is what the files say, checked.
type Data struct {
	Airports []flights.Airport // by code
	Airlines []Airline         // by code
	Aircraft []Aircraft        // by code
	Digest   string            // SHA-256 of the files, in hex
	Routes   int

	routes []route
}

// place is an airport as the derivation needs it.
type place struct {
	code     string
	lat, lon float64 // degrees
	zone     *time.Location
}

// Read reads the folder. problem is called for each line that is left out, in the order
// of files and lines. errs: Invalid for a folder that is not one of OpenTravelData's.
func Read(dir string, problem func(Problem)) (*Data, error) {
	r := &reader{
		dir: dir, problem: problem, sum: sha256.New(), zones: &wall.Zones{},
		places: map[string]*place{}, airlines: map[string]string{},
	}
	d := &Data{}
	for _, step := range []func(*Data) error{r.readAirports, r.readAirlines, r.readAircraft, r.readRoutes} {
		if err := step(d); err != nil {
			return nil, err
		}
	}
	number(d, func(p Problem) { r.problem(p) })
	d.Routes = len(d.routes)
	d.Digest = hex.EncodeToString(r.sum.Sum(nil))
	return d, nil
}
