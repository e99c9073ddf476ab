package reservationshttp_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"banyan/modules/kernel/web"
	"banyan/modules/reservations/reservationshttp"
)

// TestHoldOverHTTP walks a booking and looks at what is not in the Service: statuses
// and headers.
func TestHoldOverHTTP(t *testing.T) {
	f := newFixture(t)
	ask := attempt{method: "POST", path: holds, header: []string{"Idempotency-Key: \"quoted\""}, body: `{"seats":["12A","12B"],"customer_id":"eve","ttl_seconds":60}`}
	status, header, first := send(t, f.url, ask)
	var h struct {
		HoldID string `json:"hold_id"`
		Token  string
		Expiry string `json:"expires_at"`
		Now    string `json:"server_time"`
	}
	if err := json.Unmarshal([]byte(first), &h); err != nil || status != 201 || header.Get("Location") != "/v1/holds/"+h.HoldID ||
		h.Token == "" || h.Expiry <= h.Now || header.Get("Idempotency-Replayed") != "" || header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s %v", status, header, first, err)
	}
	status, header, again := send(t, f.url, ask)
	if status != 201 || again != first || header.Get("Idempotency-Replayed") != "true" || header.Get("Location") != "/v1/holds/"+h.HoldID {
		t.Errorf("sent again: %d %v %s; want %s", status, header, again, first)
	}
	ask.header = []string{"Idempotency-Key: quoted"} // bare or quoted, it is the same key
	if _, header, again = send(t, f.url, ask); again != first || header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the bare key: %s", again)
	}
	token := "X-Hold-Token: " + h.Token
	if status, _, body := send(t, f.url, attempt{method: "GET", path: "/v1/holds/" + h.HoldID, header: []string{token}}); status != 200 || strings.Contains(body, h.Token) {
		t.Errorf("get: %d %s", status, body)
	}
	if status, _, body := send(t, f.url, attempt{method: "POST", path: "/v1/holds/" + h.HoldID + "/extend", header: []string{token, "Idempotency-Key: x1"}}); status != 200 || !strings.Contains(body, `"extensions":1`) {
		t.Errorf("extend without a body: %d %s", status, body)
	}
	confirm := attempt{method: "POST", path: "/v1/holds/" + h.HoldID + "/confirm", header: []string{token, "Idempotency-Key: x2"}, body: "{}"}
	status, _, sold := send(t, f.url, confirm)
	if status != 200 || !strings.Contains(sold, `"seats":["12A","12B"]`) || !strings.Contains(sold, `"status":"CONFIRMED"`) {
		t.Fatalf("confirm: %d %s", status, sold)
	}
	if status, header, again := send(t, f.url, confirm); status != 200 || again != sold || header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("confirm again: %d %v %s", status, header, again)
	}
}

// TestBook asks what a client of the book asks, and compares whole bodies.
func TestBook(t *testing.T) {
	f := newFixture(t)
	want := func(what string, a attempt, status int, body string) {
		t.Helper()
		if got, _, answer := send(t, f.url, a); got != status || strings.TrimSpace(answer) != body {
			t.Errorf("%s: %d %s; want %d %s", what, got, answer, status, body)
		}
	}
	reserve := attempt{method: "PUT", path: "/reservations", body: `{"flight_id":"AA34-JFK-20261121","customer_id":"eve","seat_num":"12C"}`}
	list := attempt{method: "GET", path: "/reservations?flight_id=AA34-JFK-20261121"}
	want("reserve", reserve, 200, `{"status":"success"}`)
	want("the customer's retry", reserve, 200, `{"status":"success"}`)
	want("another customer", attempt{method: "PUT", path: "/reservations", body: strings.Replace(reserve.body, "eve", "mallory", 1)}, 403,
		`{"error":"Could not complete reservation for 12C","description":"Seat already reserved. Cannot double-book"}`)
	want("anyone's list", list, 200, `{"12C":"***","3A":"***"}`)
	list.header = []string{"X-Customer-Id: eve"}
	want("eve's list", list, 200, `{"12C":"eve","3A":"***"}`)
	list.path = "/reservations?flight_id=AA35-LAX-20261128"
	want("a flight without reservations", list, 200, `{}`)

	rebook := attempt{
		method: "PUT", path: "/reservations/" + f.reservation.ReservationID,
		body: `{"outbound":{"flight_num":"AA35","flight_date":"2026-11-28","seats":["12A"]},"returning":{"flight_num":"AA34","flight_date":"2026-11-21","seats":["2A"]}}`,
	}
	before := picture(t, f)
	want("rebook to a held seat", rebook, 403, `{"error":"Could not complete reservation for 2A","description":"Seat already reserved. Nothing has changed"}`)
	if after := picture(t, f); after != before {
		t.Errorf("after a refused rebooking\n%s\nwas\n%s", after, before)
	}
	rebook.body = strings.Replace(rebook.body, `"2A"`, `"2B"`, 1)
	status, _, body := send(t, f.url, rebook)
	var answer map[string]string
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || len(answer) != 1 || answer["reservation_id"] == "" {
		t.Fatalf("rebook: %d %s", status, body)
	}
	want("rebook again", rebook, 200, strings.TrimSpace(body))
	if old, err := f.svc.GetReservation(t.Context(), f.reservation.ReservationID); err != nil || old.Status != "CANCELLED" {
		t.Errorf("the old reservation is %+v, %v", old, err)
	}
}

// TestFlightEvents reads a source that cuts its answers short and links what follows.
func TestFlightEvents(t *testing.T) {
	var asked []string
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI()+" "+r.Header.Get(web.RequestIDHeader))
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("since") == "flights-7" {
			_, _ = w.Write([]byte(`[{"seq":8,"eventId":"flights-8","type":"flight.changed","time":"2026-11-21T00:00:00Z","data":{"a":1}}]`))
			return
		}
		w.Header().Set("Link", `</events/flights?count=9&since=flights-7>; rel="next"`)
		_, _ = w.Write([]byte(`[{"seq":7,"eventId":"flights-7","type":"flight.scheduled","time":"2026-11-21T00:00:00Z","data":{}}]`))
	}))
	defer source.Close()
	reader := reservationshttp.NewFlightEvents(source.URL+"/", http.DefaultTransport)
	got, err := reader.Events(web.WithRequestID(t.Context(), "r-1"), 0, 10)
	if err != nil || len(got) != 2 || got[0].Seq != 7 || got[1].Type != "flight.changed" || string(got[1].Data) != `{"a":1}` {
		t.Errorf("%+v, %v", got, err)
	}
	if want := "/events/flights?count=10 r-1,/events/flights?count=9&since=flights-7 r-1"; strings.Join(asked, ",") != want {
		t.Errorf("asked %q; want %s", asked, want)
	}
	if got, err = reader.Events(t.Context(), 6, 1); err != nil || len(got) != 1 || len(asked) != 3 {
		t.Errorf("one event: %+v, %v, %q", got, err, asked)
	}
}
