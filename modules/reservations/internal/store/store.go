// Package store is where seat state lives. A store runs the context's rules inside
// its own atomic step: it loads what the rules need, lets them decide, and applies the
// change only if nothing that was loaded has changed, the bucket's fence is active and
// the idempotency key is new. The rules are therefore written once, for every store.
package store

import (
	"context"

	"banyan/modules/kernel/idempotency"
)

// Route names the routing unit in fence and journal.
const Route = "reservations"

// Store keeps the seats of flights. Times are microseconds since 1970 UTC by the
// store's own clock. Errors of the machinery are errs.Unavailable; a bucket that this
// store may not write (or read) is errs.Misdirected with "epoch" and "mode".
type Store interface {
	// Update loads the subject, lets decide choose, and commits its change durably in
	// one atomic step. decide is pure and may run several times, the first time perhaps on
	// a guess of the state; only the last run counts, and it was on the truth. An error of
	// decide comes back as it is and changes nothing; an empty change writes nothing.
	Update(ctx context.Context, s Subject, decide func(State) (Change, error)) error
	// Read loads the subject, Recorded included, without locking; readable while the
	// fence is active or ro.
	Read(ctx context.Context, s Subject) (State, error)
	// Seats gives every seat record of a flight with the flight and the time.
	Seats(ctx context.Context, flightID string) (State, error)
	// FlightByNumber finds a dated flight's id by designator and local date, "" if none;
	// errs.Conflict if several origins share the number, for it is not to be guessed.
	FlightByNumber(ctx context.Context, designator, date string) (string, error)
	Catalogue
	Keeper
}

// Catalogue is the store's own copy of what flights' events say is sellable.
type Catalogue interface {
	// Geometry gives the seats of a configuration; nil when it is not known.
	Geometry(ctx context.Context, configuration string) ([]string, error)
	// Cursor gives the last event applied of a source, 0 at first.
	Cursor(ctx context.Context, source string) (int64, error)
	// Apply stores configurations and flights and moves the cursor, in that order of
	// durability: a crash in between applies them again. A flight whose Seq is not
	// higher than the stored one is left as it is.
	Apply(ctx context.Context, source string, cursor int64, configurations []Configuration, flights []Flight) error
}

// Keeper is housekeeping.
type Keeper interface {
	// Sweep removes the seat records of expired holds, holds that expired longer ago than
	// idempotency.Keep (until then a late confirm is told so), idempotency records older
	// than that, and events older than a day: a bounded number at a time, and only in
	// buckets whose fence is active. It says how many records went.
	Sweep(ctx context.Context) (int, error)
	// Ping asks for a sign of life; Close frees the connections.
	Ping(ctx context.Context) error
	Close() error
}

// Subject says what a decision is about. Exactly one of FlightID, HoldID and
// ReservationID is set; with an id, the flight and the seats of the hold or reservation
// are loaded too; one that is not there leaves State.Hold or State.Reservation and
// State.Flight nil. Bucket is the flight's, and carried by the ids.
type Subject struct {
	Bucket        int
	FlightID      string
	HoldID        string
	ReservationID string
	Seats         []string // further seats to load
	CustomerID    string   // whose held seats on the flight are counted; "" for no one
	Key           string   // idempotency key, "" for none
}

// State is what a decision sees; absent records are nil.
type State struct {
	Now         int64
	Flight      *Flight
	Hold        *Hold
	Reservation *Reservation
	Seats       map[string]Seat     // those loaded that are in the store, expired ones included
	HeldSeats   int                 // of CustomerID on the flight, not expired
	Recorded    *idempotency.Record // what the key's first request answered

	epoch   int64 // of the fence, for the SQL store
	guessed bool  // nothing of it was read: to be verified by whoever writes on it
}

// Change is what a decision writes. Every non-empty change raises the flight's version
// by one, which the event carries.
type Change struct {
	Put         []string     // seats to write, over what was loaded, each once
	As          Seat         // what those become
	Free        []string     // seats to remove
	Hold        *Hold        // to write
	Reservation *Reservation // to write
	Record      *idempotency.Record
	Event       string // type of the outgoing event: held, extended, confirmed, …
}

// Empty tells that nothing is to be written.
func (c Change) Empty() bool {
	return len(c.Put) == 0 && len(c.Free) == 0 && c.Hold == nil && c.Reservation == nil && c.Record == nil
}

// Configuration is the geometry of an aircraft configuration, immutable by its id.
type Configuration struct {
	ID    string   `json:"id"` // name and version, such as A320-150.1
	Seats []string `json:"seats"`
}

// Flight is what reservations know of a dated flight.
type Flight struct {
	FlightID      string `json:"flight_id"`
	Designator    string `json:"designator"`
	Date          string `json:"date"` // local departure date
	Configuration string `json:"configuration"`
	Open          bool   `json:"open"`    // false: cancelled
	Seq           int64  `json:"seq"`     // of the event that said so
	Version       int64  `json:"version"` // of the seat state; 0: never written
}

// Kind of a seat record.
type Kind string

// The kinds.
const (
	Held     Kind = "H"
	Reserved Kind = "R"
	Blocked  Kind = "B"
)

// Seat is the record of a seat that is not free. Ref is the hold or reservation, or
// the reason of a block. ExpiresAt is 0 unless held.
type Seat struct {
	Kind       Kind   `json:"k"`
	Ref        string `json:"r"`
	CustomerID string `json:"c,omitempty"`
	ExpiresAt  int64  `json:"x,omitempty"`
}

// Taken tells whether the seat is not to be had at a time: an expired hold is free.
func (s Seat) Taken(now int64) bool { return s.Kind != Held || now < s.ExpiresAt }

// Hold is the stored form of a hold.
type Hold struct {
	HoldID        string   `json:"id"`
	FlightID      string   `json:"f"`
	CustomerID    string   `json:"c"`
	Token         string   `json:"t"`
	Seats         []string `json:"s"`
	Status        string   `json:"st"` // as reservations.HoldStatus, never EXPIRED
	CreatedAt     int64    `json:"at"`
	ExpiresAt     int64    `json:"x"`
	Extensions    int      `json:"n,omitempty"`
	ReservationID string   `json:"rid,omitempty"`
}

// Reservation is the stored form of a reservation.
type Reservation struct {
	ReservationID string   `json:"id"`
	FlightID      string   `json:"f"`
	CustomerID    string   `json:"c"`
	Seats         []string `json:"s"`
	Status        string   `json:"st"` // as reservations.ReservationStatus
	CreatedAt     int64    `json:"at"`
	HoldID        string   `json:"h,omitempty"`
	Related       string   `json:"rel,omitempty"`
}
