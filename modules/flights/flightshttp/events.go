package flightshttp

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/gorilla/mux"

	"banyan/modules/flights"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
)

const (
	// defaultEvents is how many events are given when count is not said.
	defaultEvents = 100
	// maxEventBytes ends an answer early: the reader goes on from the last it got.
	maxEventBytes = 4 << 20
	// maxEventsBody bounds what is posted at once.
	maxEventsBody = 1 << 20
)

func (a api) bookEvents(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "since", "count")
	if err != nil {
		return bookFail(w, "query", err)
	}
	count, err := q.Int("count", 1, flights.MaxEvents, defaultEvents)
	if err != nil {
		return bookFail(w, "query", err)
	}
	events, err := a.svc.EventsOf(r.Context(), mux.Vars(r)["eventType"], q["since"], count)
	if err != nil {
		return bookFail(w, "query", err)
	}
	full := len(events)
	events = atMost(events, maxEventBytes)
	w.Header().Set("Cache-Control", "no-store")
	if n := len(events); n == count || n > 0 && n < full {
		w.Header().Set("Link", nextLink(r.URL.Path, events[n-1].ID, count))
	}
	web.JSON(w, http.StatusOK, events)
	return nil
}

// nextLink says where the next events are, RFC 8288.
func nextLink(path, since string, count int) string {
	query := url.Values{"since": {since}, "count": {strconv.Itoa(count)}}
	return "<" + (&url.URL{Path: path, RawQuery: query.Encode()}).String() + `>; rel="next"`
}

// atMost gives the first events whose data fits into so many bytes, at least one.
func atMost(events []flights.Event, bytes int) []flights.Event {
	sum := 0
	for i, e := range events {
		sum += len(e.Data)
		if i > 0 && sum > bytes {
			return events[:i]
		}
	}
	if events == nil {
		return []flights.Event{}
	}
	return events
}

// bookStored is the answer to stored events.
type bookStored struct {
	EventIDs []string `json:"eventIds"`
}

func (a api) bookPutEvents(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return bookFail(w, "query", err)
	}
	var events []flights.NewEvent
	if err := web.Decode(w, r, maxEventsBody, &events); err != nil {
		return bookFail(w, "body", err)
	}
	if err := a.svc.PutEvents(r.Context(), mux.Vars(r)["eventType"], events); err != nil {
		return bookFail(w, "body", err)
	}
	stored := bookStored{EventIDs: make([]string, 0, len(events))}
	for _, e := range events {
		stored.EventIDs = append(stored.EventIDs, e.ID)
	}
	web.JSON(w, http.StatusOK, stored)
	return nil
}
