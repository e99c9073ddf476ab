// Package reservations is the contract of the context that knows who has which seat:
// holds, reservations and blocks, per dated flight. It calls no other context; what it
// must know of flights it keeps itself, fed by their events.
//
// A seat goes FREE → HELD → RESERVED → FREE, or BLOCKED. Whatever a call claims it
// claims whole or not at all, in one atomic step of the store that owns the flight.
package reservations

import (
	"context"
	"time"
)

// Service is what the context does, in this process or over HTTP. Errors carry the
// codes of package errs; each method names its own.
type Service interface {
	Holds
	Bookings
	Seating
}

// Holds claims seats for a while. Every write needs an idempotency key; the same key
// and arguments give the stored answer, with other arguments errs.KeyReused.
type Holds interface {
	// Hold claims all seats or none. errs: Invalid, SeatUnknown, SeatTaken (Fields
	// "conflicts"), FlightUnknown, FlightNotOpen, CapExceeded, KeyReused, Misdirected.
	Hold(ctx context.Context, r HoldRequest) (Hold, error)
	// GetHold needs the token. errs: HoldUnknown, TokenMismatch.
	GetHold(ctx context.Context, holdID, token string) (Hold, error)
	// Extend moves the expiry to now + TTL. errs: HoldUnknown, TokenMismatch,
	// HoldExpired, HoldReleased, ExtensionsExhausted.
	Extend(ctx context.Context, r HoldAction) (Hold, error)
	// Confirm turns the hold into a reservation. An expired hold stays expired: who is
	// paid late claims the same seats again with Reserve, or refunds. errs: Invalid,
	// HoldUnknown, TokenMismatch, HoldExpired, HoldReleased.
	Confirm(ctx context.Context, r HoldAction) (Reservation, error)
	// Release frees the seats; releasing again is no error. A confirmed hold is
	// errs.Conflict.
	Release(ctx context.Context, r HoldAction) (Hold, error)
}

// Bookings are the seats that are sold.
type Bookings interface {
	// Reserve claims and confirms in one step. The same customer asking again for
	// seats that are theirs gets their reservation back.
	Reserve(ctx context.Context, r ReserveRequest) (Reservation, error)
	GetReservation(ctx context.Context, reservationID string) (Reservation, error)
	// Cancel frees the seats; cancelling again gives the same answer.
	Cancel(ctx context.Context, reservationID string) (Reservation, error)
	// ChangeSeat swaps one seat of a reservation for a free one of the same flight.
	ChangeSeat(ctx context.Context, r ChangeSeatRequest) (Reservation, error)
	// Rebook moves a reservation to other flights: all new seats or no change. The flights
	// may have other owners than the reservation's; while one of them cannot be asked it is
	// errs.Unavailable, and the same request goes on later.
	Rebook(ctx context.Context, r RebookRequest) (Reservation, error)
}

// Seating shows and blocks the seats of a flight.
type Seating interface {
	// Seats gives the seats that are not free. errs: FlightUnknown.
	Seats(ctx context.Context, flightID string) (SeatStates, error)
	// Occupants gives the customer of every reserved seat, for the book's list; the
	// HTTP edge masks them.
	Occupants(ctx context.Context, flightID string) (map[string]string, error)
	// Block takes a free seat off sale; blocking it again is no error.
	Block(ctx context.Context, r BlockRequest) (SeatStates, error)
	Unblock(ctx context.Context, flightID, seat string) (SeatStates, error)
}

// Limits of a hold.
const (
	DefaultTTL    = 10 * time.Minute
	MinTTL        = time.Minute
	MaxTTL        = 20 * time.Minute
	MaxLifetime   = 30 * time.Minute // from creation, whatever is extended
	MaxExtensions = 3
	MaxSeats      = 9 // in one hold, and held by one customer on one flight
)

// HoldRequest asks for seats of one flight.
type HoldRequest struct {
	FlightID   string   `json:"flight_id"`
	CustomerID string   `json:"customer_id"`
	Seats      []string `json:"seats"`
	TTLSeconds int      `json:"ttl_seconds,omitempty"` // 0: DefaultTTL
	Key        string   `json:"-"`
}

// HoldAction names a hold and shows its token.
type HoldAction struct {
	HoldID     string `json:"hold_id"`
	Token      string `json:"-"`
	TTLSeconds int    `json:"ttl_seconds,omitempty"` // Extend only; 0: DefaultTTL
	// Related is for Confirm only: the other reservation of a rebooked round trip, which
	// may have to be confirmed yet. It is kept and shown, and means nothing more.
	Related string `json:"related,omitempty"`
	Key     string `json:"-"`
}

// HoldStatus is what became of a hold; expiry is judged when it is read.
type HoldStatus string

// The statuses of a hold.
const (
	HoldActive    HoldStatus = "HELD"
	HoldExpired   HoldStatus = "EXPIRED"
	HoldConfirmed HoldStatus = "CONFIRMED"
	HoldReleased  HoldStatus = "RELEASED"
)

// Hold is a claim that ends by itself. Token is a secret between service and client.
type Hold struct {
	HoldID        string     `json:"hold_id"`
	FlightID      string     `json:"flight_id"`
	CustomerID    string     `json:"customer_id,omitempty"`
	Token         string     `json:"token,omitempty"`
	Seats         []string   `json:"seats"`
	Status        HoldStatus `json:"status"`
	ExpiresAt     time.Time  `json:"expires_at"`
	ServerTime    time.Time  `json:"server_time"`
	Extensions    int        `json:"extensions"`
	ReservationID string     `json:"reservation_id,omitempty"`
	Replayed      bool       `json:"-"`
}

// ReserveRequest asks for seats without a hold before.
type ReserveRequest struct {
	FlightID   string   `json:"flight_id"`
	CustomerID string   `json:"customer_id"`
	Seats      []string `json:"seats"`
	Key        string   `json:"-"` // optional: a retry is recognised by its customer
}

// ReservationStatus is CONFIRMED or CANCELLED.
type ReservationStatus string

// The statuses of a reservation.
const (
	Confirmed ReservationStatus = "CONFIRMED"
	Cancelled ReservationStatus = "CANCELLED"
)

// Reservation is seats sold to a customer on one flight. Related names the other
// reservation of a rebooked round trip; Displaced the seats that an equipment change
// took out of the map.
type Reservation struct {
	ReservationID string            `json:"reservation_id"`
	FlightID      string            `json:"flight_id"`
	CustomerID    string            `json:"customer_id,omitempty"`
	Seats         []string          `json:"seats"`
	Status        ReservationStatus `json:"status"`
	CreatedAt     time.Time         `json:"created_at"`
	HoldID        string            `json:"hold_id,omitempty"`
	Related       string            `json:"related,omitempty"`
	Displaced     []string          `json:"displaced,omitempty"`
	Replayed      bool              `json:"-"`
}

// ChangeSeatRequest swaps From for To.
type ChangeSeatRequest struct {
	ReservationID string `json:"reservation_id"`
	From          string `json:"from"`
	To            string `json:"to"`
	Key           string `json:"-"`
}

// RebookRequest moves a reservation to an outbound and perhaps a return flight.
type RebookRequest struct {
	ReservationID string `json:"reservation_id"`
	Outbound      Leg    `json:"outbound"`
	Returning     *Leg   `json:"returning,omitempty"`
	Key           string `json:"-"`
}

// Leg names a dated flight as a passenger does, by designator and local date.
type Leg struct {
	FlightNum  string   `json:"flight_num"`
	FlightDate string   `json:"flight_date"` // YYYY-MM-DD
	Seats      []string `json:"seats"`
}

// BlockRequest takes a seat off sale.
type BlockRequest struct {
	FlightID string `json:"flight_id"`
	Seat     string `json:"seat"`
	Reason   string `json:"reason"`
}

// SeatState is HELD, RESERVED or BLOCKED; a free seat is not listed.
type SeatState string

// The states that are listed.
const (
	Held     SeatState = "HELD"
	Reserved SeatState = "RESERVED"
	Blocked  SeatState = "BLOCKED"
)

// SeatStates is the flight's state; Version rises with every write on the flight.
type SeatStates struct {
	FlightID string               `json:"flight_id"`
	Seats    map[string]SeatState `json:"seats"`
	Version  int64                `json:"version"`
}
