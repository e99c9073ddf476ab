package flightslocal_test

import (
	"os"
	"testing"
	"time"

	"banyan/modules/flights"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/kernel/sqldb"
)

// realFolder is OpenTravelData's, beside the repository.
const realFolder = "../../../../shared/data/optd"

// TestImportOfRealFiles imports one day of the real files into both stores.
func TestImportOfRealFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	if _, err := os.Stat(realFolder); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("OpenTravelData's files are not in ../shared/data/optd: %v", err)
		}
		t.Skipf("SKIPPED: put OpenTravelData's files into ../shared/data/optd to run this: %v", err)
	}
	onBothStores(t, func(t *testing.T, db *sqldb.DB) {
		s := newService(t, db)
		start := time.Now()
		report := mustImport(t, s, flightslocal.Import{Dir: realFolder, Days: 1, From: importDay})
		t.Logf("%d flights in %s; left out: %v", report.New, time.Since(start).Round(time.Millisecond), report.Reasons)
		if report.New < 90_000 || report.New != report.Flights || count(t, db, "SELECT COUNT(*) FROM flights") != report.Flights {
			t.Errorf("%+v", report)
		}
		page, err := s.Search(t.Context(), flights.Criteria{Origin: "JFK", Destination: "LHR", DepartureDate: "2026-11-21"})
		if err != nil || len(page.Flights) == 0 {
			t.Fatalf("%d flights from JFK to LHR, %v", len(page.Flights), err)
		}
		f := page.Flights[0]
		if f.Departure.TZ != "America/New_York" || f.Minutes < 300 || f.Minutes > 600 || f.Seats < 100 {
			t.Errorf("%+v", f)
		}
		m, err := s.SeatMap(t.Context(), f.FlightID)
		if err != nil || m.Configuration != f.Configuration {
			t.Errorf("seat map %s of %s: %v", m.Configuration, f.Configuration, err)
		}
		checkSearchOfImport(t, s, db)
	})
}
