package reservationshttp_test

import "strings"

// badRebookings sends what must be refused to both ways to rebook; what is taken is a
// 403 in the book's words on its path.
func badRebookings(f fixture) []attempt {
	var list []attempt
	add := func(name, body string, status int, says string) {
		list = append(list,
			attempt{name: name, method: "POST", path: "/v1/reservations/" + f.reservation.ReservationID + "/rebook", body: body, status: status, says: says},
			attempt{name: name, method: "PUT", path: "/reservations/" + f.reservation.ReservationID, body: body, status: status, says: says})
	}
	leg := func(number, date, seats string) string {
		return `{"flight_num":"` + number + `","flight_date":"` + date + `","seats":` + seats + `}`
	}
	back := leg("AA35", "2026-11-28", `["12A"]`)
	add("no outbound", `{}`, 400, "seat")
	add("no seats", `{"outbound":`+leg("AA35", "2026-11-28", `[]`)+`}`, 400, "seat")
	add("bad number", `{"outbound":`+leg("AA-35", "2026-11-28", `["12A"]`)+`}`, 400, "flight_num")
	add("bad date", `{"outbound":`+leg("AA35", "28.11.2026", `["12A"]`)+`}`, 400, "flight_date")
	add("NUL", `{"outbound":`+leg(`AA35\u0000`, "2026-11-28", `["12A"]`)+`}`, 400, "flight_num")
	add("lower case seat", `{"outbound":`+leg("AA35", "2026-11-28", `["12a"]`)+`}`, 400, "12a")
	add("row 13", `{"outbound":`+leg("AA35", "2026-11-28", `["13A"]`)+`}`, 422, "13A")
	add("unknown flight", `{"outbound":`+leg("AA36", "2026-11-28", `["12A"]`)+`}`, 404, "AA36")
	add("unknown return", `{"outbound":`+back+`,"returning":`+leg("AA36", "2026-11-28", `["12A"]`)+`}`, 404, "AA36")
	add("return without seats", `{"outbound":`+back+`,"returning":{}}`, 400, "seat")
	add("unknown field", `{"outbound":`+back+`,"cabin":"FIRST"}`, 400, "cabin")
	add("unknown field inside", `{"outbound":{"flight_num":"AA35","flight_date":"2026-11-28","seats":["12A"],"cabin":"FIRST"}}`, 400, "cabin")
	add("leg is text", `{"outbound":"AA35"}`, 400, "outbound")
	taken := `{"outbound":` + leg("AA34", "2026-11-21", `["12A","1A"]`) + `}`
	return append(list,
		attempt{name: "taken", method: "POST", path: "/v1/reservations/" + f.reservation.ReservationID + "/rebook", body: taken, status: 409, says: `"conflicts":["1A"]`},
		attempt{name: "taken", method: "PUT", path: "/reservations/" + f.reservation.ReservationID, body: taken, status: 403, says: `"error":"Could not complete reservation for 1A"`},
		attempt{name: "query", method: "POST", path: "/v1/reservations/" + f.reservation.ReservationID + "/rebook?x=1", body: taken, status: 400, says: "x"})
}

func badSeating() []attempt {
	var list []attempt
	for _, id := range strangeFlights() {
		list = append(list,
			attempt{name: "flight", method: "GET", path: "/v1/flights/" + id + "/seats", status: 404, says: "flight"},
			attempt{name: "flight", method: "GET", path: "/v1/flights/" + id + "/occupants", status: 404, says: "flight"},
			attempt{name: "flight", method: "PUT", path: "/v1/flights/" + id + "/blocks/12A", body: `{"reason":"x"}`, status: 404, says: "flight"},
			attempt{name: "flight", method: "DELETE", path: "/v1/flights/" + id + "/blocks/12A", status: 404, says: "flight"})
	}
	const blocks = "/v1/flights/" + flightID + "/blocks/"
	for seat, status := range map[string]int{"12a": 400, "012A": 400, "13A": 422, "12%D0%90": 400, "12A%00": 400, "0A": 400, "-1A": 400, strings.Repeat("1", 3000) + "A": 400} {
		list = append(list,
			attempt{name: "seat", method: "PUT", path: blocks + seat, body: `{"reason":"x"}`, status: status, says: "seat"},
			attempt{name: "seat", method: "DELETE", path: blocks + seat, status: status, says: "seat"})
	}
	return append(list,
		attempt{name: "held", method: "PUT", path: blocks + "1A", body: `{"reason":"x"}`, status: 409, says: "1A"},
		attempt{name: "no reason", method: "PUT", path: blocks + "12A", body: `{}`, status: 400, says: "reason"},
		attempt{name: "blank reason", method: "PUT", path: blocks + "12A", body: `{"reason":"  "}`, status: 400, says: "reason"},
		attempt{name: "long reason", method: "PUT", path: blocks + "12A", body: `{"reason":"` + strings.Repeat("x", 201) + `"}`, status: 400, says: "reason"},
		attempt{name: "reason is a list", method: "PUT", path: blocks + "12A", body: `{"reason":["x"]}`, status: 400, says: "reason"},
		attempt{name: "query", method: "PUT", path: blocks + "12A?x=1", body: `{"reason":"x"}`, status: 400, says: "x"},
		attempt{name: "query", method: "DELETE", path: blocks + "12A?x=1", status: 400, says: "x"},
		attempt{name: "query", method: "GET", path: "/v1/flights/" + flightID + "/seats?state=HELD", status: 400, says: "state"},
		attempt{name: "query", method: "GET", path: "/v1/flights/" + flightID + "/occupants?customer=ann", status: 400, says: "customer"},
		attempt{name: "two customers", method: "GET", path: "/v1/flights/" + flightID + "/occupants", header: []string{"X-Customer-Id: ann", "X-Customer-Id: bob"}, status: 400, says: "X-Customer-Id"})
}

func badBook() []attempt {
	put := func(name, body string, status int, says string) attempt {
		return attempt{name: name, method: "PUT", path: "/reservations", body: body, status: status, says: says}
	}
	book := func(flight, customer, seat string) string {
		return `{"flight_id":"` + flight + `","customer_id":"` + customer + `","seat_num":"` + seat + `"}`
	}
	get := func(query string, status int, says string) attempt {
		return attempt{name: "query", method: "GET", path: "/reservations" + query, status: status, says: says}
	}
	return []attempt{
		put("taken", book(flightID, "eve", "3A"), 403, `{"error":"Could not complete reservation for 3A","description":"Seat already reserved. Cannot double-book"}`),
		put("held", book(flightID, "eve", "1A"), 403, `"error":"Could not complete reservation for 1A"`), put("unknown flight", book("AA36-JFK-20261121", "eve", "12A"), 404, "AA36"),
		put("no flight", book("", "eve", "12A"), 404, "flight"), put("lower case", book(flightID, "eve", "12a"), 400, "12a"), put("row 13", book(flightID, "eve", "13A"), 422, "13A"),
		put("no customer", book(flightID, "", "12A"), 400, "customer_id"), put("no seat", book(flightID, "eve", ""), 400, "seat"), put("number", `{"flight_id":"`+flightID+`","customer_id":"eve","seat_num":12}`, 400, "seat_num"),
		put("NUL", book(flightID, `eve\u0000`, "12A"), 400, "customer_id"), put("unknown field", `{"flight_id":"`+flightID+`","customer_id":"eve","seat_num":"12A","price":1}`, 400, "price"),
		get("", 400, "flight_id"), get("?flight_id=", 400, "flight_id"), get("?flight=x", 400, "flight"), get("?flight_id=a&flight_id=b", 400, "flight_id"), get("?flight_id=%00", 400, "flight_id"),
		get("?flight_id=AA36-JFK-20261121", 404, "AA36"), get("?flight_id=%zz", 400, "query string"),
	}
}

func badPaths(f fixture) []attempt {
	return []attempt{
		{name: "slash", method: "GET", path: "/v1/flights/" + flightID + "/seats/", status: 404, says: "nothing at this path"},
		{name: "slash", method: "PUT", path: "/reservations/", body: `{}`, status: 404, says: "nothing at this path"},
		{name: "no id", method: "GET", path: "/v1/holds/", status: 404, says: "nothing at this path"},
		{name: "slashes", method: "GET", path: "/v1/flights//seats", status: 404, says: "nothing at this path"},
		{name: "encoded slash", method: "GET", path: "/v1/flights/a%2Fb/seats", status: 404, says: "nothing at this path"},
		{name: "method", method: "PUT", path: "/v1/holds/" + f.anns.HoldID, status: 405, says: "DELETE, not"},
		{name: "method", method: "DELETE", path: "/reservations", status: 405, says: "PUT, not"},
	}
}

// badBodies sends every path with a body what is no body of anything.
func badBodies(f fixture) []attempt {
	var list []attempt
	for _, to := range []attempt{
		{method: "POST", path: holds},
		{method: "POST", path: "/v1/flights/" + flightID + "/reservations"},
		{method: "PUT", path: "/v1/flights/" + flightID + "/blocks/12A"},
		{method: "POST", path: "/v1/reservations/" + f.reservation.ReservationID + "/change-seat"},
		{method: "POST", path: "/v1/reservations/" + f.reservation.ReservationID + "/rebook"},
		{method: "PUT", path: "/reservations"},
		{method: "PUT", path: "/reservations/" + f.reservation.ReservationID},
		{name: "optional", method: "POST", path: "/v1/holds/" + f.anns.HoldID + "/confirm"},
		{name: "optional", method: "POST", path: "/v1/holds/" + f.anns.HoldID + "/extend"},
	} {
		add := func(name, body string, status int, says string, header ...string) {
			header = append(header, oneKey, "X-Hold-Token: "+f.anns.Token)
			list = append(list, attempt{name: name, method: to.method, path: to.path, header: header, body: body, status: status, says: says})
		}
		if to.name != "optional" {
			add("empty", "", 400, "empty")
			add("space", " \n", 400, "empty")
		}
		add("null", "null", 400, "null")
		add("array", "[]", 400, "object")
		add("string", `"12A"`, 400, "string")
		add("number", `1e400`, 400, "number")
		add("not JSON", "seats=12A", 400, "not JSON")
		add("cut off", `{"seats":["12A`, 400, "ends early")
		add("two values", `{} {}`, 400, "behind")
		add("field twice", `{"a":1,"A":2}`, 400, "twice")
		add("not UTF-8", "{\"a\":\"\xff\"}", 400, "UTF-8")
		add("NUL", `{"a":"\u0000"}`, 400, "NUL")
		add("deep", strings.Repeat("[", 60000), 400, "deep")
		add("oversized", `{"a":"`+strings.Repeat("A", 70<<10)+`"}`, 413, "larger")
		add("text", `{}`, 415, "text/plain", "Content-Type: text/plain")
		add("form", `{}`, 415, "application/x-www-form-urlencoded", "Content-Type: application/x-www-form-urlencoded")
	}
	return list
}
