package optd

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"banyan/modules/flights"
	"banyan/modules/flights/geometry"
)

// Frequencies are exact in integers: a route has freq ten-thousandths of a flight a
// month, which is freq*12 of yearUnits a day.
const (
	yearUnits = 3652425 // ten-thousandths of a day in a mean Gregorian year
	perUnit   = 10_000
)

// maxMonthly bounds the flights a month of one route: 200 a day.
const maxMonthly = 6_087

// route is an airline's route as the file has it, with what is derived for all dates.
type route struct {
	carrier  string
	from, to *place
	freq     int64 // flights a month, in ten-thousandths
	seats    int   // per flight
	line     int
	first    int    // number of its first designator
	hash     uint64 // of carrier, origin and destination
}

// daily is the most flights that the route has on one day; it has that many, or one less.
func (r *route) daily() int { return int((r.freq*12 + yearUnits - 1) / yearUnits) }

// before counts the flights before the day, which is counted from 1970. Its steps are
// exact on average, and the hash shifts them, so that not all weekly flights leave on
// the same day.
func (r *route) before(day int) int64 {
	return (int64(day)*r.freq*12 + int64(r.hash%yearUnits)) / yearUnits
}

// readRoutes keeps the routes of known airlines between known airports.
func (r *reader) readRoutes(d *Data) error {
	columns := []string{"airline_code", "apt_org", "apt_dst", "seats_mtly_avg", "freq_mtly_avg"}
	seen := map[string]int{}
	return r.lines(RoutesFile, "^", columns, func(l *line) {
		rt, ok := r.route(l)
		if !ok {
			return
		}
		key := rt.carrier + rt.from.code + rt.to.code
		if first, twice := seen[key]; twice {
			l.leave(Duplicate, "the route is on line "+strconv.Itoa(first)+" already")
			return
		}
		seen[key] = l.number
		rt.hash = hashOf(key)
		d.routes = append(d.routes, rt)
	})
}

func (r *reader) route(l *line) (route, bool) {
	f := l.fields
	no := func(why Reason, detail string) (route, bool) {
		l.leave(why, detail)
		return route{}, false
	}
	if slices.Contains(f, "") {
		return no(MissingField, "a route has airline, origin, destination, seats and flights")
	}
	if !flights.IsCarrier(f[0]) {
		return no(CarrierNotIATA, "airline "+quote(f[0]))
	}
	if _, ok := r.airlines[f[0]]; !ok {
		return no(UnknownAirline, "airline "+f[0]+" is not in "+AirlinesFile)
	}
	rt := route{carrier: f[0], from: r.places[f[1]], to: r.places[f[2]], line: l.number}
	switch {
	case rt.from == nil:
		return no(UnknownAirport, "origin "+quote(f[1])+" is not in "+AirportsFile)
	case rt.to == nil:
		return no(UnknownAirport, "destination "+quote(f[2])+" is not in "+AirportsFile)
	case rt.from == rt.to:
		return no(SameAirport, f[1])
	}
	seats, ok1 := decimal(f[3], 0, maxMonthly*geometry.MaxArchetypeSeats)
	freq, ok2 := decimal(f[4], 0, maxMonthly)
	rt.freq = int64(math.Round(freq * perUnit))
	if !ok1 || !ok2 || rt.freq == 0 {
		return no(BadNumber, "seats "+quote(f[3])+" and flights "+quote(f[4])+" a month")
	}
	if seats == 0 {
		return no(NoSeats, "the route carries no passengers")
	}
	rt.seats = int(math.Round(seats / freq))
	if rt.seats < 1 || rt.seats > geometry.MaxArchetypeSeats {
		return no(BadCapacity, strconv.Itoa(rt.seats)+" seats per flight")
	}
	return rt, true
}

// maxNumber is the highest flight number.
const maxNumber = 9999

// number sorts the routes and gives each a block of flight numbers that it keeps on
// every date: unique within the carrier, or, for a carrier with more flights than
// numbers, within carrier and origin.
func number(d *Data, problem func(Problem)) {
	slices.SortFunc(d.routes, func(a, b route) int {
		return cmp.Or(cmp.Compare(a.carrier, b.carrier), cmp.Compare(a.from.code, b.from.code), cmp.Compare(a.to.code, b.to.code))
	})
	need := map[string]int{}
	for i := range d.routes {
		need[d.routes[i].carrier] += d.routes[i].daily()
	}
	next := map[string]int{}
	kept := d.routes[:0]
	for _, r := range d.routes {
		scope := r.carrier
		if need[r.carrier] > maxNumber {
			scope += r.from.code
		}
		if r.first = next[scope] + 1; r.first+r.daily()-1 > maxNumber {
			problem(Problem{RoutesFile, r.line, NoDesignatorLeft, r.carrier + " has no numbers left at " + r.from.code})
			continue
		}
		next[scope] += r.daily()
		kept = append(kept, r)
	}
	d.routes = kept
}

// hashOf is FNV-1a with a final mixer: close keys get far hashes.
func hashOf(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
