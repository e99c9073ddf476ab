package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
)

// TestWeightsMoveData: a weight is accepted, and the data follows; pause stops it.
func TestWeightsMoveData(t *testing.T) {
	w := newWorld(t, "24h")
	if err := w.home.Write(bucket.Of(flightID), []byte(`{"n":1}`)); err != nil {
		t.Fatal(err)
	}
	dry := w.do(200, "PATCH", routeURL+"?dryRun=true", `{"weights":{"apart":"5%"}}`)
	if at(dry, "preview.buckets") != "500" || at(dry, "preview.add") != "500" || at(dry, "desired.apart") != "0%" || at(dry, "change.to.apart") != "5%" {
		t.Errorf("the dry run tells %v", dry)
	}
	f := w.do(202, "PATCH", routeURL, `{"weights":{"apart":"5%"},"reason":"try"}`)
	if at(f, "desired.apart") != "5%" || at(f, "moving.weight") == "<nil>" || at(f, "actual.monolith") == "<nil>" {
		t.Errorf("the change tells %v", f)
	}
	f = w.settled("5%")
	if at(f, "progress.moved") != "500" || at(f, "progress.total") != "500" || at(f, "actual.monolith") != "95%" || at(f, "moving.buckets") != "0" {
		t.Errorf("at the end: %v", f)
	}
	w.do(202, "POST", routeURL+":pause", `{"reason":"lunch"}`)
	f = w.do(202, "POST", routeURL+":pause", `{"reason":"still"}`)
	if at(f, "paused") != "true" {
		t.Errorf("paused: %v", f)
	}
	if dry := w.do(200, "POST", routeURL+":flip?dryRun=true", ""); at(dry, "preview.buckets") != "9500" || at(dry, "paused") != "true" {
		t.Errorf("a flip would: %v", dry)
	}
	list := w.do(200, "GET", routeURL+"/buckets", "")
	if owners, _ := list["owners"].([]any); len(owners) != 2 || at(list, "count") != "10000" {
		t.Errorf("the buckets: %v", list)
	}
	w.do(202, "POST", routeURL+":resume", `{"reason":"back"}`)
	w.do(202, "POST", routeURL+":rollback", `{"reason":"enough"}`)
	w.settled("0%")
	if got := auditActions(w); got != "rollback resume pause pause set" {
		t.Errorf("the log has %s", got)
	}
	verified := w.do(200, "POST", routeURL+":verify", "")
	if at(verified, "ok") != "true" || at(verified, "compared") != "500" {
		t.Errorf("verified: %v", verified)
	}
}

func auditActions(w *world) string {
	var list []string
	entries, _ := w.do(200, "GET", "/admin/v1/audit", "")["entries"].([]any)
	for _, e := range entries {
		line, _ := e.(map[string]any)
		list = append(list, at(line, "action"))
	}
	return strings.Join(list, " ")
}

// TestPauseStopsAndAbort: a move that hangs is seen, paused behind, and given up.
func TestPauseStopsAndAbort(t *testing.T) {
	w := newWorld(t, "24h")
	freeze := handover.Freeze
	w.gate.shut.Store(&freeze)
	w.do(202, "PATCH", routeURL, `{"weights":{"apart":"1%"},"reason":"try"}`)
	f := w.until("a move hangs", func(f map[string]any) bool { return at(f, "moving.moves") != "0" })
	if at(f, "settled") != "false" || at(f, "actual.apart") != "0%" {
		t.Errorf("on its way: %v", f)
	}
	w.do(202, "POST", routeURL+":pause", `{"reason":"what is that?"}`)
	moves, _ := w.do(200, "GET", "/admin/v1/moves?route=bookings-v1&limit=200", "")["moves"].([]any)
	for _, m := range moves {
		move, _ := m.(map[string]any)
		if at(move, "phase") != "prep" {
			continue
		}
		id := at(move, "id")
		if list := w.do(200, "GET", routeURL+"/buckets", ""); !strings.Contains(fmt.Sprint(list["moving"]), id) {
			t.Errorf("the buckets do not tell of %s: %v", id, list["moving"])
		}
		w.do(400, "POST", "/admin/v1/moves/"+id+":abort", `{}`)
		got := w.do(200, "POST", "/admin/v1/moves/"+id+":abort", `{"reason":"it hangs"}`)
		if at(got, "outcome") != "aborted" || at(got, "error") != "it hangs" {
			t.Errorf("given up: %v", got)
		}
		if again := w.do(412, "POST", "/admin/v1/moves/"+id+":abort", `{"reason":"it hangs"}`); at(again, "code") != string(errs.PreconditionFailed) {
			t.Errorf("again: %v", again)
		}
	}
	w.gate.shut.Store(nil)
	f = w.until("nothing moves", func(f map[string]any) bool { return at(f, "moving.buckets") == "0" })
	w.gate.mu.Lock()
	held := len(w.gate.held)
	w.gate.mu.Unlock()
	if at(f, "actual.apart") != "0%" || at(f, "desired.apart") != "1%" || held == 0 {
		t.Errorf("paused, and nothing moved: %v", f)
	}
	w.do(202, "POST", routeURL+":resume", `{"reason":"now"}`)
	w.settled("1%")
}

// TestVerifyNamesDifferences plants one.
func TestVerifyNamesDifferences(t *testing.T) {
	w := newWorld(t, "24h")
	b := bucket.Of(flightID)
	w.do(202, "PUT", routeURL+"/pins/"+flightID, `{"to":"away","reason":"smoke"}`)
	f := w.settled("0.01%")
	if at(f, "weights.effective.apart") != "0%" || !strings.Contains(fmt.Sprint(f["pins"]), fmt.Sprint("bucket:", b)) {
		t.Errorf("pinned: %v", f)
	}
	moves, _ := w.do(200, "GET", "/admin/v1/moves", "")["moves"].([]any)
	last, _ := moves[0].(map[string]any)
	if at(last, "outcome") != "moved" || at(last, "target") != "apart" || at(last, "buckets") != "1" || !strings.HasPrefix(at(last, "id"), "bookings-v1-") {
		t.Fatalf("the move: %v", last)
	}
	verify := "/admin/v1/moves/" + at(last, "id") + ":verify"
	if v := w.do(200, "POST", verify, ""); at(v, "ok") != "true" || at(v, "compared") != "1" {
		t.Errorf("before: %v", v)
	}
	if err := w.away.Write(b, []byte(`{"planted":1}`)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{verify, routeURL + ":verify"} {
		v := w.do(200, "POST", path, "")
		list, _ := v["differences"].([]any)
		if at(v, "ok") != "false" || len(list) != 1 {
			t.Fatalf("%s: %v", path, v)
		}
		d, _ := list[0].(map[string]any)
		if at(d, "bucket") != fmt.Sprint(b) || at(d, "owner") != "apart" || len(at(d, "home.sha256")) != 64 ||
			len(at(d, "away.sha256")) != 64 || at(d, "home.sha256") == at(d, "away.sha256") || at(d, "away.records") != "1" {
			t.Errorf("%s: %v", path, d)
		}
	}
	w.do(404, "DELETE", routeURL+"/pins/other-flight", `{"reason":"done"}`)
	w.do(202, "DELETE", routeURL+"/pins/"+flightID, `{"reason":"done"}`)
	w.settled("0%")
	w.do(412, "POST", verify, "")
	if got := auditActions(w); got != "unpin pin" {
		t.Errorf("the log has %s", got)
	}
}
