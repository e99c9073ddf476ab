// Package flights is the contract of the context that is the one authority for flight
// data: airports, carriers, aircraft configurations with their seat maps, dated flights
// and their fares. It calls no other context; what changes goes out as events.
package flights

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"banyan/modules/kernel/errs"
)

// Service is what the context does, in this process or over HTTP. Errors carry the
// codes of package errs.
type Service interface {
	Catalogue
	Agent
	Feed
}

// Catalogue answers questions about flights.
type Catalogue interface {
	Airports(ctx context.Context, q AirportQuery) (AirportPage, error)
	// Search gives a page of flights. errs: Invalid, UnknownField.
	Search(ctx context.Context, c Criteria) (Page, error)
	// Flight gives one dated flight. errs: FlightUnknown.
	Flight(ctx context.Context, flightID string) (Flight, error)
	// SeatMap gives the flight's static geometry; Configuration serves as its ETag.
	// errs: FlightUnknown.
	SeatMap(ctx context.Context, flightID string) (PublishedSeatMap, error)
	// ByNumber finds the dated flight of a designator at a local departure time, or,
	// with an empty time, its next departure that is not cancelled, or else its last one.
	// errs: FlightUnknown, Invalid.
	ByNumber(ctx context.Context, designator, departureLocal string) (Flight, error)
}

// Agent changes what is flown. Every change leaves its event in the same transaction.
type Agent interface {
	// Schedule adds a dated flight. The same key, or the same flight with the same facts
	// again, gives what is there, Replayed. errs: Invalid, Conflict (it exists and
	// differs), KeyReused.
	Schedule(ctx context.Context, f NewFlight) (Flight, error)
	// Change alters a flight if its version is still the one named; a patch that alters
	// nothing leaves the version as it is. errs: FlightUnknown, PreconditionFailed,
	// Invalid, Conflict (another flight has its designator on that date).
	Change(ctx context.Context, flightID string, version int64, p Patch) (Flight, error)
}

// Feed is the context's events in one total order, for whoever keeps a copy, and the
// book's event store for events of others.
type Feed interface {
	// Events gives at most limit events of this context after since, oldest first; 0 is
	// the start.
	Events(ctx context.Context, since int64, limit int) ([]Event, error)
	// EventsOf gives at most limit events of a type after the one with the id sinceID,
	// "" being the start. The type Stream, "flights", means every event of this context.
	// errs: Invalid, NotFound (no event of the type has that id).
	EventsOf(ctx context.Context, eventType, sinceID string, limit int) ([]Event, error)
	// PutEvents stores events of another context under its type, all or none. An event
	// that is there already with the same data is no error. errs: Invalid, Forbidden
	// (the type is this context's own), Conflict (the same id with other data).
	PutEvents(ctx context.Context, eventType string, events []NewEvent) error
}

// Stream names all events of this context, in URLs too: GET /events/flights.
const Stream = "flights"

// MaxEvents bounds what Events and EventsOf give at once, and PutEvents takes.
const MaxEvents = 1000

// NewEvent is an event of another context, as it is sent to PutEvents. ID has 1 to 128
// visible ASCII characters; Data is any JSON.
type NewEvent struct {
	ID   string          `json:"eventId"`
	Data json.RawMessage `json:"data,omitzero"`
}

// EventID gives the id of this context's event seq; a consumer that keeps only seq
// asks for EventsOf(Stream, EventID(seq), …).
func EventID(seq int64) string { return "flights-" + strconv.FormatInt(seq, 10) }

// Event is a fact about flights. Seq has no gaps that fill up later: a reader that has
// seen n will never find a new event at or below n.
type Event struct {
	Seq  int64           `json:"seq"`
	ID   string          `json:"eventId"`
	Type string          `json:"type"`
	Time string          `json:"time"` // RFC 3339, UTC
	Data json.RawMessage `json:"data"`
}

// IDOf names a dated flight after its first schedule: a canonical designator and the local
// date of departure, YYYY-MM-DD. The name stays when the flight moves.
func IDOf(designator, origin, date string) string {
	return designator + "-" + origin + "-" + strings.ReplaceAll(date, "-", "")
}

// NoSuchNumber is the error for a designator that no flight has at the time asked for.
func NoSuchNumber(designator string) error {
	if canonical, err := ParseDesignator(designator); err == nil {
		designator = canonical
	}
	return errs.E(errs.FlightUnknown, "there is no flight %s at that time", designator)
}

// Types of events. FlightsScheduled carries many flights (an import publishes a batch as
// one event); ConfigurationPublished comes before the first flight that uses it.
const (
	ConfigurationPublished = "configuration.published"  // Data: PublishedConfiguration
	FlightsScheduled       = "flight.scheduled"         // Data: FlightFacts
	FlightChanged          = "flight.changed"           // Data: FlightFacts, one flight
	FlightCancelled        = "flight.cancelled"         // Data: FlightFacts, one flight
	EquipmentChanged       = "flight.equipment_changed" // Data: FlightFacts, one flight
)

// PublishedConfiguration says which seats a configuration has.
type PublishedConfiguration struct {
	Configuration string   `json:"configuration"` // name and version, such as A320-150.1
	Seats         []string `json:"seats"`
}

// FlightFacts is what others may rely on, each flight whole.
type FlightFacts struct {
	Flights []FlightFact `json:"flights"`
}

// FlightFact is one flight as it now stands.
type FlightFact struct {
	FlightID      string `json:"flight_id"`
	Designator    string `json:"designator"`
	Date          string `json:"date"` // local departure date, YYYY-MM-DD
	Configuration string `json:"configuration"`
	Status        Status `json:"status"`
}

// Status of a dated flight.
type Status string

// The statuses.
const (
	Scheduled Status = "SCHEDULED"
	Cancelled Status = "CANCELLED"
)

// Moment is a scheduled time: wall clock and zone, which are kept when a zone's rules
// change, and the instant they stand for.
type Moment struct {
	Local string `json:"local"` // YYYY-MM-DDTHH:MM
	TZ    string `json:"tz"`    // IANA
	UTC   string `json:"utc"`   // RFC 3339
}

// Cabin is a cabin of service.
type Cabin string

// The cabins.
const (
	Economy        Cabin = "ECONOMY"
	PremiumEconomy Cabin = "PREMIUM_ECONOMY"
	Business       Cabin = "BUSINESS"
	First          Cabin = "FIRST"
)

// Money is an amount in a currency's own number of decimals, never a float in JSON.
type Money struct {
	Amount   string `json:"amount"` // such as 129.90
	Currency string `json:"currency"`
}

// Flight is a dated flight: unique by designator, origin and local departure date.
type Flight struct {
	FlightID      string          `json:"flight_id"` // such as AA34-JFK-20261121
	Designator    string          `json:"designator"`
	Carrier       string          `json:"carrier"`
	Origin        string          `json:"origin"`
	Destination   string          `json:"destination"`
	Departure     Moment          `json:"departure"`
	Arrival       Moment          `json:"arrival"`
	Minutes       int             `json:"duration_minutes"`
	Stops         int             `json:"stops"`
	Aircraft      string          `json:"aircraft"` // archetype, such as A320
	Configuration string          `json:"configuration"`
	Seats         int             `json:"seats"`
	Fares         map[Cabin]Money `json:"fares"`
	Status        Status          `json:"status"`
	Synthetic     []string        `json:"synthetic,omitempty"` // fields made up, not taken from a source
	Version       int64           `json:"version"`
	Replayed      bool            `json:"-"` // Schedule found it done before
}

// NewFlight is what an agent says of a new flight. Aircraft is an archetype's code;
// Seats, if not 0, trims or widens it; SeatMap, if given, is used instead of it.
type NewFlight struct {
	Designator  string          `json:"designator"`
	Origin      string          `json:"origin"`
	Destination string          `json:"destination"`
	Departure   string          `json:"departure"` // local, YYYY-MM-DDTHH:MM
	Arrival     string          `json:"arrival"`   // local
	Stops       int             `json:"stops,omitempty"`
	Aircraft    string          `json:"aircraft"`
	Seats       int             `json:"seats,omitempty"`
	SeatMap     *SeatMap        `json:"seat_map,omitempty"`
	Fares       map[Cabin]Money `json:"fares"`
	Key         string          `json:"-"`
}

// Patch changes what is not nil.
type Patch struct {
	Departure *string         `json:"departure,omitempty"`
	Arrival   *string         `json:"arrival,omitempty"`
	Aircraft  *string         `json:"aircraft,omitempty"`
	Seats     *int            `json:"seats,omitempty"`
	SeatMap   *SeatMap        `json:"seat_map,omitempty"`
	Fares     map[Cabin]Money `json:"fares,omitzero"`
	Status    *Status         `json:"status,omitempty"`
}

// Criteria narrows a search; the zero value matches every flight.
type Criteria struct {
	Origin        string
	Destination   string
	DepartureDate string // local, YYYY-MM-DD
	Passengers    int    // 1–9: not cancelled, and the cabin (or the aircraft) has so many seats
	Cabin         Cabin  // sold on the flight
	Carriers      []string
	MaxPrice      string // decimal, in Currency; of Cabin, or of the cheapest cabin
	Currency      string // the flight is sold in it
	Nonstop       bool
	Sort          Sort
	Limit         int    // 1–200, default 50
	Cursor        string // as given by the page before, for the same criteria
}

// Sort is the order of a search. Equals come by departure (instant), then by flight id.
type Sort string

// The orders. ByPrice compares the fares of Cabin, or each flight's lowest; without a
// currency named in the criteria, flights of one currency come before those of the next.
const (
	ByDeparture Sort = "departure" // the default
	ByPrice     Sort = "price"
	ByDuration  Sort = "duration"
)

// Bounds of a search and of an airports page.
const (
	DefaultLimit = 50
	MaxLimit     = 200
	MaxCarriers  = 20
)

// Page is a page of flights; NextCursor is empty on the last.
type Page struct {
	Flights    []Flight `json:"flights"`
	NextCursor string   `json:"next_cursor,omitempty"`
}

// AirportQuery pages through airports by code.
type AirportQuery struct {
	Country string
	Limit   int
	Cursor  string
}

// Airport is a place flights start from. Position in degrees, WGS 84.
type Airport struct {
	Code      string  `json:"code"`
	Name      string  `json:"name"`
	City      string  `json:"city"`
	Country   string  `json:"country"`
	TZ        string  `json:"tz"`
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// AirportPage is a page of airports; NextCursor is empty on the last.
type AirportPage struct {
	Airports   []Airport `json:"airports"`
	NextCursor string    `json:"next_cursor,omitempty"`
}
