// Package geometry generates and checks seat maps. Six archetypes stand for the real
// fleet: their layouts, letters, exits and row numbers are those that airlines fly,
// and each can be had with any number of seats between its bounds. A map is a pure
// function of code and count, so it is stored once per configuration, never per flight.
package geometry

import (
	"fmt"
	"strconv"
	"strings"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
)

// The archetypes' codes, ICAO's where ICAO has one.
const (
	ATR72 = "ATR72"
	E190  = "E190"
	A320  = "A320"
	B738  = "B738"
	B789  = "B789"
	B77W  = "B77W"
)

// version of the generated layouts; raise it whenever a layout changes, because a
// configuration that was ever published must keep its seats.
const version = 1

// MaxArchetypeSeats is the largest count that ForSeats serves: a full A380's.
const MaxArchetypeSeats = 853

// Codes lists the archetypes, smallest first.
func Codes() []string { return []string{ATR72, E190, A320, B738, B789, B77W} }

// Canonical gives the archetype that an IATA, ICAO or own code means, in any case.
func Canonical(code string) (string, bool) {
	switch strings.ToUpper(code) {
	case ATR72, "AT7", "ATR", "AT72", "AT75", "AT76":
		return ATR72, true
	case E190, "E90":
		return E190, true
	case A320, "320", "32A", "32B":
		return A320, true
	case B738, "738", "73H", "73K":
		return B738, true
	case B789, "789":
		return B789, true
	case B77W, "77W":
		return B77W, true
	}
	return "", false
}

// ForSeats gives the archetype that an aircraft with so many seats is closest to.
func ForSeats(n int) string {
	switch {
	case n <= 78:
		return ATR72
	case n <= 124:
		return E190
	case n <= 180:
		return A320
	case n <= 230:
		return B738
	case n <= 335:
		return B789
	}
	return B77W
}

// Archetype gives the map of an aircraft by code: as it usually flies for 0 seats,
// otherwise with exactly that many, in the same style: rows are taken from the rear
// of the economy cabin or added to it, and exits and wing keep their relative place.
// errs: Invalid for a code or a count that is not served.
func Archetype(code string, seats int) (flights.SeatMap, error) {
	canonical, ok := Canonical(code)
	if !ok {
		return flights.SeatMap{}, errs.E(errs.Invalid, "aircraft %q is not known; use one of %s",
			clip(code), strings.Join(Codes(), ", "))
	}
	p := planOf(canonical)
	if seats == 0 {
		seats = p.standard()
	}
	if seats < p.min || seats > p.max {
		return flights.SeatMap{}, errs.E(errs.Invalid, "aircraft %s has %d to %d seats, not %d",
			canonical, p.min, p.max, seats)
	}
	m := p.build(seats)
	m.Configuration = canonical + "-" + strconv.Itoa(seats) + "." + strconv.Itoa(version)
	return m, nil
}

// Seats lists a map's seats, such as 12C, front to rear and left to right.
func Seats(m flights.SeatMap) []string {
	var list []string
	for _, c := range m.Cabin {
		for _, r := range c.Row {
			row := strconv.Itoa(r.RowNumber)
			for _, s := range r.Seat {
				list = append(list, row+s.Number)
			}
		}
	}
	return list
}

// CabinOf gives the cabin of service that a map's CabinType names.
func CabinOf(cabinType string) (flights.Cabin, bool) {
	switch cabinType {
	case "Economy":
		return flights.Economy, true
	case "PremiumEconomy":
		return flights.PremiumEconomy, true
	case "Business":
		return flights.Business, true
	case "First":
		return flights.First, true
	}
	return "", false
}

// clip bounds what an error repeats of its input.
func clip(s string) string {
	const most = 16
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// at names a seat for an error.
func at(row int, letter string) string { return fmt.Sprintf("seat %d%s", row, clip(letter)) }
