package handover

import (
	"context"
	"database/sql"
	"strings"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
)

// maxText bounds reasons and errors that are kept, in bytes.
const maxText = 512

// Journal is the record of a route's owners and moves. Its transitions fail with
// errs.PreconditionFailed, and change nothing, when the journal is not as they demand;
// after errs.Unavailable it is not known whether they happened.
type Journal struct {
	db    *sqldb.DB
	route string
}

// NewJournal makes the journal of a route on a migrated database (package
// banyan/migrations/proxy). Init must have been called once, by anybody.
func NewJournal(db *sqldb.DB, route string) *Journal { return &Journal{db, route} }

// Route gives the route's id.
func (j *Journal) Route() string { return j.route }

// digits is a table of 0 to 9 that both dialects understand.
const digits = "(SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4" +
	" UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"

// Init gives every bucket to the home, in epoch 1, unless the route is known already.
// errs.Unsafe when it is known with another home or another way to number buckets.
func (j *Journal) Init(ctx context.Context, home string) error {
	return j.db.Do(ctx, func(tx *sqldb.Tx) error {
		var added int64
		insert := sqldb.S(j.db.Dialect().InsertIgnore()+" INTO handover_routes (route, home, bucket_hash, next_epoch, changes) VALUES (?,?,?,2,1)",
			j.route, home, bucket.Hash)
		insert.Affected = &added
		if err := tx.Run(ctx, insert); err != nil {
			return err
		}
		if added == 1 {
			tx.Finally(sqldb.S("INSERT INTO handover_buckets (route, bucket, phase, owner, target, epoch, move, changed, purge_store, purge_epoch, purge_since)"+
				" SELECT ?, a.n*1000+b.n*100+c.n*10+d.n, 'idle', ?, '', 1, 0, 1, '', 0, 0 FROM "+
				digits+" a, "+digits+" b, "+digits+" c, "+digits+" d", j.route, home))
			return nil
		}
		var has, hash string
		err := tx.Run(ctx, sqldb.Q(func(r *sql.Rows) error { return r.Scan(&has, &hash) },
			"SELECT home, bucket_hash FROM handover_routes WHERE route=?", j.route))
		switch {
		case err != nil:
			return err
		case hash != bucket.Hash:
			return errs.E(errs.Unsafe, "the journal of route %s numbers buckets by %s, this program by %s: run the version that wrote it", j.route, hash, bucket.Hash)
		case has != home:
			return errs.E(errs.Unsafe, "the journal of route %s has the home %s, not %s: buckets were given out from there", j.route, has, home)
		}
		return nil
	})
}

// turn is a transition's place in the order of transitions.
type turn struct {
	tx      *sqldb.Tx
	changed int64 // the route's counter
	epoch   int64 // a new one
}

// change runs a transition when its turn has come; the lock of the route's row is kept
// until the commit. It is not known to have happened after errs.Unavailable.
func (j *Journal) change(ctx context.Context, fn func(turn) error) error {
	return j.db.Do(ctx, func(tx *sqldb.Tx) error {
		t := turn{tx: tx}
		err := tx.Run(ctx,
			sqldb.S("UPDATE handover_routes SET changes=changes+1, next_epoch=next_epoch+1 WHERE route=?", j.route),
			sqldb.Q(func(r *sql.Rows) error { return r.Scan(&t.changed, &t.epoch) },
				"SELECT changes, next_epoch-1 FROM handover_routes WHERE route=?", j.route))
		if err != nil {
			return err
		}
		if t.changed == 0 {
			return errs.E(errs.NotFound, "the journal does not know route %s", j.route)
		}
		return fn(t)
	})
}

// Begin makes a move of buckets that are idle and owned by the source, with a new epoch.
// maxMoves bounds the moves of the route that go on at once, whoever carries them out.
func (j *Journal) Begin(ctx context.Context, b Batch, coordinator string, maxMoves int) (Move, error) {
	if n := len(b.Buckets); n == 0 || n > kernel.MaxBuckets {
		return Move{}, errs.E(errs.Invalid, "a move has 1 to %d buckets, not %d", kernel.MaxBuckets, n)
	}
	if b.Source == b.Target || b.Target == "" {
		return Move{}, errs.E(errs.Invalid, "a move goes from one backend to another, not from %q to %q", b.Source, b.Target)
	}
	m := Move{
		Kind: Moving, Phase: Prep, Source: b.Source, Target: b.Target, Buckets: len(b.Buckets),
		Coordinator: coordinator, Reason: text(b.Reason),
	}
	err := j.change(ctx, func(t turn) error {
		m.ID, m.Epoch, m.changed = t.epoch, t.epoch, t.changed
		open := int64(0)
		if err := t.tx.Run(ctx, sqldb.Q(func(r *sql.Rows) error { return r.Scan(&open) },
			"SELECT COUNT(*) FROM handover_moves WHERE route=? AND phase IN ('prep','committed','aborting')", j.route)); err != nil {
			return err
		}
		if open >= int64(maxMoves) {
			return lost("route %s has %d moves under way already", j.route, open)
		}
		args := []any{b.Target, m.Epoch, m.ID, m.changed, j.route, b.Source}
		for _, n := range b.Buckets {
			args = append(args, n)
		}
		var matched int64
		take := sqldb.S("UPDATE handover_buckets SET phase='prep', target=?, epoch=?, move=?, changed=?"+
			" WHERE route=? AND phase='idle' AND owner=? AND bucket IN "+sqldb.Marks(1, len(b.Buckets)), args...)
		take.Affected = &matched
		if err := t.tx.Run(ctx, take); err != nil {
			return err
		}
		if matched != int64(m.Buckets) {
			return lost("%d of %d buckets are idle and owned by %s", matched, m.Buckets, b.Source)
		}
		t.tx.Finally(j.insertMove(m))
		return nil
	})
	return m, err
}

func (j *Journal) insertMove(m Move) sqldb.Stmt {
	now := j.db.Dialect().NowMicros()
	return sqldb.S("INSERT INTO handover_moves (route, move, epoch, kind, phase, source, target, buckets, coordinator, heartbeat_at, started_at, ended_at, outcome, reason, records, pause, parts, error)"+
		" VALUES (?,?,?,?,?,?,?,?,?,"+now+","+now+",0,'',?,0,0,'[]','')",
		j.route, m.ID, m.Epoch, string(m.Kind), m.Phase.String(), m.Source, m.Target, m.Buckets, m.Coordinator, m.Reason)
}

// text makes what people and programs say fit for its column.
func text(s string) string {
	s = strings.ToValidUTF8(s, "?")
	n := maxText
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
