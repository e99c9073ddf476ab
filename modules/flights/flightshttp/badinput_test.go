package flightshttp_test

import (
	"net/http"
	"strings"
	"testing"

	"banyan/modules/kernel/dbtest"
)

const newFlight = `{"designator":"AA34","origin":"JFK","destination":"ATL","departure":"2026-11-21T09:00","arrival":"2026-11-21T11:30","aircraft":"A320","fares":{"ECONOMY":{"amount":"129.90","currency":"USD"}}}`

const flightID = "AA34-JFK-20261121"

func TestBadInput(t *testing.T) {
	svc := newLocal(t, dbtest.SQLite(t))
	server := serve(t, svc)
	if status, _, body := send(t, server.URL, attempt{method: "POST", path: "/v1/flights", body: newFlight}); status != http.StatusCreated {
		t.Fatalf("schedule: %d %s", status, body)
	}
	before := picture(t, svc)
	for _, list := range [][]attempt{badQueries(), badPaths(), badHeaders(), badFields(), badBook(), badBodies()} {
		for _, a := range list {
			t.Run(a.method+" "+a.path+" "+a.name, func(t *testing.T) {
				status, header, body := send(t, server.URL, a)
				checkRefusal(t, a, status, header, body)
			})
		}
	}
	if after := picture(t, svc); after != before {
		t.Errorf("refused requests have changed something:\n%s\nwas\n%s", after, before)
	}
}

func badQueries() []attempt {
	q := func(query string, says string) attempt {
		return attempt{name: "query", method: "GET", path: "/v1/flights?" + query, status: 400, says: says}
	}
	return []attempt{
		q("orgin=JFK", "orgin"), q("origin=JFK&origin=LAX", "origin"), q("origin=jfk", "origin"), q("origin=JF%00", "origin"),
		q("origin=%D0%88FK", "origin"), q("origin=JFK%20", "origin"), q("origin=%FF", "origin"), q("origin=%zz", "query string"),
		q("destination=New+York", "destination"), q("departure_date=2026-13-40", "departure_date"), q("departure_date=21.11.2026", "departure_date"),
		q("passengers=0", "passengers"), q("passengers=-1", "passengers"), q("passengers=10", "passengers"), q("passengers=1e1", "passengers"),
		q("passengers=99999999999999999999", "passengers"), q("passengers=", "passengers"), q("cabin=economy", "cabin"), q("carriers=A,B,,", "carriers"),
		q("max_price=1,5&currency=USD", "max_price"), q("max_price=-1.00&currency=USD", "max_price"), q("max_price=1.00", "currency"), q("currency=XXQ", "currency"),
		q("nonstop=yes", "nonstop"), q("sort=colour", "sort"), q("limit=201", "limit"), q("limit=0", "limit"), q("limit=+5", "limit"), q("cursor=forged", "cursor"),
		q("designator=AA34&origin=JFK", "origin"), q("departure=2026-11-21T09:00", "designator"), q("designator=AA34567", "AA34567"), q("designator=AA34&departure=noon", "noon"),
		q(strings.Repeat("x", 300)+"=1", "xxx…"), q("origin="+strings.Repeat("J", 600), "origin"), q("a=1;b=2", "query string"),
		{name: "unknown", method: "GET", path: "/v1/airports?city=Paris", status: 400, says: "city"},
		{name: "limit", method: "GET", path: "/v1/airports?limit=1000", status: 400, says: "limit"},
		{name: "country", method: "GET", path: "/v1/airports?country=us", status: 400, says: "country"},
		{name: "query", method: "GET", path: "/v1/flights/" + flightID + "?x=1", status: 400, says: "x"},
		{name: "query", method: "GET", path: "/v1/flights/" + flightID + "/seat-map?x=1", status: 400, says: "x"},
		{name: "query", method: "POST", path: "/v1/flights?x=1", body: newFlight, status: 400, says: "x"},
		{name: "query", method: "PATCH", path: "/v1/flights/" + flightID + "?x=1", body: `{"seats":10}`, status: 400, says: "x"},
	}
}

func badPaths() []attempt {
	var list []attempt
	for _, id := range []string{"nothing", "aa34-jfk-20261121", flightID + "%20", "%20" + flightID, flightID + "%00", "%D0%90A34-JFK-20261121", "AA034-JFK-20261121", strings.Repeat("A", 4000), "..%2e", "-1"} {
		list = append(list,
			attempt{name: "id", method: "GET", path: "/v1/flights/" + id, status: 404, says: "flight"},
			attempt{name: "id", method: "GET", path: "/v1/flights/" + id + "/seat-map", status: 404, says: "flight"},
			attempt{name: "id", method: "PATCH", path: "/v1/flights/" + id, header: []string{`If-Match: "1"`}, body: `{"seats":10}`, status: 404, says: "flight"})
	}
	return append(list,
		attempt{name: "slash", method: "GET", path: "/v1/flights/", status: 404, says: "nothing at this path"},
		attempt{name: "slash", method: "GET", path: "/v1/flights/" + flightID + "/", status: 404, says: "nothing at this path"},
		attempt{name: "slashes", method: "GET", path: "/v1//flights", status: 404, says: "nothing at this path"},
		attempt{name: "case", method: "GET", path: "/V1/Flights", status: 404, says: "nothing at this path"},
		attempt{name: "method", method: "DELETE", path: "/v1/flights/" + flightID, status: 405, says: "PATCH, not"},
	)
}

func badHeaders() []attempt {
	patch := func(name string, status int, says string, header ...string) attempt {
		return attempt{name: name, method: "PATCH", path: "/v1/flights/" + flightID, header: header, body: `{"seats":10}`, status: status, says: says}
	}
	post := func(name string, says string, header ...string) attempt {
		return attempt{name: name, method: "POST", path: "/v1/flights", header: header, body: newFlight, status: 400, says: says}
	}
	return []attempt{
		patch("no If-Match", 428, "If-Match"), patch("stale", 412, "version", `If-Match: "7"`), patch("other tag", 412, "abc", `If-Match: "abc"`),
		patch("weak", 412, "entity tag", `If-Match: W/"1"`), patch("negative", 412, "-1", `If-Match: "-1"`), patch("padded", 412, "01", `If-Match: "01"`),
		patch("huge", 412, "entity tag", `If-Match: "99999999999999999999"`), patch("unquoted", 400, "If-Match", "If-Match: 1"), patch("star", 400, "If-Match", "If-Match: *"),
		patch("two", 400, "If-Match", `If-Match: "1", "2"`), patch("twice", 400, "If-Match", `If-Match: "1"`, `If-Match: "1"`),
		post("empty key", "Idempotency-Key", "Idempotency-Key: "), post("two keys", "Idempotency-Key", "Idempotency-Key: a", "Idempotency-Key: b"),
		post("long key", "Idempotency-Key", "Idempotency-Key: "+strings.Repeat("k", 200)), post("key of several words", "Idempotency-Key", "Idempotency-Key: a b"),
		post("key with umlaut", "Idempotency-Key", "Idempotency-Key: ä"),
	}
}

func badFields() []attempt {
	with := func(old, other, says string) attempt {
		return attempt{name: other, method: "POST", path: "/v1/flights", body: strings.Replace(newFlight, old, other, 1), status: 400, says: says}
	}
	return []attempt{
		with(`"AA34"`, `34`, "designator"), with("AA34", "AA34567", "AA34567"), with("AA34", "АA34", "designator"), with("AA34", `AA34\u0000`, "designator"),
		with("JFK", "jfk", "origin"), with("JFK", "XXX", "XXX"), with("ATL", "JFK", "destination"), with("2026-11-21T09:00", "2026-11-21 09:00", "departure"),
		with("2026-11-21T11:30", "2026-02-30T11:30", "arrival"), with("A320", "A-320", "A-320"), with("129.90", "129.9", "decimals"), with("129.90", "-129.90", "without a sign"),
		with("129.90", "1e9", "fares.ECONOMY"), with(`"129.90"`, `129.90`, "string"), with("USD", "usd", "usd"), with("ECONOMY", "economy", "fares"),
		with(`"aircraft"`, `"seats":-1,"aircraft"`, "seats"), with(`"aircraft"`, `"seats":1e30,"aircraft"`, "seats"), with(`"aircraft"`, `"seats":"10","aircraft"`, "seats"),
		with(`"aircraft"`, `"stops":-1,"aircraft"`, "stops"), with(`"aircraft"`, `"seat_map":{"Cabin":[]},"aircraft"`, "eat map"), with(`"aircraft"`, `"colour":"red","aircraft"`, "colour"),
	}
}

func badBook() []attempt {
	q := func(query, says string) attempt {
		return attempt{name: "query", method: "GET", path: "/flights?" + query, status: 400, says: says}
	}
	event := func(name, body, says string) attempt {
		return attempt{name: name, method: "POST", path: "/events/weather", body: body, status: 400, says: says}
	}
	return []attempt{
		q("", "flight_no"), q("flight_no=AA34", "departure_date_time"), q("flight_no=AA34&departure_date_time=2026-11-21", "departure_date_time"),
		q("flight_no=AA%2034567&departure_date_time=2026-11-21T09:00", "AA 34567"), q("flight_no=AA34&flight_no=AA35&departure_date_time=2026-11-21T09:00", "flight_no"),
		q("flight_no=AA34&departure_date_time=2026-11-21T09:00&x=1", "x"), q("flight_no=%00&departure_date_time=2026-11-21T09:00", "flight_no"),
		{name: "unknown", method: "GET", path: "/flights?flight_no=AA34&departure_date_time=2020-05-17T13:20", status: 404, says: "AA34"},
		{name: "number", method: "GET", path: "/flights/A/seat_map", status: 400, says: "A"},
		{name: "unknown", method: "GET", path: "/flights/AA9999/seat_map", status: 404, says: "AA9999"},
		{name: "unknown id", method: "GET", path: "/flights/AA34-JFK-20261122/seat_map", status: 404, says: "AA34-JFK-20261122"},
		{name: "query", method: "GET", path: "/flights/AA34/seat_map?x=1", status: 400, says: "x"},
		{name: "count", method: "GET", path: "/events/flights?count=-1", status: 400, says: "count"},
		{name: "count", method: "GET", path: "/events/flights?count=1001", status: 400, says: "count"},
		{name: "since", method: "GET", path: "/events/flights?since=flights-999", status: 404, says: "flights-999"},
		{name: "type", method: "GET", path: "/events/wet%20weather", status: 400, says: "wet weather"},
		{name: "own type", method: "POST", path: "/events/flights", body: `[{"eventId":"x","data":{}}]`, status: 403, says: "flights"},
		event("none", `[]`, "events"), event("no id", `[{"data":{}}]`, "eventId"), event("number id", `[{"eventId":1,"data":{}}]`, "eventId"), event("no data", `[{"eventId":"a"}]`, "data"),
		event("one bad of two", `[{"eventId":"a","data":1},{"eventId":"","data":1}]`, "eventId"), event("more fields", `[{"eventId":"a","data":1,"type":"x"}]`, "type"), event("object", `{"eventId":"a","data":1}`, "array"),
	}
}

// badBodies sends every path with a body what is no body of anything.
func badBodies() []attempt {
	var list []attempt
	for _, to := range []attempt{
		{method: "POST", path: "/v1/flights"},
		{method: "PATCH", path: "/v1/flights/" + flightID, header: []string{`If-Match: "1"`}},
		{method: "POST", path: "/events/weather"},
	} {
		add := func(name, body string, status int, says string, header ...string) {
			list = append(list, attempt{name: name, method: to.method, path: to.path, header: append(header, to.header...), body: body, status: status, says: says})
		}
		add("empty", "", 400, "empty")
		add("space", " \n", 400, "empty")
		add("null", "null", 400, "null")
		add("not JSON", "designator=AA34", 400, "not JSON")
		add("cut off", `{"designator":"AA34`, 400, "ends early")
		add("two values", `{} {}`, 400, "behind")
		add("string", `"AA34"`, 400, "string")
		add("number", `1e400`, 400, "number")
		add("field twice", `{"seats":1,"seats":2}`, 400, "twice")
		add("not UTF-8", "{\"designator\":\"\xff\"}", 400, "UTF-8")
		add("NUL", `{"designator":"\u0000"}`, 400, "NUL")
		add("deep", strings.Repeat("[", 60000), 400, "deep")
		add("oversized", `{"designator":"`+strings.Repeat("A", 2<<20)+`"}`, 413, "larger")
		add("text", `{}`, 415, "text/plain", "Content-Type: text/plain")
		add("form", `{}`, 415, "application/x-www-form-urlencoded", "Content-Type: application/x-www-form-urlencoded")
		add("media nonsense", `{}`, 415, "application/json", "Content-Type: ;;;")
	}
	return list
}
