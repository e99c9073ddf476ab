package flightslocal_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banyan/modules/flights"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/flights/optd"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// importDay is where the imports of the tests begin.
var importDay = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant in all but syntax

// smallFolder writes an OpenTravelData folder: six airports, three airlines and n routes
// of AA beside a few of others; and one bad line of nearly every kind.
func smallFolder(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	airports := "geoNameId\tname\tfeatureCode\tcountryCode\tadminCode1\tadminCode2\ttimeZoneId\tlatitude\tlongitude\tiata\ticao\tcityId\tcityName\tisActive\n"
	zones := []string{"America/New_York", "Europe/London", "Asia/Singapore", "Australia/Sydney", "Europe/Berlin", "America/Los_Angeles"}
	for i, code := range []string{"AAA", "BBB", "CCC", "DDD", "EEE", "FFF"} {
		airports += fmt.Sprintf("%d\tAirport %s\tAIRP\tUS\tnull\tnull\t%s\t%d.5\t%d.25\t%s\tX%s\t1\tCity %d\t1\n", i, code, zones[i], i*7, i*20-60, code, code, i)
	}
	routes := "airline_code^apt_org^apt_dst^seats_mtly_avg^freq_mtly_avg\n"
	codes := []string{"AAA", "BBB", "CCC", "DDD", "EEE", "FFF"}
	for i := range n {
		carrier := fmt.Sprintf("A%c", 'A'+i/30)
		routes += fmt.Sprintf("%s^%s^%s^%d.00^%d.50\n", carrier, codes[i%30/5], codes[(i%30/5+1+i%5)%6], (60+i%200)*(i%300+20), i%300+20)
	}
	airlines := "pk^2char_code^name^validity_from^validity_to\n"
	for c := 'A'; c <= 'Z'; c++ {
		airlines += fmt.Sprintf("x^A%c^Airline %c^2000-01-01^\n", c, c)
	}
	for file, text := range map[string]string{
		optd.AirportsFile: airports, optd.RoutesFile: routes, optd.AirlinesFile: airlines,
		optd.AircraftFile: "iata_code^manufacturer^model^icao_code\n320^Airbus^A320^A320\n100^Fokker^100^F100\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// onBothStores runs a test on SQLite and on MariaDB.
func onBothStores(t *testing.T, test func(*testing.T, *sqldb.DB)) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func mustImport(t *testing.T, s *flightslocal.Service, in flightslocal.Import) flightslocal.ImportReport {
	t.Helper()
	report, err := s.Import(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func count(t *testing.T, db *sqldb.DB, query string) int {
	t.Helper()
	var n int
	if err := db.Reader().QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// state is everything that a second import must not change.
func state(t *testing.T, db *sqldb.DB) string {
	t.Helper()
	var parts []string
	for _, q := range []string{
		"SELECT COUNT(*) FROM flights", "SELECT SUM(version) FROM flights", "SELECT SUM(dep_utc % 1000003) FROM flights",
		"SELECT COUNT(*) FROM outbox", "SELECT COUNT(*) FROM configurations", "SELECT COUNT(*) FROM airports",
	} {
		parts = append(parts, fmt.Sprint(count(t, db, q)))
	}
	return strings.Join(parts, " ")
}

func TestImportTwiceChangesNothing(t *testing.T) {
	onBothStores(t, func(t *testing.T, db *sqldb.DB) {
		s := newService(t, db)
		in := flightslocal.Import{Dir: smallFolder(t, 240), Days: 7, From: importDay}
		first := mustImport(t, s, in)
		if first.New != first.Flights || first.Flights < 3000 || count(t, db, "SELECT COUNT(*) FROM flights") != first.Flights {
			t.Fatalf("%+v", first)
		}
		was := state(t, db)
		again := mustImport(t, s, in)
		if again.New != 0 || again.Existing != first.Flights || state(t, db) != was {
			t.Errorf("again: %+v; state %s, was %s", again, state(t, db), was)
		}
		// Another period over the same dates: only the new dates come.
		in.Days = 8
		longer := mustImport(t, s, in)
		if longer.Existing != first.Flights || longer.New != longer.Flights-first.Flights || longer.New == 0 {
			t.Errorf("longer: %+v", longer)
		}
	})
}

func TestImportLeavesAChangedFlightAsItIs(t *testing.T) {
	onBothStores(t, func(t *testing.T, db *sqldb.DB) {
		s := newService(t, db)
		dir := smallFolder(t, 5)
		mustImport(t, s, flightslocal.Import{Dir: dir, Days: 1, From: importDay})
		page, err := s.Search(t.Context(), flights.Criteria{Limit: 1})
		if err != nil || len(page.Flights) == 0 {
			t.Fatal(page, err)
		}
		f := page.Flights[0]
		if want := []string{"designator", "departure", "arrival", "aircraft", "fares"}; strings.Join(f.Synthetic, " ") != strings.Join(want, " ") {
			t.Errorf("synthetic: %v", f.Synthetic)
		}
		cancelled := flights.Cancelled
		if _, err := s.Change(t.Context(), f.FlightID, f.Version, flights.Patch{Status: &cancelled}); err != nil {
			t.Fatal(err)
		}
		mustImport(t, s, flightslocal.Import{Dir: dir, Days: 2, From: importDay})
		if f, err = s.Flight(t.Context(), f.FlightID); err != nil || f.Status != flights.Cancelled {
			t.Errorf("%s is %s after another import, %v", f.FlightID, f.Status, err)
		}
	})
}

// An import that is stopped goes on with the next start, and ends as if it had not been.
func TestImportGoesOnWhereItStopped(t *testing.T) {
	onBothStores(t, func(t *testing.T, db *sqldb.DB) {
		s := newService(t, db)
		in := flightslocal.Import{Dir: smallFolder(t, 300), Days: 5, From: importDay}
		ctx, stop := context.WithCancel(t.Context())
		in.Progress = func(done, _ int) {
			if done >= 2000 {
				stop()
			}
		}
		report, err := s.Import(ctx, in)
		if errs.CodeOf(err) != errs.Unavailable || report.New < 2000 || report.New >= report.Flights {
			t.Fatalf("%+v, %v", report, err)
		}
		start := -1
		in.Progress = func(done, _ int) {
			if start < 0 {
				start = done
			}
		}
		rest := mustImport(t, s, in)
		if start != report.New || rest.New != rest.Flights-report.New || count(t, db, "SELECT COUNT(*) FROM flights") != rest.Flights {
			t.Errorf("stopped at %d, went on at %d: %+v", report.New, start, rest)
		}
	})
}

func TestImportRefusesWhatIsNoImport(t *testing.T) {
	s := newService(t, dbtest.SQLite(t))
	for name, in := range map[string]flightslocal.Import{
		"no folder":    {Dir: filepath.Join(t.TempDir(), "none"), Days: 1, From: importDay},
		"no days":      {Dir: smallFolder(t, 1), Days: 0, From: importDay},
		"many days":    {Dir: smallFolder(t, 1), Days: optd.MaxDays + 1, From: importDay},
		"ancient date": {Dir: smallFolder(t, 1), Days: 1},
	} {
		if _, err := s.Import(t.Context(), in); errs.CodeOf(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
