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
	c.mu.RLock()
	s, full := c.stmts[query], len(c.stmts) >= maxCached
	c.mu.RUnlock()
	if s != nil {
		return s.QueryContext(ctx, args...)
	}
	if full {
		return c.pool.QueryContext(ctx, query, args...)
	}
	s, err := c.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if other := c.stmts[query]; other != nil {
		_ = s.Close()
		s = other
	}
	c.stmts[query] = s
	c.mu.Unlock()
	return s.QueryContext(ctx, args...)
}
