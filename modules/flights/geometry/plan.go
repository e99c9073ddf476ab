package geometry

import (
	"slices"
	"strings"

	"banyan/modules/flights"
)

// plan is an archetype: cabins front to rear, of which the last is as long as the
// number of seats demands.
type plan struct {
	min, max int
	cabins   []cabinPlan
}

// cabinPlan lays out one cabin as it usually is. Rows are counted from 0 here; their
// printed numbers start at first and leave out skip.
type cabinPlan struct {
	kind    string
	groups  string // letters, a blank for each aisle: "ABC DEF"
	first   int    // number of the first row
	skip    int    // row number that the airline leaves out, 0 for none
	rows    int
	missing string // letters that the first row lacks, for a galley
	exits   []int  // rows beside an exit
	wing    [2]int // rows over the wing, first and last; none if equal
}

// planOf gives the layout of a canonical code. Sources: the published seat plans of
// the usual operators of each type. Counts above a type's own certificate stand for
// its longer sisters (737-10, A380) and keep its cross section.
func planOf(code string) plan {
	switch code {
	case ATR72: // 18 rows of 2-2; the emergency exits are at the first row
		return plan{min: 1, max: 78, cabins: []cabinPlan{
			{kind: "Economy", groups: "AC DF", first: 1, rows: 18, exits: []int{0}, wing: [2]int{6, 10}},
		}}
	case E190: // 25 rows of 2-2, one pair of overwing exits
		return plan{min: 20, max: 124, cabins: []cabinPlan{
			{kind: "Economy", groups: "AC DF", first: 1, rows: 25, exits: []int{11}, wing: [2]int{8, 15}},
		}}
	case A320: // 30 rows of 3-3 numbered to 31 without 13, overwing exits at 12 and 14
		return plan{min: 60, max: 186, cabins: []cabinPlan{
			{kind: "Economy", groups: "ABC DEF", first: 1, skip: 13, rows: 30, exits: []int{11, 12}, wing: [2]int{9, 18}},
		}}
	case B738: // 189 seats: row 1 on the left only, no row 13, overwing exits at 16 and 17
		return plan{min: 60, max: 230, cabins: []cabinPlan{
			{kind: "Economy", groups: "ABC DEF", first: 1, skip: 13, rows: 32, missing: "DEF", exits: []int{14, 15}, wing: [2]int{10, 20}},
		}}
	case B789: // 1-2-1, 2-3-2 and 3-3-3; doors before and within economy
		return plan{min: 150, max: 440, cabins: []cabinPlan{
			{kind: "Business", groups: "A DF K", first: 1, rows: 7},
			{kind: "PremiumEconomy", groups: "AC DEF HK", first: 20, rows: 3},
			{kind: "Economy", groups: "ABC DEF HJK", first: 30, rows: 27, exits: []int{0, 13}, wing: [2]int{1, 12}},
		}}
	default: // B77W: 1-2-1, 2-4-2 and 3-4-3; doors before and within economy
		return plan{min: 200, max: MaxArchetypeSeats, cabins: []cabinPlan{
			{kind: "Business", groups: "A DG K", first: 1, rows: 10},
			{kind: "PremiumEconomy", groups: "AC DEFG HK", first: 20, rows: 4},
			{kind: "Economy", groups: "ABC DEFG HJK", first: 30, rows: 27, exits: []int{0, 14}, wing: [2]int{1, 13}},
		}}
	}
}

// standard is the number of seats as the type usually flies.
func (p plan) standard() int {
	n := 0
	for _, c := range p.cabins {
		n += c.seats()
	}
	return n
}

func (c cabinPlan) letters() string { return strings.ReplaceAll(c.groups, " ", "") }

func (c cabinPlan) seats() int { return c.rows*len(c.letters()) - len(c.missing) }

// build makes the map with exactly n seats, n within the plan's bounds.
func (p plan) build(n int) flights.SeatMap {
	var m flights.SeatMap
	for i, c := range p.cabins {
		seats := c.seats()
		if i == len(p.cabins)-1 {
			seats = n
		}
		m.Cabin = append(m.Cabin, c.build(seats))
		n -= seats
	}
	return m
}

func (c cabinPlan) build(seats int) flights.SeatMapCabin {
	width := len(c.letters())
	rows := max(1, (seats+len(c.missing)+width-1)/width)
	usual := c.rows
	// Exits and wing move with the length of the cabin.
	scale := func(row int) int { return min(row*rows/usual, rows-1) }
	var exits []int
	for _, e := range c.exits {
		exits = append(exits, scale(e))
	}
	cabin := flights.SeatMapCabin{
		FirstRow: c.first, LastRow: c.number(rows - 1),
		CabinClass: flights.SeatMapClass{CabinType: c.kind}, Column: c.columns(),
	}
	if c.wing[1] > c.wing[0] {
		cabin.Wing = &flights.SeatMapWing{FirstRow: c.number(scale(c.wing[0])), LastRow: c.number(scale(c.wing[1]))}
	}
	for i := range rows {
		r := c.row(i, min(width, seats), slices.Contains(exits, i), i == rows-1 || slices.Contains(exits, i+1))
		seats -= len(r.Seat)
		cabin.Row = append(cabin.Row, r)
	}
	return cabin
}

// number is the printed number of a row.
func (c cabinPlan) number(i int) int {
	n := c.first + i
	if c.skip != 0 && n >= c.skip {
		n++
	}
	return n
}

// columns derives who sits at a window and who at an aisle from the groups. The
// middle group of a wide-body is marked, because its two aisle seats may be
// neighbours without an aisle between them.
func (c cabinPlan) columns() []flights.SeatMapColumn {
	var list []flights.SeatMapColumn
	groups := strings.Fields(c.groups)
	for g, group := range groups {
		for i := range len(group) {
			traits := []string{}
			if g == 0 && i == 0 || g == len(groups)-1 && i == len(group)-1 {
				traits = append(traits, Window)
			}
			if g > 0 && i == 0 || g < len(groups)-1 && i == len(group)-1 {
				traits = append(traits, Aisle)
			}
			if g > 0 && g < len(groups)-1 {
				traits = append(traits, CenterSection)
			}
			list = append(list, flights.SeatMapColumn{Column: group[i : i+1], Characteristics: traits})
		}
	}
	return list
}

// Characteristics of a column.
const (
	Window        = "Window"
	Aisle         = "Aisle"
	CenterSection = "CenterSection" // between the two aisles of a wide-body
)

// LegSpaceSeat is the remark on a seat with more room for the legs.
const LegSpaceSeat = "LegSpaceSeat"

// row makes row i with at most n seats. Nobody may recline into an exit or a wall;
// exit rows and the first row have more room, which economy sells as premium.
func (c cabinPlan) row(i, n int, exit, upright bool) flights.SeatMapRow {
	roomy := c.kind != "Business" && (exit || i == 0)
	row := flights.SeatMapRow{RowNumber: c.number(i)}
	for _, letter := range strings.Split(c.letters(), "") {
		if len(row.Seat) == n || i == 0 && strings.Contains(c.missing, letter) {
			continue
		}
		s := flights.SeatMapSeat{
			Number: letter, ExitRowInd: exit, NoInfantInd: exit,
			RestrictedReclineInd: upright && c.kind != "Business", PremiumInd: roomy && c.kind == "Economy",
		}
		if roomy {
			s.Facilities = []flights.SeatMapFacility{{Detail: flights.SeatMapDetail{Content: LegSpaceSeat}}}
		}
		row.Seat = append(row.Seat, s)
	}
	return row
}
