package reservationslocal_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/reservations/reservationslocal"
)

// staticLog is a list of events numbered from 1.
type staticLog []reservationslocal.FlightEvent

func (l staticLog) Events(_ context.Context, since int64, limit int) ([]reservationslocal.FlightEvent, error) {
	rest := l[min(int(since), len(l)):]
	return rest[:min(limit, len(rest))], nil
}

func event(tb testing.TB, seq int64, kind string, data any) reservationslocal.FlightEvent {
	tb.Helper()
	body, err := json.Marshal(data)
	if err != nil {
		tb.Fatal(err)
	}
	return reservationslocal.FlightEvent{Seq: seq, Type: kind, Data: body}
}

// flaky fails its first calls.
type flaky struct {
	staticLog
	failures *atomic.Int32
}

func (f flaky) Events(ctx context.Context, since int64, limit int) ([]reservationslocal.FlightEvent, error) {
	if f.failures.Add(-1) >= 0 {
		return nil, errors.New("the source is away")
	}
	return f.staticLog.Events(ctx, since, limit)
}

func facts(flightID, status string) map[string]any {
	return map[string]any{"flights": []map[string]string{{
		"flight_id": flightID, "designator": "AA34", "date": "2026-11-21", "configuration": "A-2.1", "status": status,
	}}}
}

func TestFollowOutlivesAFailingSourceAndShowsItsLag(t *testing.T) {
	s := newService(t, dbtest.SQLite(t))
	log := flaky{staticLog{
		event(t, 1, "configuration.published", map[string]any{"configuration": "A-2.1", "seats": []string{"1A", "1B"}}),
		event(t, 2, "something.else", map[string]any{}),
		event(t, 3, "flight.scheduled", facts("AA34-JFK-20261121", "SCHEDULED")),
	}, &atomic.Int32{}}
	log.failures.Store(1)
	f := s.Feed("flights", log)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Follow(ctx) }()
	sawError := false
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		sawError = sawError || f.Lag().Err != nil
		if _, err := s.Seats(t.Context(), "AA34-JFK-20261121"); err == nil && f.Lag().Err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not caught up: %+v", f.Lag())
		}
	}
	if l := f.Lag(); !sawError || l.Skipped != 1 || l.Events != 0 || l.Seconds > 5 {
		t.Errorf("error seen: %v, lag %+v", sawError, l)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("asked to stop, it said %v", err)
	}
}

func TestFollowStopsAtAMalformedEventAfterTheOnesBeforeIt(t *testing.T) {
	s := newService(t, dbtest.SQLite(t))
	f := s.Feed("flights", staticLog{
		event(t, 1, "flight.scheduled", facts("AA34-JFK-20261121", "SCHEDULED")),
		event(t, 2, "flight.cancelled", map[string]any{"flights": 7}),
		event(t, 3, "flight.scheduled", facts("AA35-JFK-20261121", "SCHEDULED")),
	})
	if err := f.Follow(t.Context()); errs.CodeOf(err) != errs.Unprocessable || f.Lag().Err == nil {
		t.Errorf("follow ended with %v, lag says %v", err, f.Lag().Err)
	}
	if _, err := s.Seats(t.Context(), "AA34-JFK-20261121"); err != nil {
		t.Errorf("the event before was lost: %v", err)
	}
	if _, err := s.Seats(t.Context(), "AA35-JFK-20261121"); errs.CodeOf(err) != errs.FlightUnknown {
		t.Errorf("the event behind was applied: %v", err)
	}
}
