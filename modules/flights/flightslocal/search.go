package flightslocal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/paging"
	"banyan/modules/flights/internal/store"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/money"
)

// Search gives a page of the flights that meet the criteria and are served here.
func (s *Service) Search(ctx context.Context, c flights.Criteria) (flights.Page, error) {
	q, mark, err := askedFor(&c)
	if err != nil {
		return flights.Page{}, err
	}
	rows, more, _, err := s.page(ctx, q)
	if err != nil {
		return flights.Page{}, err
	}
	var page flights.Page
	if more {
		page.NextCursor = paging.Cursor(q.PositionOf(&rows[len(rows)-1]), mark)
	}
	page.Flights, err = s.showAll(ctx, rows)
	return page, err
}

// askedFor reads the criteria and the cursor, and gives the mark of the criteria.
func askedFor(c *flights.Criteria) (q *store.Query, mark string, err error) {
	if q, err = queryOf(c); err != nil {
		return nil, "", err
	}
	mark = markOf(q)
	if c.Cursor != "" {
		q.After, err = paging.Open(c.Cursor, mark)
	}
	return q, mark, err
}

// page gives the rows of a page, and tells whether there are more.
func (s *Service) page(ctx context.Context, q *store.Query) (rows []store.Row, more bool, v *store.Served, err error) {
	limit := q.Limit
	oneMore := *q
	oneMore.Limit++ // it tells whether there is a next page
	rows, v, err = s.store.Search(ctx, &oneMore)
	if len(rows) > limit {
		rows, more = rows[:limit], true
	}
	return rows, more, v, err
}

// queryOf checks the criteria; the cursor is not its business.
func queryOf(c *flights.Criteria) (*store.Query, error) {
	q := &store.Query{
		Origin: c.Origin, Destination: c.Destination, Passengers: c.Passengers,
		Cabin: c.Cabin, Nonstop: c.Nonstop, Sort: c.Sort,
	}
	for _, step := range []func(*flights.Criteria, *store.Query) error{places, people, carriers, price, order} {
		if err := step(c, q); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func bad(field, format string, args ...any) error {
	return errs.E(errs.Invalid, field+" "+format, args...).With("field", field)
}

func places(c *flights.Criteria, q *store.Query) error {
	if c.Origin != "" && !flights.IsAirport(c.Origin) {
		return bad("origin", "must be an IATA airport code of three capitals, not %s", flights.Quote(c.Origin))
	}
	if c.Destination != "" && !flights.IsAirport(c.Destination) {
		return bad("destination", "must be an IATA airport code of three capitals, not %s", flights.Quote(c.Destination))
	}
	if c.DepartureDate == "" {
		return nil
	}
	date, err := wall.ParseDate(c.DepartureDate)
	if err != nil {
		return bad("departure_date", "must be a date such as 2026-11-21, not %s", flights.Quote(c.DepartureDate))
	}
	q.Date = date
	return nil
}

func people(c *flights.Criteria, _ *store.Query) error {
	const most = 9
	if c.Passengers < 0 || c.Passengers > most {
		return bad("passengers", "must be 1 to %d; more is a group request", most)
	}
	if c.Cabin != "" && store.CabinIx(c.Cabin) < 0 {
		return bad("cabin", "must be ECONOMY, PREMIUM_ECONOMY, BUSINESS or FIRST, not %s", flights.Quote(string(c.Cabin)))
	}
	return nil
}

func carriers(c *flights.Criteria, q *store.Query) error {
	if len(c.Carriers) > flights.MaxCarriers {
		return bad("carriers", "may name at most %d airlines", flights.MaxCarriers)
	}
	for _, code := range c.Carriers {
		if !flights.IsCarrier(code) {
			return bad("carriers", "must be IATA airline codes of two characters, not %s", flights.Quote(code))
		}
	}
	q.Carriers = slices.Clone(c.Carriers)
	slices.Sort(q.Carriers)
	q.Carriers = slices.Compact(q.Carriers)
	return nil
}

func price(c *flights.Criteria, q *store.Query) error {
	if c.Currency == "" {
		if c.MaxPrice != "" {
			return bad("currency", "is needed with max_price")
		}
		return nil
	}
	decimals, ok := money.Decimals(c.Currency)
	if !ok {
		return bad("currency", "must be an ISO 4217 code such as EUR, not %s", flights.Quote(c.Currency))
	}
	q.Currency = c.Currency
	if c.MaxPrice == "" {
		return nil
	}
	amount := c.MaxPrice
	if decimals > 0 && !strings.Contains(amount, ".") {
		amount += "." + strings.Repeat("0", decimals) // whole units are plain enough for a limit
	}
	minor, err := money.Parse(amount, c.Currency)
	if err != nil {
		return bad("max_price", "%s cannot be read: %s", flights.Quote(c.MaxPrice), err.Error())
	}
	if minor == 0 {
		return bad("max_price", "must be more than 0")
	}
	q.MaxPrice = minor
	return nil
}

func order(c *flights.Criteria, q *store.Query) error {
	switch c.Sort {
	case "":
		q.Sort = flights.ByDeparture
	case flights.ByDeparture, flights.ByPrice, flights.ByDuration:
	default:
		return bad("sort", "must be departure, price or duration, not %s", flights.Quote(string(c.Sort)))
	}
	limit, err := limitOf(c.Limit)
	q.Limit = limit
	return err
}

func limitOf(limit int) (int, error) {
	if limit < 0 || limit > flights.MaxLimit {
		return 0, bad("limit", "must be 1 to %d", flights.MaxLimit)
	}
	if limit == 0 {
		return flights.DefaultLimit, nil
	}
	return limit, nil
}

// markOf digests the criteria, apart from the size of a page and the place in it.
func markOf(q *store.Query) string {
	c := *q
	c.Limit, c.After = 0, nil
	body, err := json.Marshal(c)
	if err != nil {
		panic("flightslocal: a query cannot be marshalled: " + err.Error())
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:6])
}

// SearchSQL gives the one statement that Search runs for the criteria's first page, without
// the column that tells of the fences, so that a benchmark can compare Search with it.
func (s *Service) SearchSQL(c flights.Criteria) (string, []any, error) {
	q, err := queryOf(&c)
	if err != nil {
		return "", nil, err
	}
	q.Limit++
	text, args := q.SQL(s.store.DB().Dialect())
	return text, args, nil
}
