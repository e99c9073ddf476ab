// Package sqldb opens a context's database, SQLite or MySQL/MariaDB, and runs its
// transactions. A transaction is written once for both: statements go out in
// batches, which MySQL gets in one round trip, and SQLite's writers share commits.
package sqldb

import (
	"context"
	"database/sql"
	"time"

	"github.com/jmoiron/sqlx"

	"banyan/modules/kernel/errs"
)

// DB is the database of one context.
type DB struct {
	dialect Dialect
	read    *sqlx.DB
	write   *sqlx.DB
	group   *grouper // SQLite only
	queries *queryCache
}

// Dialect tells which SQL the database speaks.
func (d *DB) Dialect() Dialect { return d.dialect }

// Reader is the pool for queries outside a transaction; SQLite refuses writes on it.
func (d *DB) Reader() *sqlx.DB { return d.read }

// QueryContext runs a query on the reader, for texts that come again and again: SQLite
// keeps them prepared. A limit is better written into the text, for SQLite prepares a
// statement anew when one is bound.
func (d *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if d.queries != nil {
		return d.queries.query(ctx, query, args)
	}
	return d.read.QueryContext(ctx, query, args...)
}

// Writer is the pool for set-up work such as migrations. Use Do for everything else.
func (d *DB) Writer() *sqlx.DB { return d.write }

// Close ends the writer and both pools; transactions under way finish first.
func (d *DB) Close() error {
	if d.group != nil {
		d.group.close()
	}
	if d.read != d.write {
		_ = d.read.Close()
	}
	return d.write.Close()
}

// Ping asks the server for a sign of life.
func (d *DB) Ping(ctx context.Context) error { return Fail(d.read.PingContext(ctx)) }

// maxAttempts bounds how often a transaction that lost a deadlock runs again.
const maxAttempts = 5

// Do runs fn in one transaction and commits it, durably, if fn returns nil. fn must
// not keep anything between runs: after a deadlock it runs again on fresh reads.
// Errors of the database come back as errs.Unavailable; those of fn as they are.
func (d *DB) Do(ctx context.Context, fn func(*Tx) error) error {
	if d.group != nil {
		return Fail(d.group.do(ctx, fn))
	}
	for attempt := 1; ; attempt++ {
		err := d.transact(ctx, fn)
		if ClassOf(err) != Deadlock || attempt == maxAttempts {
			return Fail(err)
		}
		select {
		case <-ctx.Done():
			return errs.E(errs.Unavailable, "the database was busy for too long").Because(ctx.Err())
		case <-time.After(time.Duration(attempt) * 2 * time.Millisecond):
		}
	}
}

// transact is one attempt on MySQL, on a connection of its own.
func (d *DB) transact(ctx context.Context, fn func(*Tx) error) error {
	conn, err := d.write.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	tx := &Tx{conn: conn, oneTrip: true, opening: "START TRANSACTION"}
	if err := protect(func() error { return fn(tx) }); err != nil {
		tx.rollback() //nolint:contextcheck // also when the caller's has ended
		return err
	}
	if err := tx.commit(ctx); err != nil {
		tx.rollback() //nolint:contextcheck // also when the caller's has ended
		return err
	}
	return nil
}
