package outbox

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// AppendForeign stores events that came from elsewhere under ids of their sender's, all
// or none. An event that is there already with the same data, as JSON, is no error.
// errs: Conflict (the same id with other data, there or among the events).
func AppendForeign(ctx context.Context, tx *sqldb.Tx, stream string, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	known, err := stored(ctx, tx, stream, events)
	if err != nil {
		return err
	}
	var fresh []Event
	for _, e := range events {
		data := canonical(e.Data)
		there, ok := known[e.ID]
		switch {
		case ok && !bytes.Equal(there, data):
			return errs.E(errs.Conflict, "an event %s with other data is there already", e.ID).With("eventId", e.ID)
		case !ok:
			known[e.ID] = data
			fresh = append(fresh, e)
		}
	}
	return Append(ctx, tx, stream, nil, fresh...)
}

// stored locks the counter and gives the data of those events that are there.
func stored(ctx context.Context, tx *sqldb.Tx, stream string, events []Event) (map[string][]byte, error) {
	known := map[string][]byte{}
	args := []any{stream}
	for _, e := range events {
		args = append(args, e.ID)
	}
	err := tx.Run(ctx, Lock(), sqldb.Q(func(r *sql.Rows) error {
		var id string
		var data []byte
		err := r.Scan(&id, &data)
		known[id] = canonical(data)
		return err
	}, "SELECT event_id, data FROM outbox WHERE stream=? AND event_id IN "+sqldb.Marks(1, len(events)), args...))
	return known, err
}

// canonical gives JSON without white space and with sorted names; numbers stay as they
// are written.
func canonical(data []byte) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return data
	}
	out, err := json.Marshal(v)
	if err != nil {
		return data
	}
	return out
}
