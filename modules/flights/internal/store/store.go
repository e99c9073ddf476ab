// Package store keeps the flights context in SQL: MySQL, MariaDB or SQLite. Rows are
// narrow, geometry is stored once per configuration, and every change writes its event
// in its own transaction, under the outbox's lock, which makes writers take turns.
//
// A store serves the buckets of flights that its fences say, and may hold rows of others:
// those that were handed over and not purged yet, and those that are on their way. Reads
// leave these out; writes are refused for them.
package store

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"

	"banyan/modules/flights"
	"banyan/modules/kernel/sqldb"
)

// Route names the fences of flights.
const Route = "flights"

// Options of Open.
type Options struct {
	// Empty makes a fresh store own nothing: flights are handed over to it.
	Empty bool
}

// Store is the context's database, with small caches of what hardly changes.
type Store struct {
	db       *sqldb.DB
	options  Options
	airports *cache[flights.Airport]
	configs  *cache[Configuration]
	maps     *cache[json.RawMessage] // by configuration

	opening sync.Mutex             // held while the store is made or its fences are read
	served  atomic.Pointer[Served] // nil until the store was opened
	side    atomic.Pointer[string] // Home or Away
	filling sync.Mutex             // held while buckets are filled in
	filled  atomic.Bool
}

// New makes a store over a migrated database, which is opened when it is first used.
func New(db *sqldb.DB, o Options) *Store {
	return &Store{
		db: db, options: o,
		airports: newCache[flights.Airport](maxRows), configs: newCache[Configuration](maxRows), maps: newCache[json.RawMessage](maxMaps),
	}
}

// DB is the database, for readiness checks.
func (s *Store) DB() *sqldb.DB { return s.db }

// do runs a transaction. On SQLite the statements do not follow the caller's context:
// an interrupted one would roll back everyone who shares the commit.
func (s *Store) do(ctx context.Context, fn func(context.Context, *sqldb.Tx) error) error {
	if _, err := s.serving(ctx); err != nil {
		return err
	}
	inner := ctx
	if s.db.Dialect() == sqldb.SQLite {
		inner = context.WithoutCancel(ctx)
	}
	return s.db.Do(ctx, func(tx *sqldb.Tx) error { return fn(inner, tx) })
}
