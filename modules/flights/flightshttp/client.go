package flightshttp

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/rest"
)

// Client is the flights context somewhere else. Besides the errors that the Service
// gives, every call may give Unavailable, GatewayTimeout and BadGateway.
type Client struct{ to *rest.Caller }

var _ flights.Service = (*Client)(nil)

// NewClient makes a client of the service at base, such as http://127.0.0.1:8081,
// through rt, which bounds a call's time along with its context.
func NewClient(base string, rt http.RoundTripper) *Client {
	return &Client{to: rest.NewCaller(base, rt)}
}

// Airports asks GET /v1/airports.
func (c *Client) Airports(ctx context.Context, q flights.AirportQuery) (flights.AirportPage, error) {
	var page flights.AirportPage
	_, err := c.to.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/v1/airports", Out: &page, Query: parameters(
		"country", q.Country, "limit", number(q.Limit), "cursor", q.Cursor)})
	return page, err
}

// Search asks GET /v1/flights.
func (c *Client) Search(ctx context.Context, q flights.Criteria) (flights.Page, error) {
	var page flights.Page
	_, err := c.to.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/v1/flights", Query: searchQuery(&q), Out: &page})
	return page, err
}

func searchQuery(q *flights.Criteria) url.Values {
	nonstop := ""
	if q.Nonstop {
		nonstop = "true"
	}
	return parameters(
		"origin", q.Origin, "destination", q.Destination, "departure_date", q.DepartureDate,
		"passengers", number(q.Passengers), "cabin", string(q.Cabin), "carriers", strings.Join(q.Carriers, ","),
		"max_price", q.MaxPrice, "currency", q.Currency, "nonstop", nonstop, "sort", string(q.Sort),
		"limit", number(q.Limit), "cursor", q.Cursor)
}

// Flight asks GET /v1/flights/{flight_id}.
func (c *Client) Flight(ctx context.Context, flightID string) (flights.Flight, error) {
	path, err := flightPath(flightID, "")
	if err != nil {
		return flights.Flight{}, err
	}
	var f flights.Flight
	_, err = c.to.Do(ctx, rest.Call{Method: http.MethodGet, Path: path, Out: &f})
	return f, err
}

// SeatMap asks GET /v1/flights/{flight_id}/seat-map; the configuration is its ETag.
func (c *Client) SeatMap(ctx context.Context, flightID string) (flights.PublishedSeatMap, error) {
	path, err := flightPath(flightID, "/seat-map")
	if err != nil {
		return flights.PublishedSeatMap{}, err
	}
	var m flights.PublishedSeatMap
	header, err := c.to.Do(ctx, rest.Call{Method: http.MethodGet, Path: path, Out: &m.JSON})
	if err != nil {
		return flights.PublishedSeatMap{}, err
	}
	m.Configuration = rest.Untag(header.Get("ETag"))
	return m, nil
}

// ByNumber asks GET /v1/flights?designator=….
func (c *Client) ByNumber(ctx context.Context, designator, departureLocal string) (flights.Flight, error) {
	query := parameters("departure", departureLocal)
	query.Set("designator", designator)
	var page flights.Page
	if _, err := c.to.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/v1/flights", Query: query, Out: &page}); err != nil {
		return flights.Flight{}, err
	}
	if len(page.Flights) != 1 {
		return flights.Flight{}, errs.E(errs.BadGateway, "the flights service answered with %d flights where one was due", len(page.Flights))
	}
	return page.Flights[0], nil
}

// Schedule asks POST /v1/flights.
func (c *Client) Schedule(ctx context.Context, n flights.NewFlight) (flights.Flight, error) {
	var f flights.Flight
	header, err := c.to.Do(ctx, rest.Call{
		Method: http.MethodPost, Path: "/v1/flights", In: n, Out: &f,
		Header: map[string]string{idempotency.Header: n.Key},
	})
	if err != nil {
		return flights.Flight{}, err
	}
	f.Replayed = header.Get(idempotency.Replayed) == "true"
	return f, nil
}

// Change asks PATCH /v1/flights/{flight_id}.
func (c *Client) Change(ctx context.Context, flightID string, version int64, p flights.Patch) (flights.Flight, error) {
	path, err := flightPath(flightID, "")
	if err != nil {
		return flights.Flight{}, err
	}
	var f flights.Flight
	_, err = c.to.Do(ctx, rest.Call{
		Method: http.MethodPatch, Path: path, In: p, Out: &f,
		Header: map[string]string{"If-Match": rest.VersionTag(version)},
	})
	return f, err
}

// Events asks GET /events/flights.
func (c *Client) Events(ctx context.Context, since int64, limit int) ([]flights.Event, error) {
	sinceID := ""
	if since != 0 {
		sinceID = flights.EventID(since)
	}
	return c.EventsOf(ctx, flights.Stream, sinceID, limit)
}

// EventsOf asks GET /events/{eventType}, again as long as an answer was cut short.
func (c *Client) EventsOf(ctx context.Context, eventType, sinceID string, limit int) ([]flights.Event, error) {
	path, err := eventsPath(eventType)
	if err != nil {
		return nil, err
	}
	var events []flights.Event
	for {
		var part []flights.Event
		header, err := c.to.Do(ctx, rest.Call{
			Method: http.MethodGet, Path: path, Out: &part,
			Query: parameters("since", sinceID, "count", strconv.Itoa(limit-len(events))),
		})
		if err != nil {
			return nil, err
		}
		events = append(events, part...)
		if len(part) == 0 || len(events) >= limit || header.Get("Link") == "" {
			return events, nil
		}
		sinceID = part[len(part)-1].ID
	}
}

// PutEvents asks POST /events/{eventType}.
func (c *Client) PutEvents(ctx context.Context, eventType string, events []flights.NewEvent) error {
	path, err := eventsPath(eventType)
	if err != nil {
		return err
	}
	_, err = c.to.Do(ctx, rest.Call{Method: http.MethodPost, Path: path, In: events})
	return err
}

func flightPath(flightID, below string) (string, error) {
	segment, ok := rest.Segment(flightID)
	if !ok {
		return "", errs.E(errs.FlightUnknown, "there is no flight %q", flightID)
	}
	return "/v1/flights/" + segment + below, nil
}

func eventsPath(eventType string) (string, error) {
	segment, ok := rest.Segment(eventType)
	if !ok {
		return "", errs.E(errs.Invalid, "%q is no type of events", eventType)
	}
	return "/events/" + segment, nil
}

// parameters makes a query of names and values, leaving out empty values.
func parameters(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// number writes a count; 0 stands for the default and is not sent.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
