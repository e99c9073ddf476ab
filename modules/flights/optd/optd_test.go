package optd_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"banyan/modules/flights/optd"
	"banyan/modules/kernel/errs"
)

const (
	airportsHeader = "geoNameId\tname\tfeatureCode\tcountryCode\ttimeZoneId\tlatitude\tlongitude\tiata\tcityName\tisActive\n"
	airlinesHeader = "2char_code^name^validity_from^validity_to\n"
	aircraftHeader = "iata_code^manufacturer^model^icao_code\n"
	routesHeader   = "airline_code^apt_org^apt_dst^seats_mtly_avg^freq_mtly_avg\n"

	goodAirports = "1\tKennedy\tAIRP\tUS\tAmerica/New_York\t40.6\t-73.8\tJFK\tNew York\t1\n" +
		"2\tHeathrow\tAIRP\tGB\tEurope/London\t51.5\t-0.5\tLHR\tLondon\t1\n" +
		"3\tField\tAIRF\tGB\tnull\t51.5\t-0.5\tnull\tnull\t1\n"
)

// folder writes a folder with the lines of each file after its header.
func folder(t *testing.T, airports, airlines, aircraft, routes string) string {
	t.Helper()
	dir := t.TempDir()
	for file, text := range map[string]string{
		optd.AirportsFile: airportsHeader + airports, optd.AirlinesFile: airlinesHeader + airlines,
		optd.AircraftFile: aircraftHeader + aircraft, optd.RoutesFile: routesHeader + routes,
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, dir string) (*optd.Data, []optd.Problem) {
	t.Helper()
	var problems []optd.Problem
	d, err := optd.Read(dir, func(p optd.Problem) { problems = append(problems, p) })
	if err != nil {
		t.Fatal(err)
	}
	return d, problems
}

// Every kind of bad line is left out and reported with its place; the good ones stay.
func TestBadLines(t *testing.T) {
	const a, l, c, r = optd.AirportsFile, optd.AirlinesFile, optd.AircraftFile, optd.RoutesFile
	for _, bad := range []struct {
		file, line string
		why        optd.Reason
	}{
		{a, "4\tX\tAIRP\tUS\tAmerica/New_York\t1\t2\tXXX", optd.BadFields},
		{a, "4\tX\tAIRP\tUS\tAmerica/New_York\t1\t2\txxx\tX\t1", optd.BadCode},
		{a, "4\tX\tAIRP\tUSA\tAmerica/New_York\t1\t2\tXXX\tX\t1", optd.BadCode},
		{a, "4\tnull\tAIRP\tUS\tAmerica/New_York\t1\t2\tXXX\tX\t1", optd.MissingField},
		{a, "4\tX\tAIRP\tUS\tMars/Olympus\t1\t2\tXXX\tX\t1", optd.NoZone},
		{a, "4\tX\tAIRP\tUS\tnull\t1\t2\tXXX\tX\t1", optd.NoZone},
		{a, "4\tX\tAIRP\tUS\tAmerica/New_York\t91\t2\tXXX\tX\t1", optd.BadNumber},
		{a, "4\tX\tAIRP\tUS\tAmerica/New_York\tNaN\t2\tXXX\tX\t1", optd.BadNumber},
		{a, "4\tOther\tAIRP\tUS\tAmerica/New_York\t1\t2\tJFK\tX\t1", optd.Duplicate},
		{a, "4\t\xff\xfe\tAIRP\tUS\tAmerica/New_York\t1\t2\tXXX\tX\t1", optd.BadText},
		{a, "4\tX\x00Y\tAIRP\tUS\tAmerica/New_York\t1\t2\tXXX\tX\t1", optd.BadText},
		{a, "4\t" + strings.Repeat("n", 401) + "\tAIRP\tUS\tAmerica/New_York\t1\t2\tXXX\tX\t1", optd.BadText},
		{a, strings.Repeat("n", 100_000), optd.TooLong},
		{l, "ABC^Name^^", optd.CarrierNotIATA},
		{l, "XX^^^", optd.MissingField},
		{c, "7378^Boeing^737^B738", optd.BadCode},
		{c, "738^null^null^B738", optd.MissingField},
		{c, "320^Airbus^A320^A320", optd.Duplicate},
		{r, "BAW^JFK^LHR^100^1", optd.CarrierNotIATA},
		{r, "ZZ^JFK^LHR^100^1", optd.UnknownAirline},
		{r, "AA^QQQ^LHR^100^1", optd.UnknownAirport},
		{r, "AA^JFK^jfk^100^1", optd.UnknownAirport},
		{r, "AA^JFK^JFK^100^1", optd.SameAirport},
		{r, "AA^JFK^^100^1", optd.MissingField},
		{r, "AA^JFK^LHR^1e999^1", optd.BadNumber},
		{r, "AA^JFK^LHR^100^-1", optd.BadNumber},
		{r, "AA^JFK^LHR^100^0", optd.BadNumber},
		{r, "AA^JFK^LHR^100^NaN", optd.BadNumber},
		{r, "AA^JFK^LHR^100^1^9", optd.BadFields},
		{r, "AA^JFK^LHR^0^1", optd.NoSeats},
		{r, "AA^JFK^LHR^2000^1", optd.BadCapacity},
		{r, "BA^LHR^JFK^9000^30", optd.Duplicate},
	} {
		lines := map[string]string{
			a: goodAirports, l: "AA^American^^\nBA^British^^\n", c: "320^Airbus^A320^A320\n", r: "BA^LHR^JFK^9000^30\n",
		}
		lines[bad.file] += bad.line + "\n"
		d, problems := read(t, folder(t, lines[a], lines[l], lines[c], lines[r]))
		at := strings.Count(lines[bad.file], "\n") + 1 // the header is line 1
		if len(problems) != 1 || problems[0].File != bad.file || problems[0].Line != at || problems[0].Reason != bad.why {
			t.Errorf("%.60q: %v, want line %d, %s", bad.line, problems, at, bad.why)
		}
		if len(d.Airports) != 2 || len(d.Airlines) != 2 || len(d.Aircraft) != 1 || d.Routes != 1 {
			t.Errorf("%.60q: %d airports, %d airlines, %d aircraft, %d routes are left",
				bad.line, len(d.Airports), len(d.Airlines), len(d.Aircraft), d.Routes)
		}
	}
}

func TestWhichOfTwoCounts(t *testing.T) {
	d, problems := read(t, folder(t,
		"1\tOld\tAIRP\tUS\tAmerica/New_York\t1\t1\tJFK\tX\t0\n2\tBase\tAIRB\tUS\tAmerica/New_York\t1\t1\tJFK\tX\t1\n"+
			"3\tKennedy\tAIRP\tUS\tAmerica/New_York\t1\t1\tJFK\tX\t1\n4\tLate\tAIRP\tUS\tAmerica/New_York\t1\t1\tJFK\tX\t1\n",
		"AA^Gone^1930-01-01^1950-01-01\nAA^First^1934-01-01^\nAA^Now^1990-01-01^\nAA^Past^1999-01-01^2005-01-01\n",
		"738^Boeing^737-800^B738\nD38^Fairchild^Dornier 328^D328\n", ""))
	if len(d.Airports) != 1 || d.Airports[0].Name != "Kennedy" || len(problems) != 3 {
		t.Errorf("%+v, %v", d.Airports, problems)
	}
	if len(d.Airlines) != 1 || d.Airlines[0].Name != "Now" {
		t.Errorf("%+v", d.Airlines)
	}
	if d.Aircraft[0].Archetype != "B738" || d.Aircraft[1].Archetype != "" {
		t.Errorf("%+v", d.Aircraft)
	}
}

func TestFoldersThatAreNone(t *testing.T) {
	dir := folder(t, "", "", "", "")
	if err := os.WriteFile(filepath.Join(dir, optd.RoutesFile), []byte("airline_code^apt_org\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, t.TempDir()} {
		_, err := optd.Read(d, func(optd.Problem) {})
		if errs.CodeOf(err) != errs.Invalid || !strings.Contains(err.Error(), ".") {
			t.Errorf("%v", err)
		}
	}
}

// planOf gives the flights of n routes of AA with the frequencies 0.1, 0.2, … a month.
func planOf(t *testing.T, days int, frequencies ...float64) []optd.Flight {
	t.Helper()
	var airports, routes string
	for i, f := range frequencies {
		code := fmt.Sprintf("A%c%c", 'A'+i/26, 'A'+i%26)
		airports += fmt.Sprintf("%d\t%s\tAIRP\tUS\tAmerica/New_York\t%d\t1\t%s\tX\t1\n", i+9, code, i%90, code)
		routes += fmt.Sprintf("AA^JFK^%s^%.2f^%.2f\n", code, f*150, f)
	}
	d, problems := read(t, folder(t, goodAirports+airports, "AA^American^^\n", "", routes))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	p, err := d.Plan(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), days)
	if err != nil {
		t.Fatal(err)
	}
	whole := p.Flights(0, p.Len())
	var parts []optd.Flight
	for i := 0; i < p.Len(); i += 37 {
		parts = append(parts, p.Flights(i, min(i+37, p.Len()))...)
	}
	if len(whole) != p.Len() || !slices.Equal(whole, parts) {
		t.Errorf("%d flights, %d in parts, %d announced", len(whole), len(parts), p.Len())
	}
	return whole
}

// Over a year each route flies as often as its file says, within a flight.
func TestFrequenciesAreExact(t *testing.T) {
	frequencies := []float64{0.11, 1, 4.33, 15.5, 30.44, 30.43, 61, 304.37, 973.42}
	flown := map[string]int{}
	for _, f := range planOf(t, 366, frequencies...) {
		flown[f.Destination]++
	}
	for i, f := range frequencies {
		want := f * 12 / 365.2425 * 366
		if got := float64(flown[fmt.Sprintf("AA%c", 'A'+i)]); math.Abs(got-want) >= 1 {
			t.Errorf("%.2f a month: %.0f flights, want %.2f", f, got, want)
		}
	}
}

// A flight keeps its designator, route and local time of day on all dates, across the
// change of the clock too, and no designator comes twice on a date.
func TestDesignatorsAndTimes(t *testing.T) {
	type dated struct {
		designator string
		day        int
	}
	seen, clock := map[dated]bool{}, map[string]string{}
	for _, f := range planOf(t, 60, 5, 30, 45, 200, 600) {
		k := dated{f.Designator, f.Departure.Day()}
		if seen[k] {
			t.Fatalf("%v twice", k)
		}
		seen[k] = true
		what := fmt.Sprint(f.Origin, f.Destination, f.Departure.Clock())
		if was, ok := clock[f.Designator]; ok && was != what {
			t.Fatalf("%s is %s and %s", f.Designator, was, what)
		}
		clock[f.Designator] = what
		if f.Departure.Instant(mustZone(t, "America/New_York")) != f.DepartureUTC ||
			f.Arrival.Instant(mustZone(t, "America/New_York")) != f.ArrivalUTC {
			t.Fatalf("wall clock and instant disagree: %+v", f)
		}
	}
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// A carrier with more flights than numbers has them unique by origin; an origin with
// more than numbers has its last routes reported.
func TestMoreFlightsThanNumbers(t *testing.T) {
	var airports, routes string
	for i := range 60 {
		code := fmt.Sprintf("B%c%c", 'A'+i/26, 'A'+i%26)
		airports += fmt.Sprintf("%d\t%s\tAIRP\tUS\tAmerica/New_York\t%d\t1\t%s\tX\t1\n", i+9, code, i, code)
		routes += fmt.Sprintf("AA^JFK^%s^900000^6000\nAA^LHR^%s^300^2\n", code, code)
	}
	d, problems := read(t, folder(t, goodAirports+airports, "AA^American^^\n", "", routes))
	if len(problems) != 10 || problems[0].Reason != optd.NoDesignatorLeft || d.Routes != 110 {
		t.Fatalf("%d routes, %v", d.Routes, problems)
	}
	p, err := d.Plan(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 2)
	if err != nil {
		t.Fatal(err)
	}
	type name struct {
		designator, origin string
		day                int
	}
	seen := map[name]bool{}
	for _, f := range p.Flights(0, p.Len()) {
		k := name{f.Designator, f.Origin, f.Departure.Day()}
		if seen[k] || len(f.Designator) > 6 {
			t.Fatalf("%v", k)
		}
		seen[k] = true
	}
}
