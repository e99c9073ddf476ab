package flightslocal_test

import (
	"testing"
	"time"

	"banyan/modules/flights"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/flights/geometry"
	"banyan/modules/kernel/sqldb"
)

func TestSample(t *testing.T) {
	onBothStores(t, func(t *testing.T, db *sqldb.DB) {
		s := newService(t, db)
		today := time.Date(2026, 11, 21, 22, 30, 0, 0, time.UTC)
		for range 2 { // the second time changes nothing
			if err := s.LoadSample(t.Context(), today); err != nil {
				t.Fatal(err)
			}
		}
		was := state(t, db)
		if err := s.LoadSample(t.Context(), today); err != nil || state(t, db) != was {
			t.Errorf("a third time: %s, was %s; %v", state(t, db), was, err)
		}
		f, err := s.ByNumber(t.Context(), "AA34", "2020-05-17T13:20")
		if err != nil || f.FlightID != "AA34-LAX-20200517" || f.Origin != "LAX" || f.Destination != "DCA" {
			t.Errorf("the book's flight: %+v, %v", f, err)
		}
		archetypes := map[string]bool{}
		for day := range flightslocal.SampleDays {
			date := today.AddDate(0, 0, day).Format(time.DateOnly)
			page, err := s.Search(t.Context(), flights.Criteria{DepartureDate: date, Limit: flights.MaxLimit})
			if err != nil || len(page.Flights) < 10 {
				t.Fatalf("%s: %d flights, %v", date, len(page.Flights), err)
			}
			for _, f := range page.Flights {
				archetypes[f.Aircraft] = true
			}
		}
		if len(archetypes) != len(geometry.Codes()) {
			t.Errorf("archetypes: %v", archetypes)
		}
	})
}
