package flightssplit_test

import (
	"testing"

	"banyan/modules/flights"
	"banyan/modules/flights/flightstest"
	"banyan/modules/kernel/bucket"
)

// The split keeps the contract, but for the feed, which is home's only, and a key that
// comes again with a flight of the other side, which does not know it.
func TestContract(t *testing.T) {
	flightstest.RunCatalogue(t, func(t *testing.T) flights.Service {
		p := newPair(t, kinds()["SQLiteAndSQLite"])
		var even []int
		for b := 0; b < bucket.Count; b += 2 {
			even = append(even, b)
		}
		if err := p.move(t.Context(), p.home, p.away, even); err != nil {
			t.Fatal(err)
		}
		return p.split
	})
}
