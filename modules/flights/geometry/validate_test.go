package geometry_test

import (
	"strings"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/flights/geometry"
	"banyan/modules/kernel/errs"
)

// Each fault is planted in a good map; the error must name where it is.
func TestValidateNamesTheFault(t *testing.T) {
	for _, c := range []struct {
		name, says string
		plant      func(*flights.SeatMap)
	}{
		{"no cabin", "cabins", func(m *flights.SeatMap) { m.Cabin = nil }},
		{"cabin type", "cabin 2", func(m *flights.SeatMap) { m.Cabin[1].CabinClass.CabinType = "Cargo" }},
		{"no rows", "cabin 1", func(m *flights.SeatMap) { m.Cabin[0].Row = nil }},
		{"first row", "cabin 1: firstRow 2", func(m *flights.SeatMap) { m.Cabin[0].FirstRow = 2 }},
		{"last row", "lastRow 99", func(m *flights.SeatMap) { m.Cabin[2].LastRow = 99 }},
		{"wing outside", "cabin 3: the wing", func(m *flights.SeatMap) { m.Cabin[2].Wing.LastRow = 99 }},
		{"wing turned", "cabin 3: the wing", func(m *flights.SeatMap) { m.Cabin[2].Wing.LastRow = 30 }},
		{"rows fall", "row 2", func(m *flights.SeatMap) { m.Cabin[0].Row[2].RowNumber = 2 }},
		{"cabins overlap", "row 20", func(m *flights.SeatMap) { m.Cabin[0].LastRow, m.Cabin[0].Row[6].RowNumber = 20, 20 }},
		{"row too high", "row 1000", func(m *flights.SeatMap) { m.Cabin[2].LastRow, m.Cabin[2].Row[26].RowNumber = 1000, 1000 }},
		{"empty row", "row 21", func(m *flights.SeatMap) { m.Cabin[1].Row[1].Seat = nil }},
		{"undeclared column", "seat 1B", func(m *flights.SeatMap) { m.Cabin[0].Row[0].Seat[0].Number = "B" }},
		{"seat twice", "seat 1A is there twice", func(m *flights.SeatMap) { m.Cabin[0].Row[0].Seat[1].Number = "A" }},
		{"seats out of order", "seat 1D", func(m *flights.SeatMap) { s := m.Cabin[0].Row[0].Seat; s[1], s[2] = s[2], s[1] }},
		{"exit with infants", "seat 30A", func(m *flights.SeatMap) { m.Cabin[2].Row[0].Seat[0].NoInfantInd = false }},
		{"letter I", `column "I"`, func(m *flights.SeatMap) { m.Cabin[0].Column[0].Column = "I" }},
		{"letter O", `column "O"`, func(m *flights.SeatMap) { m.Cabin[0].Column[0].Column = "O" }},
		{"look-alike", "column", func(m *flights.SeatMap) { m.Cabin[0].Column[0].Column = "А" }},
		{"column twice", "column A", func(m *flights.SeatMap) { m.Cabin[0].Column[1].Column = "A" }},
		{"no columns", "columns", func(m *flights.SeatMap) { m.Cabin[0].Column = nil }},
		{"long characteristic", "column A", func(m *flights.SeatMap) {
			m.Cabin[0].Column[0].Characteristics = []string{strings.Repeat("x", 65)}
		}},
		{"NUL in facility", "seat 30A", func(m *flights.SeatMap) { m.Cabin[2].Row[0].Seat[0].Facilities[0].Detail.Content = "a\x00" }},
		{"many facilities", "seat 1A", func(m *flights.SeatMap) {
			m.Cabin[0].Row[0].Seat[0].Facilities = make([]flights.SeatMapFacility, 9)
		}},
	} {
		m, err := geometry.Archetype("B789", 0)
		if err != nil {
			t.Fatal(err)
		}
		c.plant(&m)
		err = geometry.Validate(m)
		if errs.CodeOf(err) != errs.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTooManySeats(t *testing.T) {
	m, err := geometry.Archetype("B77W", 853)
	if err != nil {
		t.Fatal(err)
	}
	rear := m.Cabin[2]
	for i := range 30 {
		rear.Row = append(rear.Row, rear.Row[1])
		rear.Row[len(rear.Row)-1].RowNumber = 200 + i
	}
	rear.LastRow = 229
	m.Cabin[2] = rear
	if err := geometry.Validate(m); err == nil || !strings.Contains(err.Error(), "1000 seats") {
		t.Error(err)
	}
}
