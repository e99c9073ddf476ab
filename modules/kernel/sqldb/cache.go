package sqldb

import (
	"context"
	"database/sql"
	"sync"

	"github.com/jmoiron/sqlx"
)

// maxCached bounds the statements kept prepared; texts beyond it, such as long IN
// lists, are prepared for one use.
const maxCached = 256

// stmtCache keeps the writer's statements prepared; only the writer uses it.
type stmtCache struct{ stmts map[string]*sql.Stmt }

func newStmtCache() *stmtCache { return &stmtCache{stmts: map[string]*sql.Stmt{}} }

// get gives the statement and what to call after its use.
func (c *stmtCache) get(ctx context.Context, conn *sql.Conn, query string) (*sql.Stmt, func(), error) {
	if s, ok := c.stmts[query]; ok {
		return s, func() {}, nil
	}
	s, err := conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	if len(c.stmts) >= maxCached {
		return s, func() { _ = s.Close() }, nil
	}
	c.stmts[query] = s
	return s, func() {}, nil
}

func (c *stmtCache) close() {
	for _, s := range c.stmts {
		_ = s.Close()
	}
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
