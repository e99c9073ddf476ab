package sqldb

import (
	"context"
	"database/sql"
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
