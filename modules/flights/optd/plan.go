package optd

import (
	"math"
	"sort"
	"strconv"
	"time"

	"banyan/modules/flights/geometry"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/errs"
)

// Flight is a dated flight. Fares are US cents.
type Flight struct {
	Carrier, Designator, Origin, Destination string

	Departure, Arrival       wall.Time
	DepartureUTC, ArrivalUTC int64 // seconds since 1970

	Archetype string
	Seats     int
	Fares     Fares
}

// Fares by cabin, in US cents, for the cabins that the aircraft has.
type Fares struct{ Economy, PremiumEconomy, Business int64 }

// Currency of the fares.
const Currency = "USD"

// MaxDays bounds a plan.
const MaxDays = 366

// Plan is the flights of some days in a fixed order, of which any part can be derived
// on its own: by several workers at once, or from where an import was cut off.
type Plan struct {
	routes []route
	upto   []int // flights of the routes up to and including each
	from   int   // days since 1970
	days   int
}

// Plan gives the flights that depart on the dates from (its date counts, not its time)
// and the days after it, local dates of their origins. errs: Invalid.
func (d *Data) Plan(from time.Time, days int) (*Plan, error) {
	if days < 1 || days > MaxDays {
		return nil, errs.E(errs.Invalid, "a plan is for 1 to %d days, not %d", MaxDays, days)
	}
	if y := from.Year(); y < 1990 || y > 2098 {
		return nil, errs.E(errs.Invalid, "a plan starts in the years 1990 to 2098, not in %d", y)
	}
	midnight := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.UTC)
	p := &Plan{routes: d.routes, upto: make([]int, len(d.routes)), from: int(midnight.Unix() / 86400), days: days}
	total := 0
	for i := range p.routes {
		r := &p.routes[i]
		total += int(r.before(p.from+days) - r.before(p.from))
		p.upto[i] = total
	}
	return p, nil
}

// Len is the number of flights.
func (p *Plan) Len() int {
	if len(p.upto) == 0 {
		return 0
	}
	return p.upto[len(p.upto)-1]
}

// Configurations gives the aircraft that fly, as archetypes with numbers of seats.
func (p *Plan) Configurations() map[string][]int {
	seen := map[int]bool{}
	byArchetype := map[string][]int{}
	for i := range p.routes {
		if n := p.routes[i].seats; !seen[n] {
			seen[n] = true
			code := geometry.ForSeats(n)
			byArchetype[code] = append(byArchetype[code], n)
		}
	}
	return byArchetype
}

// Flights derives those from place i up to, not including, place j.
func (p *Plan) Flights(i, j int) []Flight {
	list := make([]Flight, 0, max(0, j-i))
	n := sort.SearchInts(p.upto, i+1)
	for ; i < j && n < len(p.routes); n++ {
		r := &p.routes[n]
		start := 0
		if n > 0 {
			start = p.upto[n-1]
		}
		for _, f := range r.flights(p.from, p.days, i-start, j-start) {
			list = append(list, f)
			i++
		}
	}
	return list
}

// flights derives the route's flights of the period, from place i to, not including, j.
func (r *route) flights(from, days, i, j int) []Flight {
	var list []Flight
	leg := r.leg()
	most, place := r.daily(), 0
	for day := from; day < from+days && place < j; day++ {
		today := int(r.before(day+1) - r.before(day))
		rest := -1
		if today < most {
			rest = day % most // the one that stays on the ground takes turns
		}
		for slot := range most {
			if slot == rest {
				continue
			}
			if place >= i && place < j {
				list = append(list, r.flight(&leg, day, slot))
			}
			place++
		}
	}
	return list
}

// leg is what a route's flights have in common.
type leg struct {
	archetype string
	minutes   int64   // gate to gate
	km        float64 // great circle
	wide      bool
}

func (r *route) leg() leg {
	l := leg{archetype: geometry.ForSeats(r.seats), km: greatCircle(r.from, r.to)}
	l.minutes = blockMinutes(l.archetype, l.km)
	l.wide = l.archetype == geometry.B789 || l.archetype == geometry.B77W
	return l
}

// Departures are spread over the day from 05:30 to 22:30, on whole five minutes.
const (
	firstDeparture = 5*60 + 30
	departureSpan  = 17 * 60
	grid           = 5
)

// flight derives the flight of a slot on a day since 1970. A slot keeps its designator
// and its time of day on all dates.
func (r *route) flight(l *leg, day, slot int) Flight {
	h := mix(r.hash + uint64(slot)*0x9e3779b97f4a7c15)
	clock := firstDeparture + (slot*departureSpan+int(h%departureSpan))/r.daily()
	departure := wall.Time(day)*24*60 + wall.Time(clock/grid*grid)
	f := Flight{
		Carrier: r.carrier, Designator: r.carrier + strconv.Itoa(r.first+slot),
		Origin: r.from.code, Destination: r.to.code,
		Departure: departure, DepartureUTC: departure.Instant(r.from.zone),
		Archetype: l.archetype, Seats: r.seats, Fares: fares(l, h, day),
	}
	f.Arrival, f.ArrivalUTC = arrival(f.DepartureUTC+l.minutes*60, r.to.zone)
	return f
}

// arrival gives the wall clock of an instant. A clock that is set back shows an hour
// twice, and a timetable means the first: who arrives in the second is put off to its end.
func arrival(utc int64, zone *time.Location) (wall.Time, int64) {
	const longest = 3 * 3600 // no clock is set back further
	for end := utc + longest; ; utc += grid * 60 {
		_, offset := time.Unix(utc, 0).In(zone).Zone()
		local := wall.Time((utc + int64(offset)) / 60)
		if local.Instant(zone) == utc || utc >= end {
			return local, local.Instant(zone)
		}
	}
}

// greatCircle is the distance of two places in km on a sphere of the earth's mean radius.
func greatCircle(a, b *place) float64 {
	const radius, rad = 6371.0088, math.Pi / 180
	dLat, dLon := (b.lat-a.lat)*rad, (b.lon-a.lon)*rad
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(a.lat*rad)*math.Cos(b.lat*rad)*math.Pow(math.Sin(dLon/2), 2)
	return 2 * radius * math.Asin(math.Min(1, math.Sqrt(h)))
}

// blockMinutes is the time from gate to gate: cruise, and half an hour around it. Small
// aircraft on routes too long for a turboprop are taken for jets.
func blockMinutes(archetype string, km float64) int64 {
	const jet, turboprop, turbopropRange, around = 840, 480, 1500, 30
	speed := float64(jet)
	if archetype == geometry.ATR72 && km < turbopropRange {
		speed = turboprop
	}
	return int64(math.Ceil((around+km/speed*60)/grid)) * grid
}

// fares grow with distance, less than in proportion, and differ by flight and weekday.
func fares(l *leg, h uint64, day int) Fares {
	vary := 85 + int64(mix(h+uint64(day%7))%31) // percent
	whole := func(dollars float64) int64 { return int64(math.Round(dollars)) * vary / 100 * 100 }
	base := 35 + 0.75*math.Pow(l.km, 0.8)
	f := Fares{Economy: whole(base)}
	if l.wide {
		f.PremiumEconomy, f.Business = whole(base*1.7), whole(base*3.5)
	}
	return f
}
