// Package weights keeps what operators set at run time in the router's SQL schema: the
// weights of each route and an audit log, changed together in one transaction. Every
// replica reads the same rows.
package weights

import (
	"context"
	"database/sql"
	"encoding/json"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/canary"
)

// The bounds of what people write, in bytes.
const (
	MaxReason = 512
	MaxActor  = 128
	maxID     = 64
)

// Weights of a route by backend; backends that are absent have none.
type Weights map[string]canary.Weight

// Row is what was set for a route.
type Row struct {
	Route       string
	Weights     Weights
	Fingerprint string // of the file's route that it was set for
	Version     int64  // rises with every change, from 1
	Retired     bool   // the file's route has changed since: never in force again
	Paused      bool   // no moves of data are begun, whatever the weights ask for
	Actor       string
	Reason      string
	ChangedAt   int64 // microseconds since 1970, store's clock
}

// Change is what someone wants to be so.
type Change struct {
	Route       string
	Action      string // set, flip, rollback, pause, resume, rescue or retire; Log: pin, unpin, abort and others; Note: playbook …
	From, To    Weights
	Fingerprint string
	IfVersion   int64 // of the row that was seen; 0 when there was none
	Retire      bool
	Pause       bool
	Actor       string
	Reason      string
	RequestID   string
}

// Entry is a line of the audit log.
type Entry struct {
	Seq       int64   `json:"seq"`
	ChangedAt int64   `json:"-"`
	Actor     string  `json:"actor"`
	Action    string  `json:"action"`
	Route     string  `json:"route"`
	From      Weights `json:"from"`
	To        Weights `json:"to"`
	Reason    string  `json:"reason"`
	RequestID string  `json:"request_id"`
}

// Store is the router's schema. Errors of the database are errs.Unavailable.
type Store struct {
	db *sqldb.DB
}

// New makes a Store on a migrated database (package banyan/migrations/proxy).
func New(db *sqldb.DB) *Store { return &Store{db} }

// Ping asks the database for a sign of life.
func (s *Store) Ping(ctx context.Context) error { return s.db.Ping(ctx) }

// Changes gives a number that rises with every change.
func (s *Store) Changes(ctx context.Context) (int64, error) {
	var n int64
	err := s.db.Reader().GetContext(ctx, &n, "SELECT value FROM meta WHERE name='changes'")
	return n, sqldb.Fail(err)
}

// All gives every route's row, retired ones too.
func (s *Store) All(ctx context.Context) (map[string]Row, error) {
	all := map[string]Row{}
	return all, sqldb.Each(ctx, s.db.Reader(), sqldb.Q(func(rows *sql.Rows) error {
		r, err := scanRow(rows)
		all[r.Route] = r
		return err
	}, "SELECT route, weights, fingerprint, version, retired, paused, actor, reason, changed_at FROM route_weights"))
}

func scanRow(rows *sql.Rows) (Row, error) {
	var r Row
	var text string
	err := rows.Scan(&r.Route, &text, &r.Fingerprint, &r.Version, &r.Retired, &r.Paused, &r.Actor, &r.Reason, &r.ChangedAt)
	if err == nil {
		err = json.Unmarshal([]byte(text), &r.Weights)
	}
	return r, err
}

// Set makes a change and its line in the audit log, if the route's row is still the one
// that was seen. errs: PreconditionFailed when it is not, with "version", the row's now.
func (s *Store) Set(ctx context.Context, c Change) error {
	return s.change(ctx, c, true)
}

// Log writes a line in the audit log about what is kept elsewhere; the route's row stays
// as it is. errs: those of Set.
func (s *Store) Log(ctx context.Context, c Change) error {
	return s.change(ctx, c, false)
}

func (s *Store) change(ctx context.Context, c Change, row bool) error {
	to := encode(c.To)
	now := s.db.Dialect().NowMicros()
	outer := ctx
	if s.db.Dialect() == sqldb.SQLite { // an interrupted statement would take others' with it
		ctx = context.WithoutCancel(ctx)
	}
	return s.db.Do(outer, func(tx *sqldb.Tx) error {
		var seq, version int64
		err := tx.Run(ctx, // the counter's row lock makes changes take turns
			sqldb.S("UPDATE meta SET value=value+1 WHERE name='changes'"),
			sqldb.Q(func(r *sql.Rows) error { return r.Scan(&seq) }, "SELECT value FROM meta WHERE name='changes'"),
			sqldb.Q(func(r *sql.Rows) error { return r.Scan(&version) }, "SELECT version FROM route_weights WHERE route=?", c.Route),
		)
		if err != nil {
			return err
		}
		if version != c.IfVersion {
			return errs.E(errs.PreconditionFailed, "route %s was changed meanwhile; look at it again before changing it", c.Route).With("version", version)
		}
		last := []sqldb.Stmt{s.line(seq, c)}
		if row {
			last = append(last, sqldb.S("INSERT INTO route_weights (route, weights, fingerprint, version, retired, paused, actor, reason, changed_at) VALUES (?,?,?,?,?,?,?,?,"+now+")"+
				s.db.Dialect().Upsert("route", "weights", "fingerprint", "version", "retired", "paused", "actor", "reason", "changed_at"),
				c.Route, to, c.Fingerprint, version+1, boolean(c.Retire), boolean(c.Pause), cut(c.Actor, MaxActor), cut(c.Reason, MaxReason)))
		}
		tx.Finally(last...)
		return nil
	})
}

// Note writes a line in the audit log in a transaction that changes something else in the
// same schema, after what the transaction reads. Such a line may name no route.
func (s *Store) Note(ctx context.Context, tx *sqldb.Tx, c Change) error {
	var seq int64
	err := tx.Run(ctx, sqldb.S("UPDATE meta SET value=value+1 WHERE name='changes'"),
		sqldb.Q(func(r *sql.Rows) error { return r.Scan(&seq) }, "SELECT value FROM meta WHERE name='changes'"))
	if err == nil {
		tx.Finally(s.line(seq, c))
	}
	return err
}

// line is a line of the audit log.
func (s *Store) line(seq int64, c Change) sqldb.Stmt {
	return sqldb.S("INSERT INTO audit (seq, changed_at, actor, action, route, from_weights, to_weights, reason, request_id) VALUES (?,"+s.db.Dialect().NowMicros()+",?,?,?,?,?,?,?)",
		seq, cut(c.Actor, MaxActor), c.Action, c.Route, encode(c.From), encode(c.To), cut(c.Reason, MaxReason), cut(c.RequestID, maxID))
}

// Audit gives at most limit lines older than before, newest first; before 0 starts at
// the newest, and an empty route means every route.
func (s *Store) Audit(ctx context.Context, route string, before int64, limit int) ([]Entry, error) {
	query := "SELECT seq, changed_at, actor, action, route, from_weights, to_weights, reason, request_id FROM audit WHERE (?=0 OR seq<?)"
	args := []any{before, before}
	if route != "" {
		query += " AND route=?"
		args = append(args, route)
	}
	list := []Entry{}
	err := sqldb.Each(ctx, s.db.Reader(), sqldb.Q(func(rows *sql.Rows) error {
		var e Entry
		var from, to string
		if err := rows.Scan(&e.Seq, &e.ChangedAt, &e.Actor, &e.Action, &e.Route, &from, &to, &e.Reason, &e.RequestID); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(from), &e.From); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(to), &e.To); err != nil {
			return err
		}
		list = append(list, e)
		return nil
	}, query+" ORDER BY seq DESC LIMIT ?", append(args, limit)...))
	return list, err
}

func encode(w Weights) string {
	if w == nil {
		w = Weights{}
	}
	body, err := json.Marshal(w)
	if err != nil {
		panic("weights: weights that cannot be marshalled: " + err.Error())
	}
	return string(body)
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// cut shortens text to n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
