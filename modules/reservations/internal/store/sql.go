package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/guess"
)

// SQL is the store on MySQL, MariaDB and SQLite. Every write of a flight inserts the
// flight's next version into events, so that of two writers who decided on the same
// state one fails and decides again.
type SQL struct {
	db *sqldb.DB
	// sweeping is the bucket at which the next sweep starts.
	sweeping atomic.Int64
	combiner *combiner
	flights  guess.Cache[Flight] // as last seen, to guess with
	clock    *guess.Clock
	epochs   [bucket.Count]atomic.Int64 // of the fences, as last seen
	claimed  string                     // claimText of one seat
}

// SQLOptions of NewSQL.
type SQLOptions struct {
	// Own makes a database that has no fence yet the owner of every bucket. Without it,
	// buckets are handed over to this database, or somebody else who shares it owns them.
	Own bool
	// AcceptDataLoss allows a server that acknowledges commits before they are on disk.
	AcceptDataLoss bool
}

var _ Store = (*SQL)(nil)

// hashRow is the row of meta that names the bucket hash.
const hashRow = "bucket_hash"

// NewSQL takes over a database whose schema is migrated. It refuses a database made with
// another bucket hash, and a server that may lose what it acknowledged.
func NewSQL(ctx context.Context, db *sqldb.DB, o SQLOptions) (*SQL, error) {
	s := &SQL{db: db, clock: guess.NewClock(), claimed: claimText(db.Dialect(), 1)}
	if err := s.checkDurable(ctx, o); err != nil {
		return nil, err
	}
	if err := s.claim(ctx, o.Own); err != nil {
		return nil, fmt.Errorf("reservations database (is it migrated? see `banyan migrate up`): %w", err)
	}
	var hash string
	if err := db.Reader().GetContext(ctx, &hash, "SELECT value FROM meta WHERE name=?", hashRow); err != nil {
		return nil, fmt.Errorf("reservations database: %w", err)
	}
	if hash != bucket.Hash {
		return nil, errs.E(errs.Unsafe, "this database puts flights into buckets by %s, this program by %s; run the program that made it", hash, bucket.Hash)
	}
	if err := s.learnFences(ctx); err != nil {
		return nil, err
	}
	s.combiner = newCombiner(s)
	return s, nil
}

// checkDurable is rule 5 of the handover: fences and data survive a crash.
func (s *SQL) checkDurable(ctx context.Context, o SQLOptions) error {
	if o.AcceptDataLoss {
		return nil
	}
	durable, err := handoversql.Durable(ctx, s.db)
	if err == nil && !durable {
		err = errs.E(errs.Unsafe, "the server's innodb_flush_log_at_trx_commit is not 1: it may lose bookings it has acknowledged; "+
			"set innodb_flush_log_at_trx_commit=1, or start with --accept-data-loss")
	}
	return err
}

// claim notes the bucket hash of a fresh database and, if own is set and there is no
// fence, makes all of them, active: both or neither, whenever it breaks off. A fence never
// goes away again, so a database that once had buckets is not claimed anew. Replicas may
// start at once.
func (s *SQL) claim(ctx context.Context, own bool) error {
	d := s.db.Dialect()
	return s.db.Do(ctx, func(tx *sqldb.Tx) error {
		hashed, fenced := false, false
		if err := tx.Run(ctx,
			sqldb.Q(func(*sql.Rows) error { hashed = true; return nil }, "SELECT value FROM meta WHERE name=?", hashRow),
			sqldb.Q(func(*sql.Rows) error { fenced = true; return nil }, "SELECT bucket FROM fences WHERE route=? LIMIT 1", Route),
		); err != nil {
			return err
		}
		if !hashed {
			tx.Finally(sqldb.S(d.InsertIgnore()+" INTO meta(name,value) VALUES(?,?)", hashRow, bucket.Hash))
		}
		if !own || fenced {
			return nil
		}
		const chunk = 1000
		for from := 0; from < bucket.Count; from += chunk {
			args := make([]any, 0, 4*chunk)
			for b := from; b < from+chunk; b++ {
				args = append(args, Route, b, 1, ModeActive)
			}
			tx.Finally(sqldb.S(d.InsertIgnore()+" INTO fences(route,bucket,epoch,mode) VALUES "+sqldb.Marks(chunk, 4), args...))
		}
		return nil
	})
}

// Modes of a fence.
const (
	ModeActive   = "active"
	ModeReadOnly = "ro"
	ModeSealed   = "sealed"
)

// Ping implements Keeper.
func (s *SQL) Ping(ctx context.Context) error { return s.db.Ping(ctx) }

// Close implements Keeper.
func (s *SQL) Close() error {
	s.combiner.close()
	return s.db.Close()
}
