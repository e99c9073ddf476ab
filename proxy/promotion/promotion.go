// Package promotion is the journal of promotions: how far each route has climbed the
// steps of its analysis, what was found last, and which replica drives it. It lives in
// the router's schema, so that a restart or another replica goes on.
package promotion

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/analysis"
	"banyan/proxy/canary"
)

// State is how a promotion stands.
type State string

// The states; only Running and Paused ones go on.
const (
	Running  State = "running"
	Paused   State = "paused"
	Promoted State = "promoted" // the last step passed
	Failed   State = "failed"   // a metric failed, or was undecided for too long
	Stopped  State = "stopped"  // somebody changed the weights, or the file's route
)

// Ended tells whether nothing more will happen.
func (s State) Ended() bool { return s != Running && s != Paused }

// Row is the promotion of a route: the one that goes on, or the last one.
type Row struct {
	Route       string
	Version     int64 // rises with every Save
	State       State
	Backend     string        // that is promoted
	Fingerprint string        // of the file's route that it was begun for
	Weight      canary.Weight // that the backend should have now
	Step        int           // of the analysis, from 0
	Windows     int           // times that the step's samples were begun
	Seen        int64         // version of the route's weights that the promotion knows of
	Looks       int           // at this step
	Findings    []analysis.Finding
	Reference   *analysis.Sample // the home's requests of the step before, nil for none
	Sentence    string           // what happened last, and why
	Actor       string           // who asked for it
	Reason      string           // and why
	StartedAt   int64            // microseconds since 1970, database's clock, as all times
	StepAt      int64
	ChangedAt   int64
	Holder      string // the replica that drives it, or did
}

// The bounds of texts, in bytes.
const (
	maxSentence = 1024
	maxReason   = 512
	maxActor    = 128
)

// GoesOn refuses a second promotion of a route.
func GoesOn(route string, s State) error {
	return errs.E(errs.PreconditionFailed, "route %s is being promoted already (%s): see banyan routes get %s, or end it with banyan routes rollback %s", route, s, route, route)
}

// Store is the table. Errors of the database are errs.Unavailable.
type Store struct{ db *sqldb.DB }

// New makes a Store on a migrated database (package banyan/migrations/proxy).
func New(db *sqldb.DB) *Store { return &Store{db} }

const columns = "route, version, state, backend, fingerprint, weight, step, windows, seen, looks, findings, reference," +
	" sentence, actor, reason, started_at, step_at, changed_at, holder"

// All gives every route's promotion, those that ended as well.
func (s *Store) All(ctx context.Context) (map[string]Row, error) {
	all := map[string]Row{}
	return all, sqldb.Each(ctx, s.db.Reader(), sqldb.Q(func(rows *sql.Rows) error {
		r, err := scan(rows)
		all[r.Route] = r
		return err
	}, "SELECT "+columns+" FROM promotions"))
}

func scan(rows *sql.Rows) (Row, error) {
	var r Row
	var findings, reference string
	err := rows.Scan(&r.Route, &r.Version, &r.State, &r.Backend, &r.Fingerprint, &r.Weight, &r.Step, &r.Windows, &r.Seen, &r.Looks,
		&findings, &reference, &r.Sentence, &r.Actor, &r.Reason, &r.StartedAt, &r.StepAt, &r.ChangedAt, &r.Holder)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(findings), &r.Findings); err != nil {
		return r, err
	}
	if reference != "null" {
		r.Reference = &analysis.Sample{}
		if json.Unmarshal([]byte(reference), r.Reference) != nil {
			r.Reference = nil // another version of this program counted otherwise
		}
	}
	return r, nil
}

// Begin writes a new promotion over the route's last one, of which seen is the version,
// 0 for none. errs: PreconditionFailed when one goes on, or another was faster.
func (s *Store) Begin(ctx context.Context, r Row) error {
	now := s.db.Dialect().NowMicros()
	return s.db.Do(ctx, func(tx *sqldb.Tx) error {
		has, state := int64(0), Stopped
		err := tx.Run(ctx, sqldb.S("UPDATE promotions SET version=version WHERE route=?", r.Route), // keeps others waiting
			sqldb.Q(func(rows *sql.Rows) error { return rows.Scan(&has, &state) }, "SELECT version, state FROM promotions WHERE route=?", r.Route))
		if err != nil {
			return err
		}
		if !state.Ended() {
			return GoesOn(r.Route, state)
		}
		tx.Finally(
			sqldb.S("DELETE FROM promotions WHERE route=?", r.Route),
			sqldb.S("INSERT INTO promotions ("+columns+", lease_until) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"+now+","+now+","+now+",?,0)",
				r.Route, has+1, string(Running), r.Backend, r.Fingerprint, int(r.Weight), r.Step, 0, r.Seen, 0, "[]", "null",
				cut(r.Sentence, maxSentence), cut(r.Actor, maxActor), cut(r.Reason, maxReason), ""))
		return nil
	})
}

// Save writes a row that was read, if it is still the one that was read, and gives it as
// it is now. next says that its step has just begun. errs: PreconditionFailed.
func (s *Store) Save(ctx context.Context, r Row, next bool) (Row, error) {
	now := s.db.Dialect().NowMicros()
	stepAt := "step_at"
	if next {
		stepAt = now
	}
	if r.Findings == nil {
		r.Findings = []analysis.Finding{}
	}
	findings, err := json.Marshal(r.Findings)
	if err != nil {
		return r, errs.E(errs.Internal, "the findings cannot be written").Because(err)
	}
	reference, err := json.Marshal(r.Reference)
	if err != nil {
		return r, errs.E(errs.Internal, "the reference cannot be written").Because(err)
	}
	err = s.db.Do(ctx, func(tx *sqldb.Tx) error {
		changed := int64(0)
		update := sqldb.S("UPDATE promotions SET version=version+1, state=?, weight=?, step=?, windows=?, seen=?, looks=?, findings=?, reference=?,"+
			" sentence=?, step_at="+stepAt+", changed_at="+now+" WHERE route=? AND version=?",
			string(r.State), int(r.Weight), r.Step, r.Windows, r.Seen, r.Looks, string(findings), string(reference),
			cut(r.Sentence, maxSentence), r.Route, r.Version)
		update.Affected = &changed
		if err := tx.Run(ctx, update); err != nil {
			return err
		}
		if changed != 1 {
			return errs.E(errs.PreconditionFailed, "the promotion of route %s was changed meanwhile", r.Route)
		}
		return nil
	})
	r.Version++
	return r, err
}

// Lease makes a replica the one that drives a route's promotion, for so long, unless
// another one is; false then.
func (s *Store) Lease(ctx context.Context, route, holder string, lasts time.Duration) (bool, error) {
	now, held := s.db.Dialect().NowMicros(), int64(0)
	err := s.db.Do(ctx, func(tx *sqldb.Tx) error {
		update := sqldb.S("UPDATE promotions SET holder=?, lease_until="+now+"+? WHERE route=? AND (holder=? OR lease_until<"+now+")",
			holder, lasts.Microseconds(), route, holder)
		update.Affected = &held
		return tx.Run(ctx, update)
	})
	return held == 1, err
}

// Release ends all leases of a replica.
func (s *Store) Release(ctx context.Context, holder string) error {
	return s.db.Do(ctx, func(tx *sqldb.Tx) error {
		return tx.Run(ctx, sqldb.S("UPDATE promotions SET lease_until=0 WHERE holder=?", holder))
	})
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
