package flightslocal_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/kernel/sqldb"
)

// scanned is a row as it stands in the table.
type scanned struct {
	id, origin, destination, carrier string
	departure, minutes, price        int64
}

// checkSearchOfImport compares searches over what was imported, page by page to the end,
// with a plain scan of all the rows.
func checkSearchOfImport(t *testing.T, s *flightslocal.Service, db *sqldb.DB) {
	t.Helper()
	rows := scanAll(t, db)
	r := rand.New(rand.NewPCG(7, 11))
	for range 25 {
		pick := rows[r.IntN(len(rows))]
		for _, c := range []flights.Criteria{
			{Origin: pick.origin, Destination: pick.destination, DepartureDate: "2026-11-21"},
			{Origin: pick.origin, Carriers: []string{pick.carrier}, Limit: 200},
			{Destination: pick.destination, Carriers: []string{pick.carrier}, Sort: flights.ByDuration, Limit: 7},
			{Origin: pick.origin, Destination: pick.destination, Sort: flights.ByPrice, Limit: 2},
		} {
			if got, want := searchAll(t, s, c), scanFor(rows, c); !slices.Equal(got, want) {
				t.Errorf("%+v: %d flights %.5q, a scan finds %d %.5q", c, len(got), got, len(want), want)
			}
		}
	}
}

func scanAll(t *testing.T, db *sqldb.DB) []scanned {
	t.Helper()
	list, err := db.Reader().QueryContext(t.Context(), "SELECT flight_id,origin,destination,carrier,dep_utc,minutes,price FROM flights")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = list.Close() }()
	var rows []scanned
	for list.Next() {
		var f scanned
		if err := list.Scan(&f.id, &f.origin, &f.destination, &f.carrier, &f.departure, &f.minutes, &f.price); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, f)
	}
	if err := list.Err(); err != nil || len(rows) == 0 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	return rows
}

// scanFor is the search without an index, a page or a cursor. The import has one
// currency and one departure date.
func scanFor(rows []scanned, c flights.Criteria) []string {
	var kept []scanned
	for _, f := range rows {
		if (c.Origin == "" || f.origin == c.Origin) && (c.Destination == "" || f.destination == c.Destination) &&
			(c.Carriers == nil || slices.Contains(c.Carriers, f.carrier)) {
			kept = append(kept, f)
		}
	}
	slices.SortFunc(kept, func(a, b scanned) int {
		first := 0
		switch c.Sort {
		case flights.ByPrice:
			first = cmp.Compare(a.price, b.price)
		case flights.ByDuration:
			first = cmp.Compare(a.minutes, b.minutes)
		case flights.ByDeparture:
		}
		return cmp.Or(first, cmp.Compare(a.departure, b.departure), cmp.Compare(a.id, b.id))
	})
	var ids []string
	for _, f := range kept {
		ids = append(ids, f.id)
	}
	return ids
}

// searchAll follows the cursor to the last page.
func searchAll(t *testing.T, s *flightslocal.Service, c flights.Criteria) []string {
	t.Helper()
	var ids []string
	for {
		page, err := s.Search(t.Context(), c)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		for _, f := range page.Flights {
			ids = append(ids, f.FlightID)
		}
		if c.Cursor = page.NextCursor; c.Cursor == "" {
			return ids
		}
	}
}
