// Package outbox keeps a context's events in the transaction of the change they tell
// of. A number seq is allocated under the lock of one counter row that is held until
// the commit, so the order of seq is the order of commits: who has read up to n never
// finds a new event at or below n. Events are read, not sent; each consumer keeps its
// own cursor.
//
// The tables are the context's: outbox_counter (id, seq) with the row id 1, and outbox
// (seq, stream, event_id, type, created_at, data) with (stream, event_id) unique.
package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"banyan/modules/kernel/sqldb"
)

// Event is one event of a stream. Seq is 0 until it is stored; ID is unique in its
// stream; At is the time of storing.
type Event struct {
	Seq  int64
	ID   string
	Type string
	At   time.Time
	Data json.RawMessage
}

// Lock is a statement that takes the counter's lock, to be the first of a transaction
// that will append: what it reads behind it no other appender changes meanwhile.
func Lock() sqldb.Stmt {
	return sqldb.S("UPDATE outbox_counter SET seq=seq WHERE id=1")
}

// Append adds events to a stream; they are there once tx commits. An event without an
// ID gets idOf(seq). Call it late: other writers of the context wait from here on.
func Append(ctx context.Context, tx *sqldb.Tx, stream string, idOf func(int64) string, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	var last int64
	err := tx.Run(ctx,
		sqldb.S("UPDATE outbox_counter SET seq=seq+? WHERE id=1", len(events)),
		sqldb.Q(func(r *sql.Rows) error { return r.Scan(&last) }, "SELECT seq FROM outbox_counter WHERE id=1"))
	if err != nil {
		return err
	}
	now := time.Now().UnixMicro()
	for i, e := range events {
		seq := last - int64(len(events)-1-i)
		if e.ID == "" {
			e.ID = idOf(seq)
		}
		tx.Finally(sqldb.S("INSERT INTO outbox (seq, stream, event_id, type, created_at, data) VALUES (?,?,?,?,?,?)",
			seq, stream, e.ID, e.Type, now, string(e.Data)))
	}
	return nil
}

const columns = "SELECT seq, event_id, type, created_at, data FROM outbox"

// Read gives at most limit events of a stream after since, oldest first. A type other
// than "" gives events of that type only.
func Read(ctx context.Context, db *sqldb.DB, stream, eventType string, since int64, limit int) ([]Event, error) {
	query, args := columns+" WHERE stream=? AND seq>?", []any{stream, since}
	if eventType != "" {
		query, args = query+" AND type=?", append(args, eventType)
	}
	var list []Event
	err := sqldb.Each(ctx, db.Reader(), sqldb.Q(func(rows *sql.Rows) error {
		e, err := scan(rows)
		list = append(list, e)
		return err
	}, query+" ORDER BY seq LIMIT ?", append(args, limit)...))
	return list, err
}

// Seq finds the seq of an event; ok is false when the stream has none of that id.
func Seq(ctx context.Context, db *sqldb.DB, stream, id string) (seq int64, ok bool, err error) {
	row := db.Reader().QueryRowContext(ctx, "SELECT seq FROM outbox WHERE stream=? AND event_id=?", stream, id)
	switch err := row.Scan(&seq); err {
	case nil:
		return seq, true, nil
	case sql.ErrNoRows:
		return 0, false, nil
	default:
		return 0, false, sqldb.Fail(err)
	}
}

func scan(rows *sql.Rows) (Event, error) {
	var e Event
	var at int64
	var data []byte
	if err := rows.Scan(&e.Seq, &e.ID, &e.Type, &at, &data); err != nil {
		return e, err
	}
	e.At, e.Data = time.UnixMicro(at).UTC(), json.RawMessage(data)
	return e, nil
}
