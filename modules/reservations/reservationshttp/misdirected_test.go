package reservationshttp_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
)

// TestMisdirectedNamesItsBucket asks a store that owns nothing, but knows the flight: on
// every path whoever routes must learn from a 421 which bucket is owned elsewhere.
func TestMisdirectedNamesItsBucket(t *testing.T) {
	local := newLocal(t, dbtest.SQLite(t), false)
	server := serve(t, local)
	schedule(t, local)
	b := bucket.Of(flightID)
	hold, reservation := bucket.NewID(bucket.HoldPrefix, b), bucket.NewID(bucket.ReservationPrefix, b)
	const token, key, legs = "X-Hold-Token: t", "Idempotency-Key: k", `{"outbound":{"flight_num":"AA34","flight_date":"2026-11-21","seats":["1A"]}}`
	for _, a := range []attempt{
		{method: http.MethodPost, path: "/v1/flights/" + flightID + "/holds", body: `{"seats":["1A"],"customer_id":"ann"}`},
		{method: http.MethodGet, path: "/v1/holds/" + hold},
		{method: http.MethodDelete, path: "/v1/holds/" + hold},
		{method: http.MethodPost, path: "/v1/holds/" + hold + "/extend"},
		{method: http.MethodPost, path: "/v1/holds/" + hold + "/confirm"},
		{method: http.MethodPost, path: "/v1/flights/" + flightID + "/reservations", body: `{"seats":["1A"],"customer_id":"ann"}`},
		{method: http.MethodGet, path: "/v1/reservations/" + reservation},
		{method: http.MethodDelete, path: "/v1/reservations/" + reservation},
		{method: http.MethodPost, path: "/v1/reservations/" + reservation + "/change-seat", body: `{"from":"1A","to":"1B"}`},
		{method: http.MethodPost, path: "/v1/reservations/" + reservation + "/rebook", body: legs},
		{method: http.MethodGet, path: "/v1/flights/" + flightID + "/seats"},
		{method: http.MethodGet, path: "/v1/flights/" + flightID + "/occupants"},
		{method: http.MethodPut, path: "/v1/flights/" + flightID + "/blocks/1A", body: `{"reason":"broken"}`},
		{method: http.MethodDelete, path: "/v1/flights/" + flightID + "/blocks/1A"},
		{method: http.MethodGet, path: "/reservations?flight_id=" + flightID},
		{method: http.MethodPut, path: "/reservations", body: `{"flight_id":"` + flightID + `","customer_id":"ann","seat_num":"1A"}`},
		{method: http.MethodPut, path: "/reservations/" + reservation, body: legs},
	} {
		a.header = []string{token, key}
		if a.body != "" {
			a.header = append(a.header, "Content-Type: application/json")
		}
		status, _, body := send(t, server.URL, a)
		var problem struct {
			Code   errs.Code `json:"code"`
			Bucket *int      `json:"bucket"`
		}
		if err := json.Unmarshal([]byte(body), &problem); err != nil {
			t.Fatal(err)
		}
		if status != http.StatusMisdirectedRequest || problem.Code != errs.Misdirected || problem.Bucket == nil || *problem.Bucket != b {
			t.Errorf("%s %s: %d %s", a.method, a.path, status, body)
		}
	}
}
