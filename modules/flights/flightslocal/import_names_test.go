package flightslocal_test

import (
	"testing"

	"banyan/modules/flights"
	"banyan/modules/kernel/sqldb"
)

// Real airlines have codes such as 9E: their designators look like numbers, 9E310 and
// 9E311 both like infinity. A column that SQLite takes for a number (VARBINARY is one;
// VARCHAR(n) COLLATE binary is text there and binary in MySQL) makes one of the two.
func TestDesignatorsThatLookLikeNumbers(t *testing.T) {
	onBothStores(t, func(t *testing.T, db *sqldb.DB) {
		s := newService(t, db)
		for _, designator := range []string{"9E310", "9E311", "9E1", "0B12"} {
			_, err := s.Schedule(t.Context(), flights.NewFlight{
				Designator: designator, Origin: "JFK", Destination: "ATL", Aircraft: "E190",
				Departure: "2026-11-21T09:00", Arrival: "2026-11-21T11:30",
				Fares: map[flights.Cabin]flights.Money{flights.Economy: {Amount: "99.00", Currency: "USD"}},
			})
			if err != nil {
				t.Errorf("%s: %v", designator, err)
			}
			f, err := s.ByNumber(t.Context(), designator, "2026-11-21T09:00")
			if err != nil || f.Designator != designator || f.FlightID != designator+"-JFK-20261121" {
				t.Errorf("%s is kept as %q, flight %q: %v", designator, f.Designator, f.FlightID, err)
			}
		}
	})
}
