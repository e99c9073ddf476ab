package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// MigrationLockSeconds bounds how long a replica waits for another one's migration.
const MigrationLockSeconds = 60

// Migrator brings a context's schema up and down. Replicas may run it at once: on
// MySQL they take turns by a lock on the server, on SQLite the data directory has one
// owner.
type Migrator struct {
	db       *DB
	provider *goose.Provider
}

// NewMigrator reads the goose files at the root of dir. Those that end with .sqlite.sql are
// for SQLite only.
func NewMigrator(db *DB, dir fs.FS) (*Migrator, error) {
	dialect, others := goose.DialectSQLite3, []string(nil)
	if db.Dialect() == MySQL {
		var err error
		if others, err = fs.Glob(dir, "*.sqlite.sql"); err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
		dialect = goose.DialectMySQL
	}
	p, err := goose.NewProvider(dialect, db.Writer().DB, dir, goose.WithDisableGlobalRegistry(true), goose.WithExcludeNames(others))
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return &Migrator{db: db, provider: p}, nil
}

// Up applies what is missing and says how many files that was.
func (m *Migrator) Up(ctx context.Context) (int, error) {
	var n int
	err := m.locked(ctx, func() error {
		done, err := m.provider.Up(ctx)
		n = len(done)
		return err
	})
	return n, err
}

// Down takes back the last migration that was applied, and tells its name; "" when
// there was none.
func (m *Migrator) Down(ctx context.Context) (string, error) {
	var name string
	err := m.locked(ctx, func() error {
		done, err := m.provider.Down(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil
		}
		if done != nil && done.Source != nil {
			name = done.Source.Path
		}
		return err
	})
	return name, err
}

// Migration is a line of Status.
type Migration struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

// Status lists the context's migrations, oldest first.
func (m *Migrator) Status(ctx context.Context) ([]Migration, error) {
	rows, err := m.provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	list := make([]Migration, len(rows))
	for i, r := range rows {
		list[i] = Migration{Version: r.Source.Version, Name: r.Source.Path, Applied: r.State == goose.StateApplied}
	}
	return list, nil
}

// locked runs fn while no other process migrates the same schema.
func (m *Migrator) locked(ctx context.Context, fn func() error) error {
	if m.db.Dialect() != MySQL {
		return fn()
	}
	conn, err := m.db.Writer().DB.Conn(ctx)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	defer func() { _ = conn.Close() }()
	const name = "CONCAT('banyan:', DATABASE())"
	var got sql.NullInt64
	row := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+name+", ?)", MigrationLockSeconds)
	if err := row.Scan(&got); err != nil {
		return fmt.Errorf("migrations: lock: %w", err)
	}
	if got.Int64 != 1 {
		return fmt.Errorf("migrations: another process has held the lock for %d s; look for a migration that hangs", MigrationLockSeconds)
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT RELEASE_LOCK("+name+")") }()
	return fn()
}
