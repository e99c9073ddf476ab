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
// than to run it. When it is full it starts afresh.
type queryCache struct {
	pool  *sqlx.DB
	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

func newQueryCache(pool *sqlx.DB) *queryCache {
	return &queryCache{pool: pool, stmts: map[string]*sql.Stmt{}}
}

func (c *queryCache) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if rows, known, err := c.known(ctx, query, args); known {
		return rows, err
	}
	if err := c.prepare(ctx, query); err != nil {
		return nil, err
	}
	if rows, known, err := c.known(ctx, query, args); known {
		return rows, err
	}
	return c.pool.QueryContext(ctx, query, args...) // forgotten again meanwhile
}

// known runs a query whose statement is there, which stays so until the query runs: rows
// that are still read keep it open by themselves.
func (c *queryCache) known(ctx context.Context, query string, args []any) (rows *sql.Rows, known bool, err error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s := c.stmts[query]
	if s == nil {
		return nil, false, nil
	}
	rows, err = s.QueryContext(ctx, args...) //nolint:sqlclosecheck // the caller reads them
	return rows, true, err
}

func (c *queryCache) prepare(ctx context.Context, query string) error {
	s, err := c.pool.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stmts[query] != nil {
		return s.Close() //nolint:sqlclosecheck // somebody else was quicker
	}
	if len(c.stmts) >= maxCached {
		for _, s := range c.stmts {
			_ = s.Close()
		}
		clear(c.stmts)
	}
	c.stmts[query] = s
	return nil
}
