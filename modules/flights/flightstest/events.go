package flightstest

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
)

// testEvents writes from many callers while a reader follows: it must see every event
// once, in order.
func testEvents(t *testing.T, s flights.Service) {
	const callers, each = 6, 6
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := range each {
				f := newFlight()
				f.Designator = fmt.Sprintf("AA%d", i*each+n+1)
				if _, err := s.Schedule(t.Context(), f); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	var followed []flights.Event
	var since int64
	for over := false; ; {
		page, err := s.Events(t.Context(), since, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			since = e.Seq
			followed = append(followed, e)
		}
		if over && len(page) == 0 {
			break
		}
		select {
		case <-done:
			over = true
		default:
		}
	}
	all := allEvents(t, s)
	if asJSON(t, followed) != asJSON(t, all) || len(all) != callers*each+1 {
		t.Errorf("followed %d events, %d are there, want %d", len(followed), len(all), callers*each+1)
	}
	for i, e := range all {
		rest, err := s.EventsOf(t.Context(), flights.Stream, e.ID, flights.MaxEvents)
		if err != nil || e.ID != flights.EventID(e.Seq) || len(rest) != len(all)-i-1 {
			t.Fatalf("%d events after %s, %v; want %d", len(rest), e.ID, err, len(all)-i-1)
		}
	}
	only, err := s.EventsOf(t.Context(), flights.ConfigurationPublished, "", 10)
	if err != nil || len(only) != 1 || only[0].Type != flights.ConfigurationPublished {
		t.Errorf("configurations: %s, %v", asJSON(t, only), err)
	}
}

func testForeignEvents(t *testing.T, s flights.Service) {
	batch := []flights.NewEvent{
		{ID: "e-2", Data: json.RawMessage(`{"a":1,"b":[1.50,"ü"]}`)}, {ID: "e-1", Data: json.RawMessage(`"text"`)},
	}
	for range 2 {
		if err := s.PutEvents(t.Context(), "weather", batch); err != nil {
			t.Fatal(err)
		}
	}
	spaced := []flights.NewEvent{{ID: "e-2", Data: json.RawMessage(` {"b": [1.50, "ü"], "a": 1}`)}, {ID: "e-3", Data: json.RawMessage(`null`)}}
	if err := s.PutEvents(t.Context(), "weather", spaced); err != nil {
		t.Errorf("the same JSON, written otherwise: %v", err)
	}
	for range 2 {
		err := s.PutEvents(t.Context(), "weather", []flights.NewEvent{{ID: "e-4", Data: json.RawMessage(`4`)}, {ID: "e-1", Data: json.RawMessage(`"other"`)}})
		refused(t, err, errs.Conflict, "an id with other data")
	}
	if err := s.PutEvents(t.Context(), "news", []flights.NewEvent{{ID: "e-1", Data: json.RawMessage(`"other"`)}}); err != nil {
		t.Errorf("the id under another type: %v", err)
	}
	all, err := s.EventsOf(t.Context(), "weather", "", 10)
	if err != nil || len(all) != 3 || all[0].ID != "e-2" || all[1].ID != "e-1" || all[2].ID != "e-3" || string(all[1].Data) != `"text"` {
		t.Fatalf("weather: %s, %v", asJSON(t, all), err)
	}
	after, err := s.EventsOf(t.Context(), "weather", "e-1", 10)
	if err != nil || asJSON(t, after) != asJSON(t, all[2:]) {
		t.Errorf("after e-1: %s, %v", asJSON(t, after), err)
	}
	first, err := s.EventsOf(t.Context(), "weather", "", 1)
	if err != nil || asJSON(t, first) != asJSON(t, all[:1]) {
		t.Errorf("the first: %s, %v", asJSON(t, first), err)
	}
	_, err = s.EventsOf(t.Context(), "weather", "e-9", 10)
	refused(t, err, errs.NotFound, "after an unknown event")
	if own := allEvents(t, s); len(own) != 0 {
		t.Errorf("%d events of others are in this context's feed", len(own))
	}
}

func testEventsRefused(t *testing.T, s flights.Service) {
	one := []flights.NewEvent{{ID: "x", Data: json.RawMessage(`{}`)}}
	for _, own := range []string{flights.Stream, flights.FlightChanged, "flightless", flights.ConfigurationPublished} {
		refused(t, s.PutEvents(t.Context(), own, one), errs.Forbidden, own)
	}
	refused(t, s.PutEvents(t.Context(), strings.Repeat("w", 65), one), errs.Invalid, "a long type")
	refused(t, s.PutEvents(t.Context(), "wet weather", one), errs.Invalid, "a type with a space")
	for name, e := range map[string]flights.NewEvent{
		"no id": {Data: one[0].Data}, "long id": {ID: strings.Repeat("x", 129), Data: one[0].Data}, "NUL in the id": {ID: "x\x00", Data: one[0].Data},
		"no data": {ID: "x"},
	} {
		refused(t, s.PutEvents(t.Context(), "weather", []flights.NewEvent{one[0], e}), errs.Invalid, name)
	}
	refused(t, s.PutEvents(t.Context(), "weather", nil), errs.Invalid, "no events")
	if got, err := s.EventsOf(t.Context(), "weather", "", 10); err != nil || len(got) != 0 {
		t.Errorf("refusals stored %s, %v", asJSON(t, got), err)
	}
	for _, limit := range []int{0, -1, flights.MaxEvents + 1} {
		_, err := s.EventsOf(t.Context(), "weather", "", limit)
		refused(t, err, errs.Invalid, fmt.Sprintf("%d events", limit))
	}
}
