package store

import (
	"strconv"
	"strings"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/sqldb"
)

// Query is a search whose values were checked; the zero value of each criterion
// matches every flight.
type Query struct {
	Origin      string
	Destination string
	Date        wall.Time // any time of the local departure date
	Passengers  int
	Cabin       flights.Cabin
	Carriers    []string
	Currency    string
	MaxPrice    int64 // minor units of Currency
	Nonstop     bool
	Sort        flights.Sort // one of the three
	Limit       int          // rows at most
	After       *Position    // go on behind this flight

	counted bool // a last column tells the number of changes of the fences
	partial bool // leave out flights that are not served here
}

// Position is a flight's place in the order of a search.
type Position = flights.Place

// PositionOf gives a row's place in the order of the query.
func (q *Query) PositionOf(r *Row) Position {
	p := Position{Departure: r.DepartureUTC, FlightID: r.FlightID}
	switch q.Sort {
	case flights.ByPrice:
		p.Currency, p.Value = r.Currency, r.Fares.lowest()
		if q.Cabin != "" {
			p.Value = r.Fares[CabinIx(q.Cabin)]
		}
	case flights.ByDuration:
		p.Value = r.Minutes()
	case flights.ByDeparture:
	}
	return p
}

// price is the column that holds the price the query compares.
func (q *Query) price() string {
	if q.Cabin != "" {
		return columnOf(q.Cabin)
	}
	return "price"
}

// order lists the columns of the order, and a position's values in them.
func (q *Query) order() ([]string, func(Position) []any) {
	switch q.Sort {
	case flights.ByPrice:
		return []string{"currency", q.price(), "dep_utc", "flight_id"}, func(p Position) []any {
			return []any{p.Currency, p.Value, p.Departure, p.FlightID}
		}
	case flights.ByDuration:
		return []string{"minutes", "dep_utc", "flight_id"}, func(p Position) []any {
			return []any{p.Value, p.Departure, p.FlightID}
		}
	case flights.ByDeparture:
	}
	return []string{"dep_utc", "flight_id"}, func(p Position) []any { return []any{p.Departure, p.FlightID} }
}

// SQL gives the query's one statement. Which index it uses is decided here and not by
// the database, whose guess for a skewed world (Atlanta, and an airstrip) is often wrong.
func (q *Query) SQL(d sqldb.Dialect) (string, []any) {
	if len(q.Carriers) < 2 || q.Origin != "" || q.Destination != "" {
		return q.selects(d)
	}
	// Each carrier is read in order from its own index, and so much only as the page needs.
	var parts []string
	var args []any
	for i := range q.Carriers {
		one := *q
		one.Carriers = q.Carriers[i : i+1]
		text, more := one.selects(d)
		parts = append(parts, "SELECT * FROM ("+text+") AS t"+strconv.Itoa(i))
		args = append(args, more...)
	}
	columns, _ := q.order()
	return strings.Join(parts, " UNION ALL ") + q.first(columns), args
}

func (q *Query) selects(d sqldb.Dialect) (string, []any) {
	where, args := q.where()
	columns, values := q.order()
	if q.After != nil {
		behind, more := behind(columns, values(*q.After))
		where, args = append(where, behind), append(args, more...)
	}
	read := flightColumns
	if q.counted {
		read += ", " + fenceChanges + " AS changes"
	}
	found := " FROM flights" + q.hint(d)
	if len(where) > 0 {
		found += " WHERE " + strings.Join(where, " AND ")
	}
	first := q.first(columns)
	if q.index() == byDeparture && q.Sort != flights.ByDeparture {
		// Another order than the index's: its page is found there, then its rows are read.
		found = " FROM (SELECT flight_id AS id" + found + first + ") AS page CROSS JOIN flights ON flight_id=page.id"
	}
	return "SELECT " + read + found + first, args
}

// first orders, and ends with the page. The limit is written out, for SQLite makes a new
// plan whenever a limit is bound.
func (q *Query) first(columns []string) string {
	return " ORDER BY " + strings.Join(columns, ", ") + " LIMIT " + strconv.Itoa(q.Limit)
}

// hint names the index.
func (q *Query) hint(d sqldb.Dialect) string {
	if d == sqldb.MySQL {
		return " FORCE INDEX (" + q.index() + ")"
	}
	return " INDEXED BY " + q.index()
}

// byDeparture is the index that has all that a search filters and orders by, but places
// and carriers.
const byDeparture = "flights_departure"

// index gives the one that narrows most, if anything narrows.
func (q *Query) index() string {
	switch {
	case q.Origin != "" && q.Destination != "":
		return "flights_route"
	case q.Origin != "":
		return "flights_origin"
	case q.Destination != "":
		return "flights_destination"
	case len(q.Carriers) == 1:
		return "flights_carrier"
	case q.Date != 0 && q.Sort == flights.ByDeparture:
		return "flights_date" // that of the airport, which is not one range of instants
	}
	return byDeparture
}

func (q *Query) where() ([]string, []any) {
	var where []string
	var args []any
	add := func(text string, values ...any) {
		where, args = append(where, text), append(args, values...)
	}
	if q.Origin != "" {
		add("origin=?", q.Origin)
	}
	if q.Destination != "" {
		add("destination=?", q.Destination)
	}
	if len(q.Carriers) == 1 {
		add("carrier=?", q.Carriers[0])
	} else if len(q.Carriers) > 1 {
		add("carrier IN "+sqldb.Marks(1, len(q.Carriers)), anys(q.Carriers)...)
	}
	if q.Date != 0 {
		// The instants at which some zone (UTC-12 to +14) has that date: a range that the
		// indexes by instant can use.
		const hour, day = 3600, 24 * 3600
		midnight := int64(q.Date) * 60 / day * day
		add("dep_date=?", q.Date.Day())
		add("dep_utc>=?", midnight-15*hour)
		add("dep_utc<?", midnight+day+13*hour)
	}
	if q.Cabin != "" {
		add(columnOf(q.Cabin) + " IS NOT NULL")
	}
	if q.Currency != "" {
		add("currency=?", q.Currency)
	}
	if q.MaxPrice > 0 {
		add("price<=?", q.MaxPrice) // the cabin's is no lower
		if q.Cabin != "" {
			add(columnOf(q.Cabin)+"<=?", q.MaxPrice)
		}
	}
	if q.Nonstop {
		add("stops=0")
	}
	if q.Passengers > 0 {
		column := "seats"
		if q.Cabin != "" {
			column = columnOf(q.Cabin)
		}
		add("status=0")
		add("configuration NOT IN (SELECT id FROM configurations WHERE configurations."+column+"<?)", q.Passengers)
	}
	if q.partial {
		add(servedHere)
	}
	if len(where) > 0 && q.index() == byDeparture {
		add("dep_utc>0") // a range: only then MySQL filters in the index before it reads the row
	}
	return where, args
}

// behind is the condition that a row comes after a position: the first column that
// differs is greater. Written out, because MySQL uses no index for (a, b) > (?, ?).
func behind(columns []string, values []any) (string, []any) {
	last := len(columns) - 1
	text, args := columns[last]+">?", []any{values[last]}
	for i := last - 1; i >= 0; i-- {
		text = columns[i] + ">=? AND (" + columns[i] + ">? OR (" + text + "))"
		args = append([]any{values[i], values[i]}, args...)
	}
	return text, args
}
