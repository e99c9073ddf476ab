package flightslocal

import (
	"context"
	"time"
)

// KeepsEvents is how long events of others usually stay.
const KeepsEvents = 30 * 24 * time.Hour

// The bounds of a round that removes old events of others.
const (
	purgeEvery   = time.Minute
	purgeEvents  = 500  // in one transaction
	purgeBatches = 1000 // in one round
)

// PurgeEvents deletes events of others (see PutEvents) that were stored before a time, in
// small batches, and says how many. Of each type the last one stays, and so does one whose
// successor is not as old: whoever has read that far goes on from there. This context's
// own events stay. A round begins behind the type that the one before ended with, "" for
// the first, and gives the type that it ended with, "" for the last.
func (s *Service) PurgeEvents(ctx context.Context, before time.Time, after string) (gone int, ended string, err error) {
	for range purgeBatches {
		after, err = s.store.NextStream(ctx, after)
		if err != nil || after == "" {
			return gone, "", err
		}
		if ours(after) {
			continue
		}
		n, err := s.store.PurgeEvents(ctx, after, before.UnixMicro(), purgeEvents)
		if err != nil {
			return gone, "", err
		}
		gone += n
	}
	return gone, after, nil
}

// KeepEvents deletes events of others when they are older than that, until ctx ends; 0
// keeps them for ever. Failures go to report, and it goes on.
func (s *Service) KeepEvents(ctx context.Context, keep time.Duration, report func(error)) {
	at := ""
	for keep > 0 {
		pause := purgeEvery
		gone, ended, err := s.PurgeEvents(ctx, time.Now().Add(-keep), at)
		if err != nil && ctx.Err() == nil {
			report(err)
		}
		if at = ended; err == nil && (gone > 0 || at != "") {
			pause = time.Second // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
