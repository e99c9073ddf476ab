package reservationshttp_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/telemetry"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations"
	"banyan/modules/reservations/reservationshttp"
	"banyan/modules/reservations/reservationslocal"
)

const flightID = "AA34-JFK-20261121"

// fixture is a service over HTTP with one flight, one hold of 1A by ann, one hold of 2A
// by bob and a reservation of 3A by ann; log is what the access log wrote.
type fixture struct {
	url          string
	stop         func()
	svc          reservations.Service
	anns, bobs   reservations.Hold
	reservation  reservations.Reservation
	log          *bytes.Buffer
	firstHoldKey string
}

// schedule lets a service know of two flights.
func schedule(t *testing.T, local *reservationslocal.Service) {
	t.Helper()
	if err := catchUp(local)(t.Context(), events{
		{Seq: 1, Type: "configuration.published", Data: json.RawMessage(`{"configuration":"T.1","seats":["1A","1B","2A","2B","3A","3B","12A","12B","12C","14A"]}`)},
		{Seq: 2, Type: "flight.scheduled", Data: json.RawMessage(`{"flights":[
			{"flight_id":"AA34-JFK-20261121","designator":"AA34","date":"2026-11-21","configuration":"T.1","status":"SCHEDULED"},
			{"flight_id":"AA35-LAX-20261128","designator":"AA35","date":"2026-11-28","configuration":"T.1","status":"SCHEDULED"}]}`)},
	}); err != nil {
		t.Fatal(err)
	}
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	local := newLocal(t, dbtest.SQLite(t), true)
	schedule(t, local)
	f := fixture{svc: local, log: &bytes.Buffer{}, firstHoldKey: "key-of-ann"}
	log, err := telemetry.NewLog(f.log, "reservations", "trace")
	if err != nil {
		t.Fatal(err)
	}
	r := web.NewRouter()
	reservationshttp.Mount(r, local)
	server := httptest.NewServer(web.Edge{Log: log}.Wrap(r))
	t.Cleanup(server.Close)
	f.url, f.stop = server.URL, server.Close
	client := reservationshttp.NewClient(server.URL, http.DefaultTransport)
	if f.anns, err = client.Hold(t.Context(), reservations.HoldRequest{FlightID: flightID, CustomerID: "ann", Seats: []string{"1A"}, Key: f.firstHoldKey}); err != nil {
		t.Fatal(err)
	}
	if f.bobs, err = client.Hold(t.Context(), reservations.HoldRequest{FlightID: flightID, CustomerID: "bob", Seats: []string{"2A"}, Key: "key-of-bob"}); err != nil {
		t.Fatal(err)
	}
	if f.reservation, err = client.Reserve(t.Context(), reservations.ReserveRequest{FlightID: flightID, CustomerID: "ann", Seats: []string{"3A"}}); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestBadInput(t *testing.T) {
	f := newFixture(t)
	before := picture(t, f)
	for _, list := range [][]attempt{badClaims(f), badSeats(), badActions(f), badChanges(f), badRebookings(f), badSeating(), badBook(), badPaths(f), badBodies(f)} {
		for _, a := range list {
			t.Run(a.method+" "+a.path+" "+a.name, func(t *testing.T) {
				status, header, body := send(t, f.url, a)
				checkRefusal(t, a, status, header, body)
				for _, secret := range []string{f.anns.Token, f.bobs.Token} {
					if strings.Contains(body, secret) {
						t.Errorf("the refusal tells a token: %s", body)
					}
				}
			})
		}
	}
	if after := picture(t, f); after != before {
		t.Errorf("refused requests have changed something:\n%s\nwas\n%s", after, before)
	}
	f.stop() // a request's line is written after its answer
	for what, secret := range map[string]string{"ann's token": f.anns.Token, "bob's token": f.bobs.Token, "a key": f.firstHoldKey, "a customer": `"ann"`} {
		if strings.Contains(f.log.String(), secret) {
			t.Errorf("the log tells %s", what)
		}
	}
	if !strings.Contains(f.log.String(), `"code":"token_mismatch"`) {
		t.Error("the log does not tell the refusals; this test looks at nothing")
	}
}

const holds = "/v1/flights/" + flightID + "/holds"

const oneKey = "Idempotency-Key: another-key"

func badClaims(f fixture) []attempt {
	hold := func(name, body string, status int, says string, header ...string) attempt {
		if header == nil {
			header = []string{oneKey}
		}
		return attempt{name: name, method: "POST", path: holds, header: header, body: body, status: status, says: says}
	}
	const fine = `{"seats":["12A"],"customer_id":"eve"}`
	list := []attempt{
		hold("no key", fine, 400, "Idempotency-Key", "X-Other: 1"), hold("empty key", fine, 400, "Idempotency-Key", "Idempotency-Key: "),
		hold("two keys", fine, 400, "Idempotency-Key", "Idempotency-Key: a", "Idempotency-Key: b"), hold("long key", fine, 400, "Idempotency-Key", "Idempotency-Key: "+strings.Repeat("k", 129)),
		hold("key with umlaut", fine, 400, "Idempotency-Key", "Idempotency-Key: ä"), hold("key of another request", fine, 422, "Idempotency-Key", "Idempotency-Key: "+f.firstHoldKey),
		hold("taken", `{"seats":["12A","1A"],"customer_id":"eve"}`, 409, `"conflicts":["1A"]`), hold("reserved", `{"seats":["3A"],"customer_id":"eve"}`, 409, "3A"),
		hold("no customer", `{"seats":["12A"]}`, 400, "customer_id"), hold("customer number", `{"seats":["12A"],"customer_id":7}`, 400, "customer_id"),
		hold("customer NUL", `{"seats":["12A"],"customer_id":"e\u0000"}`, 400, "customer_id"), hold("customer space", `{"seats":["12A"],"customer_id":"e e"}`, 400, "customer_id"),
		hold("customer long", `{"seats":["12A"],"customer_id":"`+strings.Repeat("e", 65)+`"}`, 400, "customer_id"),
		hold("ttl 0.5", `{"seats":["12A"],"customer_id":"eve","ttl_seconds":0.5}`, 400, "ttl_seconds"), hold("ttl negative", `{"seats":["12A"],"customer_id":"eve","ttl_seconds":-60}`, 400, "ttl_seconds"),
		hold("ttl huge", `{"seats":["12A"],"customer_id":"eve","ttl_seconds":99999999999999999999}`, 400, "ttl_seconds"), hold("ttl text", `{"seats":["12A"],"customer_id":"eve","ttl_seconds":"600"}`, 400, "ttl_seconds"),
		hold("ttl too long", `{"seats":["12A"],"customer_id":"eve","ttl_seconds":1201}`, 400, "ttl_seconds"),
		hold("flight in the body", `{"seats":["12A"],"customer_id":"eve","flight_id":"`+flightID+`"}`, 400, "flight_id"), hold("token in the body", `{"seats":["12A"],"customer_id":"eve","token":"x"}`, 400, "token"),
		{name: "query", method: "POST", path: holds + "?dry_run=true", header: []string{oneKey}, body: fine, status: 400, says: "dry_run"},
	}
	for _, id := range strangeFlights() {
		list = append(list, attempt{name: "flight", method: "POST", path: "/v1/flights/" + id + "/holds", header: []string{oneKey}, body: fine, status: 404, says: "flight"})
	}
	return list
}

func strangeFlights() []string {
	return []string{"AA34-JFK-20261122", "aa34-jfk-20261121", flightID + "%20", flightID + "%00", "%D0%90A34-JFK-20261121", "%FF", strings.Repeat("A", 4000), "-1"}
}

// badSeats sends every kind of wrong seat to both ways to claim one.
func badSeats() []attempt {
	var list []attempt
	for name, seats := range map[string]string{
		"none": `[]`, "null": `null`, "text": `"12A"`, "number": `[12]`, "nested": `[["12A"]]`, "empty": `[""]`, "lower case": `["12a"]`, "padded": `["012A"]`,
		"space": `[" 12A"]`, "Cyrillic": `["12А"]`, "full width": `["１２A"]`, "combining": `["12A\u0301"]`, "NUL": `["12A\u0000"]`, "column I": `["12I"]`, "row 0": `["0A"]`,
		"negative": `["-1A"]`, "huge": `["99999999999A"]`, "long": `["` + strings.Repeat("1", 5000) + `A"]`, "twice": `["12A","12A"]`, "ten": `["1A","1B","2A","2B","3A","3B","12A","12B","12C","14A"]`,
	} {
		body := `{"seats":` + seats + `,"customer_id":"eve"}`
		list = append(list,
			attempt{name: name, method: "POST", path: holds, header: []string{oneKey}, body: body, status: 400, says: "seat"},
			attempt{name: name, method: "POST", path: "/v1/flights/" + flightID + "/reservations", body: body, status: 400, says: "seat"})
	}
	for _, seat := range []string{"13A", "12K", "999Z"} {
		body := `{"seats":["12A","` + seat + `"],"customer_id":"eve"}`
		list = append(list,
			attempt{name: seat, method: "POST", path: holds, header: []string{oneKey}, body: body, status: 422, says: seat},
			attempt{name: seat, method: "POST", path: "/v1/flights/" + flightID + "/reservations", body: body, status: 422, says: seat})
	}
	return list
}

// badActions shows no token, or another one, to everything that is done with a hold.
func badActions(f fixture) []attempt {
	var list []attempt
	for _, to := range []attempt{{method: "GET"}, {method: "DELETE"}, {method: "POST", path: "/extend"}, {method: "POST", path: "/confirm"}} {
		add := func(name, id string, status int, says string, header ...string) {
			list = append(list, attempt{name: name, method: to.method, path: "/v1/holds/" + id + to.path, header: append(header, oneKey), status: status, says: says})
		}
		token := "X-Hold-Token: " + f.anns.Token
		add("no token", f.anns.HoldID, 400, "X-Hold-Token")
		add("empty token", f.anns.HoldID, 400, "X-Hold-Token", "X-Hold-Token: ")
		add("two tokens", f.anns.HoldID, 400, "X-Hold-Token", token, token)
		add("long token", f.anns.HoldID, 400, "X-Hold-Token", "X-Hold-Token: "+strings.Repeat("t", 5000))
		add("strange token", f.anns.HoldID, 400, "X-Hold-Token", "X-Hold-Token: ä")
		add("token of another hold", f.anns.HoldID, 409, "token_mismatch", "X-Hold-Token: "+f.bobs.Token)
		add("token in capitals", f.anns.HoldID, 409, "token_mismatch", "X-Hold-Token: "+strings.ToUpper(f.anns.Token)+"X")
		list = append(list, attempt{name: "query", method: to.method, path: "/v1/holds/" + f.anns.HoldID + to.path + "?token=x", header: []string{token, oneKey}, status: 400, says: "token"})
		for _, id := range []string{"h0000-0000000000000000", "nonsense", strings.ToUpper(f.anns.HoldID), f.anns.HoldID + "%00", "h99999-000000000000000", f.reservation.ReservationID, "h-001-0000000000000000", strings.Repeat("h", 3000)} {
			add("hold", id, 404, "hold", token)
		}
	}
	token := "X-Hold-Token: " + f.anns.Token
	return append(list,
		attempt{name: "no key", method: "POST", path: "/v1/holds/" + f.anns.HoldID + "/confirm", header: []string{token}, status: 400, says: "Idempotency-Key"},
		attempt{name: "key of the hold", method: "POST", path: "/v1/holds/" + f.anns.HoldID + "/confirm", header: []string{token, "Idempotency-Key: " + f.firstHoldKey}, status: 422, says: "Idempotency-Key"},
		attempt{name: "body", method: "POST", path: "/v1/holds/" + f.anns.HoldID + "/confirm", header: []string{token, oneKey}, body: `{"price":1}`, status: 400, says: "price"},
		attempt{name: "ttl", method: "POST", path: "/v1/holds/" + f.anns.HoldID + "/extend", header: []string{token, oneKey}, body: `{"ttl_seconds":-1}`, status: 400, says: "ttl_seconds"})
}

func badChanges(f fixture) []attempt {
	change := func(name, body string, status int, says string, header ...string) attempt {
		return attempt{name: name, method: "POST", path: "/v1/reservations/" + f.reservation.ReservationID + "/change-seat", header: append(header, oneKey), body: body, status: status, says: says}
	}
	list := []attempt{
		change("taken", `{"from":"3A","to":"1A"}`, 409, "1A"), change("not mine", `{"from":"2A","to":"12A"}`, 422, "2A"), change("same", `{"from":"3A","to":"3A"}`, 400, "3A"),
		change("row 13", `{"from":"3A","to":"13A"}`, 422, "13A"), change("lower case", `{"from":"3A","to":"12a"}`, 400, "12a"), change("number", `{"from":3,"to":"12A"}`, 400, "from"),
		change("missing", `{"from":"3A"}`, 400, "seat"), change("unknown field", `{"from":"3A","to":"12A","why":"x"}`, 400, "why"), change("second key", `{"from":"3A","to":"12A"}`, 400, "Idempotency-Key", oneKey),
		{name: "no key", method: "POST", path: "/v1/reservations/" + f.reservation.ReservationID + "/change-seat", body: `{"from":"3A","to":"12A"}`, status: 400, says: "Idempotency-Key"},
	}
	for _, id := range []string{"r0000-0000000000000000", "nonsense", strings.ToUpper(f.reservation.ReservationID), f.anns.HoldID, f.reservation.ReservationID + "%00", strings.Repeat("r", 3000)} {
		list = append(list,
			attempt{name: "id", method: "GET", path: "/v1/reservations/" + id, status: 404, says: "reservation"},
			attempt{name: "id", method: "DELETE", path: "/v1/reservations/" + id, status: 404, says: "reservation"},
			attempt{name: "id", method: "POST", path: "/v1/reservations/" + id + "/change-seat", header: []string{oneKey}, body: `{"from":"3A","to":"12A"}`, status: 404, says: "reservation"},
			attempt{name: "id", method: "POST", path: "/v1/reservations/" + id + "/rebook", body: `{"outbound":{"flight_num":"AA34","flight_date":"2026-11-21","seats":["12A"]}}`, status: 404, says: "reservation"},
			attempt{name: "id", method: "PUT", path: "/reservations/" + id, body: `{"outbound":{"flight_num":"AA34","flight_date":"2026-11-21","seats":["12A"]}}`, status: 404, says: "reservation"})
	}
	return append(list,
		attempt{name: "query", method: "GET", path: "/v1/reservations/" + f.reservation.ReservationID + "?expand=all", status: 400, says: "expand"},
		attempt{name: "query", method: "DELETE", path: "/v1/reservations/" + f.reservation.ReservationID + "?force=1", status: 400, says: "force"},
		attempt{name: "key", method: "DELETE", path: "/v1/reservations/" + f.reservation.ReservationID, header: []string{"Idempotency-Key: ä"}, status: 400, says: "Idempotency-Key"})
}
