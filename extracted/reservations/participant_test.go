package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/web"
)

const flight = "AA34-JFK-20261121"

func coordinator(url, token string) handover.Participant {
	return handoverhttp.NewClient(url, participant, token, web.NewTransport(web.TransportOptions{}))
}

func order(t *testing.T, p handover.Participant, op handover.Op, epoch int64, seqs ...int64) {
	t.Helper()
	o := handover.Order{Op: op, Epoch: epoch, Buckets: []int{bucket.Of(flight)}, Seqs: seqs}
	if refused, err := p.Order(t.Context(), o); err != nil || len(refused) > 0 {
		t.Fatalf("%s(%d): refused by %v, %v", op, epoch, refused, err)
	}
}

// followed waits until the store's copy of flights is as far as the source's.
func followed(t *testing.T, p handover.Participant) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if s, err := p.Status(t.Context(), []int{0}); err == nil && s.Follows["flights"] == 2 {
			return
		}
	}
	t.Fatal("flights' events are not followed")
}

// TestTakesFlightsOverAndHandsThemOn moves a flight from one running program to another.
func TestTakesFlightsOverAndHandsThemOn(t *testing.T) {
	source, stop := start(t, []string{"BANYAN_MYSQL_DSN=" + dbtest.MySQLDSN(t), "BANYAN_FLIGHTS_URL=" + events(t), "BANYAN_OWN=true"})
	defer stop()
	target, stop := start(t, []string{
		"BANYAN_REDIS_ADDR=" + dbtest.StartRedis(t).Addr, "BANYAN_FLIGHTS_URL=" + events(t), "BANYAN_PARTICIPANT_TOKEN=hush",
	})
	defer stop()
	from, to := coordinator(source, ""), coordinator(target, "hush")
	followed(t, from)
	followed(t, to)
	if got := hold(t, source); got != 201 {
		t.Fatalf("a hold gives %d", got)
	}
	order(t, to, handover.Seal, 2)
	order(t, from, handover.Freeze, 2)
	parts := int64(0)
	if err := from.Export(t.Context(), 2, []int{bucket.Of(flight)}, func(p handover.Part) error {
		parts++
		_, err := to.Copy(t.Context(), 2, []handover.Part{p})
		return err
	}); err != nil || parts == 0 {
		t.Fatalf("%d parts, %v", parts, err)
	}
	order(t, from, handover.SealSource, 2)
	order(t, to, handover.Activate, 2, parts)
	if got := hold(t, source); got != 421 {
		t.Errorf("the source holds with %d", got)
	}
	if got := hold(t, target); got != 201 { // the same key: the source's answer
		t.Errorf("the target holds with %d", got)
	}
}

func TestCoordinatorShowsItsToken(t *testing.T) {
	url, stop := start(t, []string{
		"BANYAN_REDIS_ADDR=" + dbtest.StartRedis(t).Addr, "BANYAN_FLIGHTS_URL=" + events(t), "BANYAN_PARTICIPANT_TOKEN=hush",
	})
	defer stop()
	for _, token := range []string{"", "hushh"} {
		if _, err := coordinator(url, token).Status(t.Context(), []int{1}); errs.CodeOf(err) != errs.Unauthorized {
			t.Errorf("token %q: %v", token, err)
		}
	}
	s, err := coordinator(url, "hush").Status(t.Context(), nil)
	if err != nil || !s.Durable || len(s.Fences) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestSharedStoreTakesNoPart: its flights are the monolith's to hand over.
func TestSharedStoreTakesNoPart(t *testing.T) {
	url, stop := start(t, []string{"BANYAN_MYSQL_DSN=" + dbtest.MySQLDSN(t)})
	defer stop()
	if got := get(t, url+"/participant/v1/reservations/status"); got != http.StatusNotFound {
		t.Errorf("the status of a shared store: %d", got)
	}
}

// TestRebooksThroughTheRouter sends the steps on new flights to whom --router names, where
// their owners are known.
func TestRebooksThroughTheRouter(t *testing.T) {
	asked := make(chan string, 10)
	router := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.URL.Path
		web.Fail(w, r, errs.E(errs.SeatTaken, "taken").With("conflicts", []string{"1B"}))
	}))
	defer router.Close()
	url, stop := start(t, []string{
		"BANYAN_REDIS_ADDR=" + dbtest.StartRedis(t).Addr, "BANYAN_FLIGHTS_URL=" + events(t), "BANYAN_OWN=true", "BANYAN_ROUTER=" + router.URL,
	})
	defer stop()
	waitFor(t, url+"/v1/flights/"+flight+"/seats", 200)
	send := func(method, path, body string) (int, http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, resp.Header
	}
	status, header := send(http.MethodPost, "/v1/flights/"+flight+"/reservations", `{"seats":["1A"],"customer_id":"ann"}`)
	if status != 201 {
		t.Fatalf("a reservation gives %d", status)
	}
	status, _ = send(http.MethodPost, header.Get("Location")+"/rebook", `{"outbound":{"flight_num":"AA34","flight_date":"2026-11-21","seats":["1B"]}}`)
	if status != 409 {
		t.Errorf("a rebooking that the router's side refuses gives %d", status)
	}
	if got := <-asked; got != "POST /v1/flights/"+flight+"/holds" {
		t.Errorf("the router was asked %s", got)
	}
}
