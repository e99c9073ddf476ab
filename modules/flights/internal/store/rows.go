package store

import (
	"math/bits"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/bucket"
)

// Row is a dated flight as it is stored. Codes are canonical: the store checks nothing
// but what the schema does.
type Row struct {
	FlightID      string
	Designator    string
	Carrier       string
	Origin        string
	Destination   string
	Departure     wall.Time // at the origin
	DepartureUTC  int64     // seconds since 1970
	Arrival       wall.Time // at the destination
	ArrivalUTC    int64
	Stops         int
	Configuration string // must be stored before
	Currency      string // ISO 4217
	Fares         Fares
	Cancelled     bool
	Synthetic     Synthetic
	Version       int64 // 0 is stored as 1
}

// Fares are minor units of the row's currency by cabin; 0 is not sold. At least one
// must be there.
type Fares [4]int64

// The places of Fares and of Configuration.Cabins.
const (
	EconomyIx = iota
	PremiumEconomyIx
	BusinessIx
	FirstIx
)

// Cabins names the places.
func Cabins() [4]flights.Cabin {
	return [4]flights.Cabin{flights.Economy, flights.PremiumEconomy, flights.Business, flights.First}
}

// columnOf names the column of a cabin, in flights and in configurations.
func columnOf(c flights.Cabin) string {
	return [4]string{"economy", "premium_economy", "business", "first_class"}[CabinIx(c)]
}

// CabinIx gives the place of a cabin, or -1.
func CabinIx(c flights.Cabin) int {
	for i, name := range Cabins() {
		if name == c {
			return i
		}
	}
	return -1
}

// lowest is the lowest fare that is there.
func (f Fares) lowest() int64 {
	var low int64
	for _, v := range f {
		if v > 0 && (low == 0 || v < low) {
			low = v
		}
	}
	return low
}

// Synthetic says which facts of a flight were made up, not taken from a source.
type Synthetic int

// The facts that an import may make up.
const (
	SyntheticDesignator Synthetic = 1 << iota
	SyntheticDeparture
	SyntheticArrival
	SyntheticAircraft
	SyntheticFares
	SyntheticStops
)

// Names lists the facts as the contract names the fields.
func (s Synthetic) Names() []string {
	if s == 0 {
		return nil
	}
	list := make([]string, 0, bits.OnesCount(uint(s)))
	for i, name := range [...]string{"designator", "departure", "arrival", "aircraft", "fares", "stops"} {
		if s&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return list
}

// Minutes is the length of the journey.
func (r *Row) Minutes() int64 { return (r.ArrivalUTC - r.DepartureUTC) / 60 }

// Fact is the row as events tell it.
func (r *Row) Fact() flights.FlightFact {
	f := flights.FlightFact{
		FlightID: r.FlightID, Designator: r.Designator, Date: r.Departure.Date(),
		Configuration: r.Configuration, Status: flights.Scheduled,
	}
	if r.Cancelled {
		f.Status = flights.Cancelled
	}
	return f
}

const (
	flightColumns = "flight_id, designator, carrier, origin, destination, dep_date, dep_time, dep_utc," +
		" arr_date, arr_time, arr_utc, minutes, stops, configuration, currency, price," +
		" economy, premium_economy, business, first_class, status, synthetic, version"
	// insertColumns are flightColumns and what only the store knows of a flight.
	insertColumns = flightColumns + ", bucket, event_seq"
	insertWidth   = 25
)

// args appends the row's values in the order of flightColumns.
func (r *Row) args(to []any) []any {
	status, version := 0, max(r.Version, 1)
	if r.Cancelled {
		status = 1
	}
	return append(to, r.FlightID, r.Designator, r.Carrier, r.Origin, r.Destination,
		r.Departure.Day(), r.Departure.Clock(), r.DepartureUTC,
		r.Arrival.Day(), r.Arrival.Clock(), r.ArrivalUTC, r.Minutes(), r.Stops,
		r.Configuration, r.Currency, r.Fares.lowest(),
		fare(r.Fares[0]), fare(r.Fares[1]), fare(r.Fares[2]), fare(r.Fares[3]),
		status, int(r.Synthetic), version)
}

// insertArgs appends the row's values in the order of insertColumns.
func (r *Row) insertArgs(to []any, eventSeq int64) []any {
	return append(r.args(to), bucket.Of(r.FlightID), eventSeq)
}

func fare(v int64) any {
	if v == 0 {
		return nil
	}
	return v
}
