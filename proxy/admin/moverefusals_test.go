package admin_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/errs"
)

// TestRescueOfARoute: the service is gone with its data.
func TestRescueOfARoute(t *testing.T) {
	for _, c := range []struct {
		name, retain, accept string
		refused              bool
	}{
		{"home has its copies", "24h", `false`, false},
		{"home was to forget them", "1s", `false`, true},
		{"that is accepted", "1s", `true`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.retain)
			body := func(gone string) string {
				return fmt.Sprintf(`{"reason":"it burnt","gone":%q,"accept_lost_buckets":%s}`, gone, c.accept)
			}
			w.do(202, "PATCH", routeURL, `{"weights":{"apart":"1%"},"reason":"try"}`)
			w.settled("1%")
			if f := w.do(409, "POST", routeURL+":rescue", body("apart")); c.retain != "1s" && !strings.Contains(at(f, "detail"), "answers and owns") {
				t.Errorf("it lives: %v", f)
			}
			w.service.Close()
			if f := w.do(400, "POST", routeURL+":rescue", body("monolith")); at(f, "field") != "gone" {
				t.Errorf("confirmed wrongly: %v", f)
			}
			w.do(400, "POST", routeURL+":rescue", `{"gone":"apart"}`)
			if c.retain == "1s" {
				time.Sleep(time.Second) // until home may forget
			}
			if c.refused {
				if f := w.do(409, "POST", routeURL+":rescue", body("apart")); at(f, "code") != string(errs.Unsafe) || f["lost"] == nil {
					t.Errorf("refused: %v", f)
				}
				if f := w.do(200, "GET", routeURL, ""); at(f, "desired.apart") != "1%" || at(f, "paused") != "false" {
					t.Errorf("a refusal changed %v", f)
				}
				return
			}
			if f := w.do(200, "POST", routeURL+":rescue?dryRun=true", body("apart")); at(f, "rescued.buckets") != "100" || at(f, "actual.apart") != "1%" {
				t.Errorf("a dry run: %v", f)
			}
			f := w.do(200, "POST", routeURL+":rescue", body("apart"))
			if at(f, "rescued.buckets") != "100" || at(f, "actual.apart") != "0%" || at(f, "desired.apart") != "0%" || at(f, "paused") != "true" {
				t.Errorf("rescued: %v", f)
			}
			if got := auditActions(w); got != "rescue set" {
				t.Errorf("the log has %s", got)
			}
		})
	}
}

// TestMoveRefusals: bad input changes nothing.
func TestMoveRefusals(t *testing.T) {
	w := newWorld(t, "24h")
	const reason = `{"reason":"r"}`
	for _, c := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"unknown route", "GET", "/admin/v1/routes/x/buckets", "", 404},
		{"moves of an unknown route", "GET", "/admin/v1/moves?route=x", "", 404},
		{"limit", "GET", "/admin/v1/moves?limit=0", "", 400},
		{"before", "GET", "/admin/v1/moves?before=12", "", 400},
		{"before of another route", "GET", "/admin/v1/moves?before=x-12&route=bookings-v1", "", 400},
		{"parameter", "GET", "/admin/v1/moves?rout=x", "", 400},
		{"unknown move", "POST", "/admin/v1/moves/bookings-v1-999:abort", reason, 404},
		{"unknown move's route", "POST", "/admin/v1/moves/x-999:abort", reason, 404},
		{"verify of an unknown move", "POST", "/admin/v1/moves/bookings-v1-999:verify", "", 404},
		{"no move", "POST", "/admin/v1/moves/bookings:abort", reason, 400},
		{"number written otherwise", "POST", "/admin/v1/moves/bookings-v1-07:abort", reason, 400},
		{"pin without reason", "PUT", routeURL + "/pins/f", `{"to":"away"}`, 400},
		{"pin to nowhere", "PUT", routeURL + "/pins/f", `{"to":"nobody","reason":"r"}`, 400},
		{"pin without to", "PUT", routeURL + "/pins/f", reason, 400},
		{"long flight", "PUT", routeURL + "/pins/" + strings.Repeat("x", 65), `{"to":"away","reason":"r"}`, 400},
		{"no pin", "DELETE", routeURL + "/pins/f", reason, 404},
		{"pause without reason", "POST", routeURL + ":pause", `{}`, 400},
		{"rescue without confirmation", "POST", routeURL + ":rescue", reason, 400},
		{"verify of an unknown route", "POST", "/admin/v1/routes/x:verify", "", 404},
	} {
		if status, _, f := call(t, w.api, c.method, c.path, c.body); status != c.status || f["detail"] == "" {
			t.Errorf("%s: %d %v, want %d", c.name, status, f, c.status)
		}
	}
	tag := rawTag(t, w)
	w.do(202, "POST", routeURL+":pause", reason, "If-Match", tag)
	for _, c := range [][3]string{
		{"POST", routeURL + ":resume", reason},
		{"PUT", routeURL + "/pins/f", `{"to":"away","reason":"r"}`},
		{"POST", "/admin/v1/moves/bookings-v1-2:abort", reason},
		{"POST", routeURL + ":rescue", `{"gone":"apart","reason":"r"}`},
	} {
		if f := w.do(412, c[0], c[1], c[2], "If-Match", tag); at(f, "code") != string(errs.PreconditionFailed) {
			t.Errorf("%v with a stale tag: %v", c, f)
		}
	}
	if got := auditActions(w); got != "pause" {
		t.Errorf("the log has %s", got)
	}
}

func rawTag(t *testing.T, w *world) string {
	t.Helper()
	_, header, _ := call(t, w.api, "GET", routeURL, "")
	return header.Get("ETag")
}
