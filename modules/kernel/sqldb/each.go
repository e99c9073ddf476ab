package sqldb

import (
	"context"
	"database/sql"
)

// Querier is a database, a pool, a connection or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Each runs a query and calls its Rows for every row of the answer. Errors are as Fail's.
func Each(ctx context.Context, from Querier, q Stmt) error {
	rows, err := from.QueryContext(ctx, q.SQL, q.Args...)
	if err != nil {
		return Fail(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := q.Rows(rows); err != nil {
			return Fail(err)
		}
	}
	return Fail(rows.Err())
}
