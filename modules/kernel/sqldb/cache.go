package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"

	"github.com/jmoiron/sqlx"
)

// maxCached bounds the statements kept prepared; texts beyond it, such as long IN
// lists, are prepared for one use.
const maxCached = 256

// stmtCache keeps the writer's statements prepared; only the writer uses it. Statements
// without an answer go to the driver itself, past the locks and conversions of
// database/sql: on the one writer everybody waits.
type stmtCache struct {
	queries map[string]*sql.Stmt
	execs   map[string]driver.Stmt
	values  []driver.NamedValue // of the statement under way
}

func newStmtCache() *stmtCache {
	return &stmtCache{queries: map[string]*sql.Stmt{}, execs: map[string]driver.Stmt{}}
}

// query gives the statement and what to call after its use.
func (c *stmtCache) query(ctx context.Context, conn *sql.Conn, query string) (*sql.Stmt, func(), error) {
	s, ok := c.queries[query]
	if ok {
		return s, func() {}, nil
	}
	s, err := conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	if len(c.queries) >= maxCached {
		return s, func() { _ = s.Close() }, nil
	}
	c.queries[query] = s
	return s, func() {}, nil
}

// exec runs a statement without an answer and gives the number of rows it changed.
func (c *stmtCache) exec(ctx context.Context, conn *sql.Conn, s Stmt) (affected int64, err error) {
	if c.values, err = values(s.Args, c.values); err != nil {
		return 0, err
	}
	defer clear(c.values) // they are not to be kept alive
	err = conn.Raw(func(raw any) error {
		prepared, ok := c.execs[s.SQL]
		if !ok {
			var err error
			if prepared, err = raw.(driver.ConnPrepareContext).PrepareContext(ctx, s.SQL); err != nil {
				return err
			}
			if len(c.execs) < maxCached {
				c.execs[s.SQL] = prepared
			} else {
				defer func() { _ = prepared.Close() }()
			}
		}
		result, err := prepared.(driver.StmtExecContext).ExecContext(ctx, c.values)
		if err == nil {
			affected, err = result.RowsAffected()
		}
		return err
	})
	return affected, err
}

// close must be called before the connection is closed.
func (c *stmtCache) close(conn *sql.Conn) {
	for _, s := range c.queries {
		_ = s.Close()
	}
	_ = conn.Raw(func(any) error {
		for _, s := range c.execs {
			_ = s.Close()
		}
		return nil
	})
}

// queryCache keeps the readers' statements prepared: to parse a join costs SQLite more
// than to run it.
type queryCache struct {
	pool  *sqlx.DB
	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

func newQueryCache(pool *sqlx.DB) *queryCache {
	return &queryCache{pool: pool, stmts: map[string]*sql.Stmt{}}
}

func (c *queryCache) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	s, err := c.prepared(ctx, query) //nolint:sqlclosecheck // the cache keeps it
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.pool.QueryContext(ctx, query, args...)
	}
	return s.QueryContext(ctx, args...)
}

// prepared gives nil when there is no room for another statement.
func (c *queryCache) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	c.mu.RLock()
	s := c.stmts[query]
	c.mu.RUnlock()
	if s != nil {
		return s, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.stmts[query]; s != nil || len(c.stmts) >= maxCached {
		return s, nil
	}
	s, err := c.pool.PrepareContext(ctx, query) //nolint:sqlclosecheck // it is kept until the pool closes
	if err == nil {
		c.stmts[query] = s
	}
	return s, err
}
