// Package store keeps the flights context in SQL: MySQL, MariaDB or SQLite. Rows are
// narrow, geometry is stored once per configuration, and every change writes its event
// in its own transaction, under the outbox's lock, which makes writers take turns.
package store

import (
	"context"

	"banyan/modules/flights"
	"banyan/modules/kernel/sqldb"
)

// Store is the context's database, with small caches of what hardly changes.
type Store struct {
	db       *sqldb.DB
	airports *cache[flights.Airport]
	configs  *cache[Configuration]
}

// New makes a store over a migrated database.
func New(db *sqldb.DB) *Store {
	return &Store{db: db, airports: newCache[flights.Airport](), configs: newCache[Configuration]()}
}

// DB is the database, for readiness checks.
func (s *Store) DB() *sqldb.DB { return s.db }

// do runs a transaction. On SQLite the statements do not follow the caller's context:
// an interrupted one would roll back everyone who shares the commit.
func (s *Store) do(ctx context.Context, fn func(context.Context, *sqldb.Tx) error) error {
	inner := ctx
	if s.db.Dialect() == sqldb.SQLite {
		inner = context.WithoutCancel(ctx)
	}
	return s.db.Do(ctx, func(tx *sqldb.Tx) error { return fn(inner, tx) })
}
