package reservationshttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"banyan/modules/kernel/web"
	"banyan/modules/kernel/web/webtest"
	"banyan/modules/reservations/reservationslocal"
)

// attempt is a request that must be refused with a status and words that name what was
// wrong. The header entries are "Name: value".
type attempt struct {
	name, method, path string
	header             []string
	body               string
	status             int
	says               string
}

// checkRefusal wants problem+json, or the book's 403 on its paths, and the words.
func checkRefusal(t *testing.T, a attempt, status int, header http.Header, body string) {
	t.Helper()
	if status != a.status || !strings.Contains(body, a.says) {
		t.Errorf("%d %.300s; want %d saying %q", status, body, a.status, a.says)
	}
	var answer struct{ Code, Detail, Error, Description string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v in %.300s", err, body)
	}
	book := status == http.StatusForbidden
	switch {
	case book && (answer.Error == "" || answer.Description == "" || header.Get("Content-Type") != "application/json"):
		t.Errorf("%s is not the book's shape", body)
	case !book && (header.Get("Content-Type") != web.ProblemType || answer.Code == "" || answer.Detail == ""):
		t.Errorf("%s %s is no problem", header.Get("Content-Type"), body)
	}
}

func send(t *testing.T, base string, a attempt) (int, http.Header, string) {
	t.Helper()
	return webtest.Send(t, base, webtest.Request{Method: a.method, Path: a.path, Header: a.header, Body: a.body})
}

// picture is all that a refused request could have changed.
func picture(t *testing.T, f fixture) string {
	t.Helper()
	var all []any
	add := func(v any, err error) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	for _, id := range []string{flightID, "AA35-LAX-20261128"} {
		seats, err := f.svc.Seats(t.Context(), id)
		if id != flightID {
			seats.Version = 0 // a rebooking that was refused has held and released there
		}
		add(seats, err)
		add(f.svc.Occupants(t.Context(), id))
	}
	hold, err := f.svc.GetHold(t.Context(), f.anns.HoldID, f.anns.Token)
	add([]any{hold.Status, hold.ExpiresAt, hold.Extensions}, err)
	add(f.svc.GetReservation(t.Context(), f.reservation.ReservationID))
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// events is flights' events as they would come from there.
type events []reservationslocal.FlightEvent

func (e events) Events(_ context.Context, since int64, _ int) ([]reservationslocal.FlightEvent, error) {
	return e[min(int(since), len(e)):], nil
}
