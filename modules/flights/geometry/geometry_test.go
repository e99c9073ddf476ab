package geometry_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/flights/geometry"
	"banyan/modules/kernel/errs"
)

func TestStandardLayouts(t *testing.T) {
	for _, c := range []struct {
		alias, configuration, first, last string
		exits                             []int
		lacks, cabins                     string
	}{
		{"at7", "ATR72-72.1", "1A", "18F", []int{1}, "1B", "72"},
		{"E90", "E190-100.1", "1A", "25F", []int{12}, "1B", "100"},
		{"320", "A320-180.1", "1A", "31F", []int{12, 14}, "13A", "180"},
		{"73H", "B738-189.1", "1A", "33F", []int{16, 17}, "13C", "189"},
		{"789", "B789-292.1", "1A", "56K", []int{30, 43}, "30I", "28+21+243"},
		{"77W", "B77W-342.1", "1A", "56K", []int{30, 44}, "30I", "40+32+270"},
	} {
		m, err := geometry.Archetype(c.alias, 0)
		if err != nil {
			t.Fatal(err)
		}
		seats := geometry.Seats(m)
		if m.Configuration != c.configuration || seats[0] != c.first || seats[len(seats)-1] != c.last {
			t.Errorf("%s: %s from %s to %s", c.alias, m.Configuration, seats[0], seats[len(seats)-1])
		}
		if slices.Contains(seats, c.lacks) {
			t.Errorf("%s has seat %s", c.alias, c.lacks)
		}
		if got := exitRows(m); !slices.Equal(got, c.exits) {
			t.Errorf("%s: exits at %v, want %v", c.alias, got, c.exits)
		}
		if got := cabinSizes(m); got != c.cabins {
			t.Errorf("%s: cabins of %s, want %s", c.alias, got, c.cabins)
		}
	}
}

func exitRows(m flights.SeatMap) []int {
	var rows []int
	for _, c := range m.Cabin {
		for _, r := range c.Row {
			if r.Seat[0].ExitRowInd {
				rows = append(rows, r.RowNumber)
			}
		}
	}
	return rows
}

func cabinSizes(m flights.SeatMap) string {
	var list []string
	for _, c := range m.Cabin {
		n := 0
		for _, r := range c.Row {
			n += len(r.Seat)
		}
		list = append(list, strconv.Itoa(n))
	}
	return strings.Join(list, "+")
}

// Every count that the files may ask for gives a valid map of exactly that many seats.
func TestEveryCount(t *testing.T) {
	format := regexp.MustCompile(`^([1-9][0-9]{0,2})([A-HJ-NP-Z])$`)
	names := map[string]bool{}
	for n := 1; n <= geometry.MaxArchetypeSeats; n++ {
		m, err := geometry.Archetype(geometry.ForSeats(n), n)
		if err != nil {
			t.Fatalf("%d seats: %v", n, err)
		}
		checkMap(t, m, n, format)
		if names[m.Configuration] {
			t.Errorf("%s stands for two counts", m.Configuration)
		}
		names[m.Configuration] = true
	}
}

func checkMap(t *testing.T, m flights.SeatMap, n int, format *regexp.Regexp) {
	t.Helper()
	if err := geometry.Validate(m); err != nil {
		t.Fatalf("%s: %v", m.Configuration, err)
	}
	seats := geometry.Seats(m)
	unique := map[string]bool{}
	for _, s := range seats {
		if !format.MatchString(s) {
			t.Errorf("%s: seat %s", m.Configuration, s)
		}
		unique[s] = true
	}
	if len(seats) != n || len(unique) != n {
		t.Errorf("%s: %d seats, %d different", m.Configuration, len(seats), len(unique))
	}
	if len(exitRows(m)) == 0 {
		t.Errorf("%s has no exit", m.Configuration)
	}
}

// Within its bounds each archetype has every count; outside it refuses.
func TestBounds(t *testing.T) {
	format := regexp.MustCompile(`^([1-9][0-9]{0,2})([A-HJ-NP-Z])$`)
	for _, code := range geometry.Codes() {
		served := 0
		for n := 1; n <= geometry.MaxSeats; n++ {
			m, err := geometry.Archetype(code, n)
			if err == nil {
				served++
				checkMap(t, m, n, format)
			} else if errs.CodeOf(err) != errs.Invalid {
				t.Errorf("%s with %d seats: %v", code, n, err)
			}
		}
		if served < 70 {
			t.Errorf("%s serves only %d counts", code, served)
		}
	}
	for _, n := range []int{-1, geometry.MaxSeats + 1, 1 << 40} {
		if _, err := geometry.Archetype("A320", n); errs.CodeOf(err) != errs.Invalid {
			t.Errorf("%d seats: %v", n, err)
		}
	}
	if _, err := geometry.Archetype("CONCORDE", 0); errs.CodeOf(err) != errs.Invalid {
		t.Errorf("Concorde: %v", err)
	}
}

func TestColumnsTellWindowAndAisle(t *testing.T) {
	m, err := geometry.Archetype("B77W", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"A Window Aisle,D Aisle CenterSection,G Aisle CenterSection,K Window Aisle",
		"A Window,C Aisle,D Aisle CenterSection,E CenterSection,F CenterSection,G Aisle CenterSection,H Aisle,K Window",
		"A Window,B,C Aisle,D Aisle CenterSection,E CenterSection,F CenterSection,G Aisle CenterSection,H Aisle,J,K Window",
	}
	for i, c := range m.Cabin {
		var got []string
		for _, col := range c.Column {
			got = append(got, strings.Join(append([]string{col.Column}, col.Characteristics...), " "))
		}
		if s := strings.Join(got, ","); s != want[i] {
			t.Errorf("cabin %d: %s", i, s)
		}
	}
}

// The JSON is the book's shape, to the letter.
func TestJSONShape(t *testing.T) {
	m, err := geometry.Archetype("ATR72", 2)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Cabin":[{"firstRow":1,"lastRow":1,"Wing":{"firstRow":1,"lastRow":1},"CabinClass":{"CabinType":"Economy"},` +
		`"Column":[{"Column":"A","Characteristics":["Window"]},{"Column":"C","Characteristics":["Aisle"]},` +
		`{"Column":"D","Characteristics":["Aisle"]},{"Column":"F","Characteristics":["Window"]}],` +
		`"Row":[{"RowNumber":1,"Seat":[{"Number":"A","premiumInd":true,"exitRowInd":true,"restrictedReclineInd":true,"noInfantInd":true,` +
		`"Facilities":[{"Detail":{"content":"LegSpaceSeat"}}]},{"Number":"C","premiumInd":true,"exitRowInd":true,` +
		`"restrictedReclineInd":true,"noInfantInd":true,"Facilities":[{"Detail":{"content":"LegSpaceSeat"}}]}]}]}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
