package reservationshttp

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"banyan/modules/kernel/rest"
	"banyan/modules/reservations/reservationslocal"
)

// FlightEvents reads the events of flights over HTTP, GET /events/flights. The JSON is
// the contract; the context that publishes it is not known here.
type FlightEvents struct{ to *rest.Caller }

var _ reservationslocal.FlightEvents = (*FlightEvents)(nil)

// NewFlightEvents makes a reader of the events at base, such as http://127.0.0.1:8081,
// through rt, which bounds a call's time along with its context.
func NewFlightEvents(base string, rt http.RoundTripper) *FlightEvents {
	return &FlightEvents{to: rest.NewCaller(base, rt)}
}

// Events gives at most limit events after since, oldest first; 0 is the start. It asks
// again as long as an answer was cut short, which Link tells.
func (f *FlightEvents) Events(ctx context.Context, since int64, limit int) ([]reservationslocal.FlightEvent, error) {
	var events []reservationslocal.FlightEvent
	for {
		query := url.Values{"count": {strconv.Itoa(limit - len(events))}}
		if since != 0 {
			query.Set("since", "flights-"+strconv.FormatInt(since, 10))
		}
		var part []reservationslocal.FlightEvent
		header, err := f.to.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/events/flights", Query: query, Out: &part})
		if err != nil {
			return nil, err
		}
		events = append(events, part...)
		if len(part) == 0 || len(events) >= limit || header.Get("Link") == "" {
			return events, nil
		}
		since = part[len(part)-1].Seq
	}
}
