package store

import (
	"context"

	"banyan/modules/kernel/sqldb"
)

// PlainInsert is the yardstick: the same rows in one statement and one transaction.
func (s *Store) PlainInsert(ctx context.Context, rows []Row) error {
	return s.do(ctx, func(ctx context.Context, tx *sqldb.Tx) error { return insert(ctx, tx, rows) })
}
