package playbook

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/weights"
)

// Bounds of what is kept, in bytes.
const (
	MaxOutput    = 4 << 10 // of a block
	MaxVariables = 16 << 10
	maxDetail    = 1024
	maxText      = 256
	maxName      = 128
	maxReason    = 512
)

// Store is the journal in the router's SQL schema; every replica reads the same rows.
type Store struct {
	db    *sqldb.DB
	audit *weights.Store
}

var _ Journal = (*Store)(nil)

// NewStore makes a Store on a migrated database (package banyan/migrations/proxy).
func NewStore(db *sqldb.DB) *Store { return &Store{db, weights.New(db)} }

const runColumns = "run, name, file, title, digest, total, state, back, attempt, actor, reason, variables, started_at, seen_at, ended_at"

// turn makes changes take turns, and gives the number of this one.
func turn(seq *int64) []sqldb.Stmt {
	return []sqldb.Stmt{
		sqldb.S("UPDATE meta SET value=value+1 WHERE name='playbooks'"),
		sqldb.Q(func(r *sql.Rows) error { return r.Scan(seq) }, "SELECT value FROM meta WHERE name='playbooks'"),
	}
}

// Begin implements Journal.
func (s *Store) Begin(ctx context.Context, b Beginning) (Run, error) {
	if !pageName.MatchString(b.Name) {
		return Run{}, errs.E(errs.Invalid, "%q is no playbook's name", b.Name).With("field", "name")
	}
	var id string
	now := s.db.Dialect().NowMicros()
	err := s.db.Do(ctx, func(tx *sqldb.Tx) error {
		var seq int64
		open, who := "", ""
		err := tx.Run(ctx, append(turn(&seq), sqldb.Q(func(r *sql.Rows) error { return r.Scan(&open, &who) },
			"SELECT run, actor FROM playbook_runs WHERE name=? AND state IN ('running','stopped') ORDER BY seq", b.Name))...)
		if err != nil {
			return err
		}
		if open != "" && !b.Anew {
			return errs.E(errs.PreconditionFailed, "run %s of this playbook, by %s, has not ended: go on with banyan playbook resume %s, or give it up and begin with --anew", open, who, open).With("run", open)
		}
		id = fmt.Sprintf("%s-%d", b.Name, seq)
		if open != "" {
			if err := s.note(ctx, tx, "abandon", b.Actor, open, "given up for "+id); err != nil {
				return err
			}
		}
		if err := s.note(ctx, tx, "run", b.Actor, id, b.Reason); err != nil {
			return err
		}
		tx.Finally(
			sqldb.S("UPDATE playbook_runs SET state='abandoned', attempt=attempt+1, ended_at="+now+" WHERE name=? AND state IN ('running','stopped')", b.Name),
			sqldb.S("INSERT INTO playbook_runs ("+runColumns+", seq) VALUES (?,?,?,?,?,?,'running',?,1,?,?,'{}',"+now+","+now+",0,?)",
				id, b.Name, cut(b.File, 512), cut(b.Title, maxText), cut(b.Digest, 64), b.Total, boolean(b.Back), cut(b.Actor, maxName), cut(b.Reason, maxReason), seq),
		)
		return nil
	})
	if err != nil {
		return Run{}, err
	}
	return s.Run(ctx, id)
}

// Take implements Journal.
func (s *Store) Take(ctx context.Context, t Taking) (Run, error) {
	now := s.db.Dialect().NowMicros()
	err := s.db.Do(ctx, func(tx *sqldb.Tx) error {
		var row Run
		if err := s.lock(ctx, tx, t.Run, &row); err != nil {
			return err
		}
		switch {
		case row.Attempt != t.Attempt:
			return taken(row)
		case row.State == Abandoned || row.State == Done && (!t.Back || row.Back):
			return errs.E(errs.PreconditionFailed, "run %s has ended: %s; begin another with banyan playbook run %s", row.ID, row.State, row.Name)
		}
		about := fmt.Sprintf("attempt %d", row.Attempt+1)
		if t.Back && !row.Back {
			about += ", the way back"
		}
		if err := s.note(ctx, tx, "resume", t.Actor, t.Run, about); err != nil {
			return err
		}
		tx.Finally(sqldb.S("UPDATE playbook_runs SET state='running', attempt=attempt+1, digest=?, total=?, back=?, actor=?, seen_at="+now+", ended_at=0 WHERE run=?",
			cut(t.Digest, 64), t.Total, boolean(t.Back || row.Back), cut(t.Actor, maxName), t.Run))
		return nil
	})
	if err != nil {
		return Run{}, err
	}
	return s.Run(ctx, t.Run)
}

// note writes in the audit log what became of a run.
func (s *Store) note(ctx context.Context, tx *sqldb.Tx, action, actor, run, about string) error {
	reason := run
	if about != "" {
		reason += ": " + about
	}
	return s.audit.Note(ctx, tx, weights.Change{Action: "playbook " + action, Actor: cut(actor, maxName), Reason: cut(reason, maxReason)})
}

// lock reads a run that nobody else changes before the transaction's end.
func (s *Store) lock(ctx context.Context, tx *sqldb.Tx, id string, row *Run) error {
	var seq int64
	err := tx.Run(ctx, append(turn(&seq), sqldb.Q(func(r *sql.Rows) error {
		return r.Scan(&row.ID, &row.Name, &row.State, &row.Back, &row.Attempt, &row.Actor)
	}, "SELECT run, name, state, back, attempt, actor FROM playbook_runs WHERE run=?", id))...)
	if err == nil && row.ID == "" {
		return unknown(id)
	}
	return err
}

func unknown(id string) error {
	return errs.E(errs.NotFound, "there is no run %s; see banyan playbook list", id)
}

func taken(row Run) error {
	return errs.E(errs.PreconditionFailed, "run %s is %s, in the hands of %s by now; look at it with banyan playbook status %s", row.ID, row.State, row.Actor, row.ID)
}

// Write implements Journal.
func (s *Store) Write(ctx context.Context, n Note) error {
	variables, err := json.Marshal(n.Variables)
	if err != nil || len(variables) > MaxVariables {
		return errs.E(errs.Invalid, "the variables of a run have at most %d bytes", MaxVariables).With("field", "variables").Because(err)
	}
	if !n.allowed() {
		return errs.E(errs.Invalid, "%q is no state for it", n.State).With("field", "state")
	}
	return s.db.Do(ctx, func(tx *sqldb.Tx) error {
		var row Run
		if err := s.lock(ctx, tx, n.Run, &row); err != nil {
			return err
		}
		if row.Attempt != n.Attempt || row.State != Running && (n.Step != "" || row.State != n.State) {
			return taken(row)
		}
		if ends := n.Step == "" && n.State != row.State; ends {
			action := map[State]string{Done: "end", Stopped: "stop"}[n.State]
			if err := s.note(ctx, tx, action, n.Actor, n.Run, fmt.Sprintf("attempt %d", n.Attempt)); err != nil {
				return err
			}
		}
		tx.Finally(s.written(n, string(variables))...)
		return nil
	})
}

// allowed tells whether a runner may note such a thing.
func (n Note) allowed() bool {
	switch n.State {
	case Running, Done, Stopped:
		return true
	case Failed:
		return n.Step != ""
	case Abandoned:
	}
	return false
}

func (s *Store) written(n Note, variables string) []sqldb.Stmt {
	d, now := s.db.Dialect(), s.db.Dialect().NowMicros()
	ended := "0"
	if n.State != Running {
		ended = now
	}
	if n.Step == "" {
		return []sqldb.Stmt{sqldb.S("UPDATE playbook_runs SET state=?, seen_at="+now+", ended_at="+ended+" WHERE run=?", n.State, n.Run)}
	}
	insert, upsert := "INSERT", d.Upsert("run, attempt, step", "state", "detail", "output", "ended_at")
	if n.State == Running { // a late one must not undo an end
		insert, upsert = d.InsertIgnore(), ""
	}
	list := []sqldb.Stmt{
		sqldb.S(insert+" INTO playbook_steps (run, attempt, step, title, state, detail, output, actor, started_at, ended_at) VALUES (?,?,?,?,?,?,?,?,"+now+","+ended+")"+upsert,
			n.Run, n.Attempt, cut(n.Step, 32), cut(n.Title, maxText), n.State, cut(n.Detail, maxDetail), cut(n.Output, MaxOutput), cut(n.Actor, maxName)),
	}
	if n.Variables != nil {
		return append(list, sqldb.S("UPDATE playbook_runs SET seen_at="+now+", variables=? WHERE run=?", variables, n.Run))
	}
	return append(list, sqldb.S("UPDATE playbook_runs SET seen_at="+now+" WHERE run=?", n.Run))
}

// Run implements Journal.
func (s *Store) Run(ctx context.Context, id string) (Run, error) {
	list, err := s.runs(ctx, "WHERE run=?", id)
	if err != nil {
		return Run{}, err
	}
	if len(list) == 0 {
		return Run{}, unknown(id)
	}
	run := list[0]
	err = sqldb.Each(ctx, s.db.Reader(), sqldb.Q(func(rows *sql.Rows) error {
		var r Record
		var started, ended int64
		err := rows.Scan(&r.Attempt, &r.Step, &r.Title, &r.State, &r.Detail, &r.Output, &r.Actor, &started, &ended)
		r.StartedAt, r.EndedAt = at(started), at(ended)
		run.Steps = append(run.Steps, r)
		return err
	}, "SELECT attempt, step, title, state, detail, output, actor, started_at, ended_at FROM playbook_steps WHERE run=? ORDER BY started_at, attempt", id))
	return run, err
}

// Runs implements Journal.
func (s *Store) Runs(ctx context.Context, name string, limit int) ([]Run, error) {
	if name == "" {
		return s.runs(ctx, "ORDER BY seq DESC LIMIT ?", limit)
	}
	return s.runs(ctx, "WHERE name=? ORDER BY seq DESC LIMIT ?", name, limit)
}

func (s *Store) runs(ctx context.Context, which string, args ...any) ([]Run, error) {
	list := []Run{}
	err := sqldb.Each(ctx, s.db.Reader(), sqldb.Q(func(rows *sql.Rows) error {
		r := Run{Steps: []Record{}}
		var variables string
		var started, seen, ended, now int64
		err := rows.Scan(&r.ID, &r.Name, &r.File, &r.Title, &r.Digest, &r.Total, &r.State, &r.Back, &r.Attempt, &r.Actor, &r.Reason,
			&variables, &started, &seen, &ended, &now)
		if err == nil {
			err = json.Unmarshal([]byte(variables), &r.Variables)
		}
		if err != nil {
			return err
		}
		r.StartedAt, r.SeenAt, r.EndedAt = at(started), at(seen), at(ended)
		r.Quiet = time.Duration(max(0, now-seen) * int64(time.Microsecond)).Seconds()
		list = append(list, r)
		return nil
	}, "SELECT "+runColumns+", "+s.db.Dialect().NowMicros()+" FROM playbook_runs "+which, args...))
	return list, err
}

// at reads a time of the database; the zero time when it has not come.
func at(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// cut shortens text to n bytes of valid UTF-8.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "?")
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
