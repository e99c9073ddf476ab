package store

import (
	"context"

	"banyan/modules/kernel/outbox"
	"banyan/modules/kernel/sqldb"
)

// Events reads a stream; see outbox.Read.
func (s *Store) Events(ctx context.Context, stream, eventType string, since int64, limit int) ([]outbox.Event, error) {
	return outbox.Read(ctx, s.db, stream, eventType, since, limit)
}

// EventSeq finds an event of a stream; see outbox.Seq.
func (s *Store) EventSeq(ctx context.Context, stream, id string) (int64, bool, error) {
	return outbox.Seq(ctx, s.db, stream, id)
}

// PutForeign stores events of others in a stream of their own; see outbox.AppendForeign.
func (s *Store) PutForeign(ctx context.Context, stream string, events []outbox.Event) error {
	return s.do(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		return outbox.AppendForeign(ctx, tx, stream, events...)
	})
}

// NextStream finds the streams one by one; see outbox.NextStream.
func (s *Store) NextStream(ctx context.Context, after string) (string, error) {
	return outbox.NextStream(ctx, s.db, after)
}

// PurgeEvents deletes a stream's old events; see outbox.Purge.
func (s *Store) PurgeEvents(ctx context.Context, stream string, before int64, limit int) (int, error) {
	return outbox.Purge(ctx, s.db, stream, before, limit)
}
