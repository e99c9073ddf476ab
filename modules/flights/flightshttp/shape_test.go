package flightshttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/flights/flightshttp"
	"banyan/modules/kernel/dbtest"
)

// TestFlightOverHTTP looks at what is not in the Service: statuses and headers.
func TestFlightOverHTTP(t *testing.T) {
	server := serve(t, newLocal(t, dbtest.SQLite(t)))
	post := attempt{method: "POST", path: "/v1/flights", header: []string{"Idempotency-Key: k1"}, body: newFlight}
	status, header, made := send(t, server.URL, post)
	if status != 201 || header.Get("Location") != "/v1/flights/"+flightID || header.Get("ETag") != `"1"` || header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("schedule: %d %v %s", status, header, made)
	}
	if status, header, again := send(t, server.URL, post); status != 201 || again != made || header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("schedule again: %d %v %s", status, header, again)
	}
	status, header, body := send(t, server.URL, attempt{method: "GET", path: "/v1/flights/" + flightID + "/seat-map"})
	tag := header.Get("ETag")
	if status != 200 || len(tag) < 3 || tag[0] != '"' || !strings.HasPrefix(body, `{"Cabin":[{"firstRow":`) {
		t.Fatalf("seat map: %d %v %.80s", status, header, body)
	}
	for _, path := range []string{"/v1/flights/" + flightID + "/seat-map", "/flights/AA34/seat_map", "/flights/" + flightID + "/seat_map"} {
		for _, match := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			status, header, body := send(t, server.URL, attempt{method: "GET", path: path, header: []string{"If-None-Match: " + match}})
			if status != http.StatusNotModified || body != "" || header.Get("ETag") != tag {
				t.Errorf("%s If-None-Match %s: %d %v %.80s", path, match, status, header, body)
			}
		}
		if status, _, other := send(t, server.URL, attempt{method: "GET", path: path, header: []string{`If-None-Match: "other"`}}); status != 200 || other != body {
			t.Errorf("%s with another tag: %d %.80s", path, status, other)
		}
	}
	patch := attempt{method: "PATCH", path: "/v1/flights/" + flightID, header: []string{`If-Match: "1"`, "Content-Type: application/merge-patch+json"}, body: `{"arrival":"2026-11-21T11:45"}`}
	if status, header, body := send(t, server.URL, patch); status != 200 || header.Get("ETag") != `"2"` {
		t.Errorf("change: %d %v %s", status, header, body)
	}
	if status, _, body := send(t, server.URL, patch); status != 412 {
		t.Errorf("change again: %d %s", status, body)
	}
	if status, _, body := send(t, server.URL, attempt{method: "GET", path: "/v1/airports?country=XX"}); status != 200 || strings.TrimSpace(body) != `{"airports":[]}` {
		t.Errorf("no airports: %d %s", status, body)
	}
}

// TestBook asks what a client of the book asks, and compares whole bodies.
func TestBook(t *testing.T) {
	server := serve(t, newLocal(t, dbtest.SQLite(t)))
	send(t, server.URL, attempt{method: "POST", path: "/v1/flights", body: newFlight})
	want := func(what string, a attempt, status int, body string) {
		t.Helper()
		if got, _, answer := send(t, server.URL, a); got != status || strings.TrimSpace(answer) != body {
			t.Errorf("%s: %d %s; want %d %s", what, got, answer, status, body)
		}
	}
	want("a flight", attempt{method: "GET", path: "/flights?flight_no=AA34&departure_date_time=2026-11-21T09:00"}, 200,
		`{"flight_id":"AA34-JFK-20261121","origin_code":"JFK","destination_code":"ATL"}`)
	want("no parameters", attempt{method: "GET", path: "/flights"}, 400,
		`{"errors":[{"msg":"the parameter flight_no is missing","param":"flight_no","location":"query"}]}`)
	put := attempt{method: "POST", path: "/events/weather", body: `[{"eventId":"a","data":{"wind":7}},{"eventId":"b","data":null}]`}
	want("events", put, 200, `{"eventIds":["a","b"]}`)
	want("the same events", put, 200, `{"eventIds":["a","b"]}`)
	if status, _, body := send(t, server.URL, attempt{method: "POST", path: "/events/weather", body: `[{"eventId":"a","data":{"wind":8}}]`}); status != 409 {
		t.Errorf("the same id with other data: %d %s", status, body)
	}
	status, header, body := send(t, server.URL, attempt{method: "GET", path: "/events/weather?count=1"})
	if link := header.Get("Link"); status != 200 || link != `</events/weather?count=1&since=a>; rel="next"` || !strings.Contains(body, `"data":{"wind":7}`) {
		t.Errorf("the first event: %d %s %s", status, link, body)
	}
	status, header, body = send(t, server.URL, attempt{method: "GET", path: "/events/weather?since=a&count=9"})
	if status != 200 || header.Get("Link") != "" || !strings.Contains(body, `"eventId":"b"`) || strings.Contains(body, `"eventId":"a"`) {
		t.Errorf("after the first: %d %v %s", status, header, body)
	}
	want("after the last", attempt{method: "GET", path: "/events/weather?since=b"}, 200, `[]`)
}

// bulky is a feed of six events of a megabyte each.
type bulky struct{ flights.Service }

func (bulky) EventsOf(_ context.Context, _, since string, limit int) ([]flights.Event, error) {
	data := json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	var list []flights.Event
	for seq := int64(1); seq <= 6; seq++ {
		if id := flights.EventID(seq); id > since && len(list) < limit {
			list = append(list, flights.Event{Seq: seq, ID: id, Data: data})
		}
	}
	return list, nil
}

// TestLongAnswersAreCut reads more events than an answer may hold.
func TestLongAnswersAreCut(t *testing.T) {
	server := serve(t, bulky{})
	status, header, body := send(t, server.URL, attempt{method: "GET", path: "/events/flights"})
	if status != 200 || len(body) > 4<<20 || !strings.Contains(header.Get("Link"), "since=flights-3") {
		t.Errorf("%d, %d bytes, %v", status, len(body), header)
	}
	client := flightshttp.NewClient(server.URL, http.DefaultTransport)
	for limit, want := range map[int]int{100: 6, 6: 6, 4: 4, 1: 1} {
		if got, err := client.Events(t.Context(), 0, limit); err != nil || len(got) != want || got[want-1].Seq != int64(want) {
			t.Errorf("limit %d: %d events, %v", limit, len(got), err)
		}
	}
}
