package rules

import (
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/store"
)

// Block takes a free seat off sale; a seat that is blocked stays as it is.
func Block(st store.State, g Geometry, flightID, seat, reason string) (store.Change, error) {
	if st.Flight == nil {
		return store.Change{}, FlightUnknown(flightID)
	}
	if st.Seats[seat].Kind == store.Blocked {
		return store.Change{}, nil
	}
	if err := claimable(st, g, []string{seat}); err != nil {
		return store.Change{}, err
	}
	return store.Change{Put: []string{seat}, As: store.Seat{Kind: store.Blocked, Ref: reason}, Event: "blocked"}, nil
}

// Unblock puts a blocked seat on sale again; one that is not blocked stays as it is.
// A block outlives a change of aircraft, so the seat need not be in the map.
func Unblock(st store.State, g Geometry, flightID, seat string) (store.Change, error) {
	if st.Flight == nil {
		return store.Change{}, FlightUnknown(flightID)
	}
	if st.Seats[seat].Kind == store.Blocked {
		return store.Change{Free: []string{seat}, Event: "unblocked"}, nil
	}
	if !g.Has(seat) {
		return store.Change{}, claimable(st, g, []string{seat})
	}
	return store.Change{}, nil
}

// SeatStates lists the seats that are not free.
func SeatStates(st store.State) reservations.SeatStates {
	states := map[string]reservations.SeatState{}
	names := map[store.Kind]reservations.SeatState{
		store.Held: reservations.Held, store.Reserved: reservations.Reserved, store.Blocked: reservations.Blocked,
	}
	for seat, r := range st.Seats {
		if r.Taken(st.Now) {
			states[seat] = names[r.Kind]
		}
	}
	return reservations.SeatStates{FlightID: st.Flight.FlightID, Seats: states, Version: st.Flight.Version}
}

// Occupants gives the customer of every reserved seat.
func Occupants(st store.State) map[string]string {
	customers := map[string]string{}
	for seat, r := range st.Seats {
		if r.Kind == store.Reserved {
			customers[seat] = r.CustomerID
		}
	}
	return customers
}
