package store

import (
	"slices"
	"testing"
)

func waiting(flight, seat, customer string, version int64) *job {
	return &job{
		sub: Subject{FlightID: flight, Seats: []string{seat}, CustomerID: customer, Key: flight + seat + customer},
		st:  State{guessed: true, Flight: &Flight{FlightID: flight, Version: version}},
	}
}

// A batch carries several claims of a flight, one version behind the other, but for those
// that must see what another one did; these wait until the flight is free again.
func TestTurns(t *testing.T) {
	first, second := waiting("F1", "1A", "ann", 7), waiting("F1", "1B", "bob", 7)
	sameSeat, sameCustomer := waiting("F1", "1A", "cid", 7), waiting("F1", "1C", "ann", 7)
	elsewhere, changed := waiting("F2", "1A", "ann", 0), waiting("F1", "1D", "dan", 7)
	changed.st.Flight.Seq = 2
	turns := turns{busy: map[string]bool{}, waiting: []*job{first, second, sameSeat, sameCustomer, elsewhere, changed}}
	batch := turns.take()
	if !slices.Equal(batch, []*job{first, second, elsewhere}) || turns.any() {
		t.Fatalf("%d claims go first; any of the others now: %t", len(batch), turns.any())
	}
	queue(batch)
	if a, b, c := first.st.Flight.Version, second.st.Flight.Version, elsewhere.st.Flight.Version; a != 7 || b != 8 || c != 0 {
		t.Errorf("behind versions %d, %d and %d", a, b, c)
	}
	turns.leave(batch)
	if batch = turns.take(); !slices.Equal(batch, []*job{sameSeat, sameCustomer}) {
		t.Errorf("%d claims go second", len(batch))
	}
}
