package flightslocal

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/outbox"
)

// Events gives this context's events after since.
func (s *Service) Events(ctx context.Context, since int64, limit int) ([]flights.Event, error) {
	return s.read(ctx, flights.Stream, "", since, limit)
}

// EventsOf gives the events of a type after the one named.
func (s *Service) EventsOf(ctx context.Context, eventType, sinceID string, limit int) ([]flights.Event, error) {
	if err := checkType(eventType); err != nil {
		return nil, err
	}
	stream, only := eventType, ""
	if ours(eventType) {
		stream = flights.Stream
		if eventType != flights.Stream {
			only = eventType
		}
	}
	var since int64
	if sinceID != "" {
		seq, ok, err := s.store.EventSeq(ctx, stream, sinceID)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, errs.E(errs.NotFound, "there is no event %s of type %s", flights.Quote(sinceID), eventType)
		}
		since = seq
	}
	return s.read(ctx, stream, only, since, limit)
}

func (s *Service) read(ctx context.Context, stream, only string, since int64, limit int) ([]flights.Event, error) {
	if limit < 1 || limit > flights.MaxEvents {
		return nil, bad("count", "must be 1 to %d", flights.MaxEvents)
	}
	list, err := s.store.Events(ctx, stream, only, since, limit)
	out := make([]flights.Event, len(list))
	for i, e := range list {
		out[i] = flights.Event{Seq: e.Seq, ID: e.ID, Type: e.Type, Time: e.At.Format(time.RFC3339Nano), Data: e.Data}
	}
	return out, err
}

// PutEvents stores events of another context, all or none.
func (s *Service) PutEvents(ctx context.Context, eventType string, events []flights.NewEvent) error {
	if err := checkType(eventType); err != nil {
		return err
	}
	if ours(eventType) {
		return errs.E(errs.Forbidden, "events of type %s are published by flights itself", eventType)
	}
	if len(events) == 0 || len(events) > flights.MaxEvents {
		return errs.E(errs.Invalid, "send 1 to %d events", flights.MaxEvents)
	}
	list := make([]outbox.Event, len(events))
	for i, e := range events {
		const most = 128
		if len(e.ID) > most || !visible(e.ID) {
			return errs.E(errs.Invalid, "eventId of event %d must have 1 to %d visible ASCII characters", i+1, most).With("field", "eventId")
		}
		if !json.Valid(e.Data) {
			return errs.E(errs.Invalid, "data of event %d must be JSON", i+1).With("field", "data")
		}
		list[i] = outbox.Event{ID: e.ID, Type: eventType, Data: e.Data}
	}
	return s.store.PutForeign(ctx, eventType, list)
}

// ours says whether a type is this context's own.
func ours(eventType string) bool {
	return strings.HasPrefix(eventType, "flight") || strings.HasPrefix(eventType, "configuration")
}

func checkType(eventType string) error {
	const most = 64
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	if eventType == "" || len(eventType) > most || strings.Trim(eventType, allowed) != "" {
		return errs.E(errs.Invalid, "an event type has 1 to %d letters, digits, points, dashes and underscores, not %s",
			most, flights.Quote(eventType)).With("field", "eventType")
	}
	return nil
}
