package flightslocal_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"banyan/modules/flights"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
)

// TestPurgeEvents: of others' events the last of each type stays, and a reader that has
// seen it goes on; one that has not is told so. This context's own events stay.
func TestPurgeEvents(t *testing.T) {
	db := dbtest.SQLite(t)
	s := newService(t, db)
	put := func(eventType, id string) {
		t.Helper()
		if err := s.PutEvents(t.Context(), eventType, []flights.NewEvent{{ID: id, Data: json.RawMessage(`1`)}}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		put("weather", fmt.Sprint("w", i))
		put("zebra", fmt.Sprint("z", i))
	}
	if err := s.LoadSample(t.Context(), time.Now().UTC()); err != nil {
		t.Fatal(err)
	}
	own := len(eventsOf(t, s, flights.Stream))
	gone, ended, err := s.PurgeEvents(t.Context(), time.Now().Add(-time.Hour), "")
	if gone != 0 || ended != "" || err != nil || own == 0 {
		t.Fatalf("young events: %d gone, %q, %v; %d of its own", gone, ended, err, own)
	}
	gone, ended, err = s.PurgeEvents(t.Context(), time.Now().Add(time.Hour), "")
	if gone != 4 || ended != "" || err != nil {
		t.Errorf("old events: %d gone, %q, %v", gone, ended, err)
	}
	for eventType, want := range map[string]string{"weather": "[w2]", "zebra": "[z2]"} {
		if got := fmt.Sprint(eventsOf(t, s, eventType)); got != want {
			t.Errorf("%s has %s, not %s", eventType, got, want)
		}
	}
	if got := len(eventsOf(t, s, flights.Stream)); got != own {
		t.Errorf("%d of %d events of its own are left", got, own)
	}
	if _, err := s.EventsOf(t.Context(), "weather", "w1", 10); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("a reader that is behind: %v", err)
	}
	put("weather", "w3")
	if next, err := s.EventsOf(t.Context(), "weather", "w2", 10); err != nil || len(next) != 1 || next[0].ID != "w3" {
		t.Errorf("a reader that has seen the last: %v, %v", next, err)
	}
	s.KeepEvents(t.Context(), 0, func(err error) { t.Error(err) }) // for ever: nothing to do
	if got := fmt.Sprint(eventsOf(t, s, "weather")); got != "[w2 w3]" {
		t.Errorf("for ever: %s", got)
	}
}

func eventsOf(t *testing.T, s flights.Feed, eventType string) []string {
	t.Helper()
	list, err := s.EventsOf(t.Context(), eventType, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(list))
	for i, e := range list {
		ids[i] = e.ID
	}
	return ids
}
