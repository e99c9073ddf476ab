package flightshttp_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/kernel/web"
	"banyan/modules/kernel/web/webtest"
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

// checkRefusal wants problem+json, or the book's shape on its paths, and the words.
func checkRefusal(t *testing.T, a attempt, status int, header http.Header, body string) {
	t.Helper()
	if status != a.status || !strings.Contains(body, a.says) {
		t.Errorf("%d %.300s; want %d saying %q", status, body, a.status, a.says)
	}
	var answer struct {
		Code   string
		Detail string
		Errors []struct{ Msg, Location string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v in %.300s", err, body)
	}
	book := !strings.HasPrefix(a.path, "/v1") && !strings.HasPrefix(a.path, "/V1") && status == http.StatusBadRequest
	switch {
	case book && (len(answer.Errors) != 1 || answer.Errors[0].Msg == "" || answer.Errors[0].Location == ""):
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
func picture(t *testing.T, svc flights.Service) string {
	t.Helper()
	page, err := svc.Search(t.Context(), flights.Criteria{})
	if err != nil {
		t.Fatal(err)
	}
	events, err := svc.Events(t.Context(), 0, flights.MaxEvents)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := svc.EventsOf(t.Context(), "weather", "", flights.MaxEvents)
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal([]any{page, events, foreign})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
