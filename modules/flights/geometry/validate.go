package geometry

import (
	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
)

// Bounds of a map, far above any aircraft.
const (
	MaxSeats   = 1000
	maxCabins  = 8
	maxRow     = 999
	maxColumns = 24 // the letters of a seat
	maxTraits  = 8
	maxText    = 64
)

// Validate checks a map against every rule of the format. errs: Invalid, whose
// sentence names the cabin, row or seat at fault.
func Validate(m flights.SeatMap) error {
	if len(m.Cabin) == 0 || len(m.Cabin) > maxCabins {
		return bad("a seat map has 1 to %d cabins, not %d", maxCabins, len(m.Cabin))
	}
	seats, last := 0, 0
	for i, c := range m.Cabin {
		n, err := validateCabin(i+1, c, last)
		if err != nil {
			return err
		}
		last = c.LastRow
		if seats += n; seats > MaxSeats {
			return bad("a seat map has at most %d seats", MaxSeats)
		}
	}
	return nil
}

func bad(format string, args ...any) error { return errs.E(errs.Invalid, format, args...) }

// validateCabin checks the nth cabin, whose rows come after row last, and counts its seats.
func validateCabin(nth int, c flights.SeatMapCabin, last int) (int, error) {
	if _, ok := CabinOf(c.CabinClass.CabinType); !ok {
		return 0, bad("cabin %d: CabinType %q is not Economy, PremiumEconomy, Business or First", nth, clip(c.CabinClass.CabinType))
	}
	if len(c.Row) == 0 || len(c.Row) > maxRow {
		return 0, bad("cabin %d has 1 to %d rows, not %d", nth, maxRow, len(c.Row))
	}
	if c.FirstRow != c.Row[0].RowNumber || c.LastRow != c.Row[len(c.Row)-1].RowNumber {
		return 0, bad("cabin %d: firstRow %d and lastRow %d disagree with its rows, which run from %d to %d",
			nth, c.FirstRow, c.LastRow, c.Row[0].RowNumber, c.Row[len(c.Row)-1].RowNumber)
	}
	if w := c.Wing; w != nil && (w.FirstRow > w.LastRow || w.FirstRow < c.FirstRow || w.LastRow > c.LastRow) {
		return 0, bad("cabin %d: the wing's rows %d to %d are not within %d to %d", nth, w.FirstRow, w.LastRow, c.FirstRow, c.LastRow)
	}
	columns, err := validateColumns(nth, c.Column)
	if err != nil {
		return 0, err
	}
	seats := 0
	for _, r := range c.Row {
		if r.RowNumber <= last || r.RowNumber > maxRow {
			return 0, bad("row %d: row numbers run from 1 to %d and rise from row to row", r.RowNumber, maxRow)
		}
		last = r.RowNumber
		if err := validateRow(r, columns); err != nil {
			return 0, err
		}
		seats += len(r.Seat)
	}
	return seats, nil
}

// validateColumns checks a cabin's columns and gives each letter its place.
func validateColumns(nth int, columns []flights.SeatMapColumn) (map[string]int, error) {
	if len(columns) == 0 || len(columns) > maxColumns {
		return nil, bad("cabin %d has 1 to %d columns, not %d", nth, maxColumns, len(columns))
	}
	place := make(map[string]int, len(columns))
	for i, c := range columns {
		if !isLetter(c.Column) {
			return nil, bad("cabin %d: column %q is not one of the letters A to Z without I and O", nth, clip(c.Column))
		}
		if _, twice := place[c.Column]; twice {
			return nil, bad("cabin %d: column %s is there twice", nth, c.Column)
		}
		place[c.Column] = i
		if len(c.Characteristics) > maxTraits {
			return nil, bad("cabin %d: column %s has more than %d characteristics", nth, c.Column, maxTraits)
		}
		for _, t := range c.Characteristics {
			if !isText(t) {
				return nil, bad("cabin %d: column %s: a characteristic is 1 to %d printable ASCII characters", nth, c.Column, maxText)
			}
		}
	}
	return place, nil
}

// validateRow checks a row's seats: declared columns, left to right, none twice.
func validateRow(r flights.SeatMapRow, columns map[string]int) error {
	if len(r.Seat) == 0 {
		return bad("row %d has no seat", r.RowNumber)
	}
	before := -1
	for _, s := range r.Seat {
		name := at(r.RowNumber, s.Number)
		place, declared := columns[s.Number]
		switch {
		case !declared:
			return bad("%s: column %q is not declared by its cabin", name, clip(s.Number))
		case place == before:
			return bad("%s is there twice", name)
		case place < before:
			return bad("%s: seats stand in the order of the columns, none twice", name)
		case s.ExitRowInd && !s.NoInfantInd:
			return bad("%s is in an exit row and must bear noInfantInd", name)
		case len(s.Facilities) > maxTraits:
			return bad("%s has more than %d facilities", name, maxTraits)
		}
		before = place
		for _, f := range s.Facilities {
			if !isText(f.Detail.Content) {
				return bad("%s: a facility is 1 to %d printable ASCII characters", name, maxText)
			}
		}
	}
	return nil
}

// isLetter tells whether s is a seat's letter; I and O look like digits.
func isLetter(s string) bool {
	return len(s) == 1 && s[0] >= 'A' && s[0] <= 'Z' && s[0] != 'I' && s[0] != 'O'
}

func isText(s string) bool {
	if s == "" || len(s) > maxText {
		return false
	}
	for _, b := range []byte(s) {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}
