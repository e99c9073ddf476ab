package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// event is one of the stream.
type event struct {
	id, kind string
	data     map[string]any
}

// listen opens the stream and gives its events; it ends with the test.
func (w *world) listen(path string, header ...string) <-chan event {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	w.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.api.URL+path, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := w.api.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("%s: %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	out := make(chan event, 1000)
	go func() {
		defer func() { _ = resp.Body.Close(); close(out) }()
		var e event
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.kind = value
			case "data":
				_ = json.Unmarshal([]byte(value), &e.data)
			case "":
				if e.kind != "" {
					out <- e
				}
				e = event{}
			}
		}
	}()
	return out
}

// await gives the next event that is as wanted.
func await(t *testing.T, events <-chan event, what string, ok func(event) bool) event {
	t.Helper()
	for {
		e, open := <-events
		if !open {
			t.Fatalf("the stream ended before %s", what)
		}
		if ok(e) {
			return e
		}
	}
}

// TestEvents follows a change of a weight: the routes as they are, the line of the audit
// log, the moves, and the route as it becomes; a broken stream goes on.
func TestEvents(t *testing.T) {
	w := newWorld(t, "24h")
	events := w.listen("/admin/v1/events")
	await(t, events, "the route as it is", func(e event) bool {
		return e.kind == "route" && at(e.data, "id") == "bookings-v1" && at(e.data, "actual.apart") == "0%"
	})
	w.do(202, "PATCH", routeURL, `{"weights":{"apart":"5%"},"reason":"first"}`)
	first := await(t, events, "the change in the log", func(e event) bool { return e.kind == "audit" })
	if at(first.data, "reason") != "first" || first.id == "" {
		t.Errorf("the log tells %+v", first)
	}
	await(t, events, "a move that ended", func(e event) bool {
		return e.kind == "move" && at(e.data, "outcome") == "moved" && at(e.data, "target") == "apart"
	})
	await(t, events, "the route as it becomes", func(e event) bool {
		return e.kind == "route" && at(e.data, "actual.apart") == "5%" && at(e.data, "settled") == "true"
	})
	w.do(202, "POST", routeURL+":pause", `{"reason":"second"}`)
	w.do(202, "POST", routeURL+":resume", `{"reason":"third"}`)
	again := w.listen("/admin/v1/events?route=bookings-v1", "Last-Event-ID", first.id)
	for _, reason := range []string{"second", "third"} {
		e := await(t, again, "what was missed", func(e event) bool { return e.kind == "audit" })
		if at(e.data, "reason") != reason {
			t.Errorf("went on with %v, want %s", e.data, reason)
		}
	}
}

// TestEventsRefusals: a wrong question is answered before a stream begins, and streams
// are bounded.
func TestEventsRefusals(t *testing.T) {
	w := newWorld(t, "24h")
	w.do(404, "GET", "/admin/v1/events?route=none", "")
	w.do(400, "GET", "/admin/v1/events?rout=x", "")
	w.do(400, "GET", "/admin/v1/events", "", "Last-Event-ID", "x")
	for range 32 {
		w.listen("/admin/v1/events")
	}
	w.do(503, "GET", "/admin/v1/events", "")
}
