package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"
	_ "modernc.org/sqlite" // the embedded database's driver

	"banyan/modules/kernel/sqldb/internal/engine"
)

const (
	maxReaders  = 8  // SQLite connections for queries
	maxSessions = 64 // MySQL connections of one process and context
)

// OpenSQLite opens, and creates if need be, the database in file path: write-ahead
// log, every commit synced to disk, one writer, readers that cannot write.
func OpenSQLite(ctx context.Context, path string) (*DB, error) {
	if err := engine.Install(); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	write, err := sqlx.Open("sqlite", sqliteDSN(path, "_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	conn, err := write.Conn(ctx)
	if err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	read, err := sqlx.Open("sqlite", sqliteDSN(path, "mode=ro&_pragma=query_only(1)"))
	if err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	read.SetMaxOpenConns(maxReaders)
	read.SetMaxIdleConns(maxReaders)
	return &DB{dialect: SQLite, read: read, write: write, group: newGrouper(conn), queries: newQueryCache(read)}, nil //nolint:contextcheck // the writer outlives the opening
}

func sqliteDSN(path, more string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + more +
		"&vfs=" + engine.VFS +
		"&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" +
		// Checkpoints at 64 MiB of log rather than 4, for a page that was written often is
		// then copied once; 32 MiB of pages in memory at most, and no temporary files for
		// what can be rolled back.
		"&_pragma=wal_autocheckpoint(16000)&_pragma=cache_size(-32768)&_pragma=temp_store(MEMORY)"
}

// OpenMySQL opens a pool to the MySQL or MariaDB schema that the DSN names, in the
// driver's form user:password@tcp(host:port)/schema. Sessions are UTC, strict and
// read committed, whatever the server's defaults are.
func OpenMySQL(ctx context.Context, dsn string) (*DB, error) {
	cfg, err := ParseMySQL(dsn)
	if err != nil {
		return nil, err
	}
	base, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("mysql: %w", err)
	}
	pool := sqlx.NewDb(sql.OpenDB(&readCommitted{base}), "mysql")
	pool.SetMaxOpenConns(maxSessions)
	pool.SetMaxIdleConns(maxSessions / 2)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("mysql at %s, schema %s: %w", cfg.Addr, cfg.DBName, err)
	}
	return &DB{dialect: MySQL, read: pool, write: pool}, nil
}

// ParseMySQL reads a DSN and adds what every session of ours needs.
func ParseMySQL(dsn string) (*mysql.Config, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("mysql DSN (user:password@tcp(host:port)/schema): %w", err)
	}
	cfg.InterpolateParams = true // a batch is one text
	cfg.MultiStatements = true
	cfg.ClientFoundRows = true
	cfg.ParseTime = true      // goose's own table has a timestamp
	cfg.RejectReadOnly = true // a primary that was demoted: reconnect
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.ReadTimeout == 0 {
		cfg.ReadTimeout = 2 * time.Minute
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = 2 * time.Minute
	}
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	cfg.Params["time_zone"] = "'+00:00'"
	cfg.Params["sql_mode"] = "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'"
	cfg.Params["innodb_lock_wait_timeout"] = "5"
	return cfg, nil
}

// readCommitted sets the isolation of every new session: after a row lock is had,
// plain reads must see what was committed before it.
type readCommitted struct{ driver.Connector }

func (c *readCommitted) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	const isolation = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, isolation, nil); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}
