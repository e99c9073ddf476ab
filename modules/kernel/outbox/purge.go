package outbox

import (
	"context"
	"database/sql"

	"banyan/modules/kernel/sqldb"
)

// NextStream gives the first stream behind another one in the order of their names, ""
// being before all; "" when there is none.
func NextStream(ctx context.Context, db *sqldb.DB, after string) (string, error) {
	var next sql.NullString
	err := db.Reader().QueryRowContext(ctx, "SELECT MIN(stream) FROM outbox WHERE stream>?", after).Scan(&next)
	return next.String, sqldb.Fail(err)
}

// Purge deletes a stream's oldest events that were stored before a time, in microseconds
// since 1970, and says how many they were: limit at most. An event stays as long as the
// next one is younger than that, and so does the last of all: a reader whose cursor is
// deleted has left an event unread that is as old.
func Purge(ctx context.Context, db *sqldb.DB, stream string, before int64, limit int) (int, error) {
	rows, err := db.Reader().QueryContext(ctx, "SELECT seq, created_at FROM outbox WHERE stream=? ORDER BY seq LIMIT ?", stream, limit+1)
	if err != nil {
		return 0, sqldb.Fail(err)
	}
	defer func() { _ = rows.Close() }()
	var last, previous int64 // last of those to go, and the one before that which is read
	gone := -1
	for rows.Next() {
		var seq, at int64
		if err := rows.Scan(&seq, &at); err != nil {
			return 0, sqldb.Fail(err)
		}
		if at >= before {
			break
		}
		last, previous = previous, seq
		gone++
	}
	if err := rows.Err(); err != nil || gone <= 0 {
		return 0, sqldb.Fail(err)
	}
	_ = rows.Close() // before the writer is asked
	return gone, db.Do(ctx, func(tx *sqldb.Tx) error {
		tx.Finally(sqldb.S("DELETE FROM outbox WHERE stream=? AND seq<=?", stream, last))
		return nil
	})
}
