package store

import (
	"context"
	"database/sql"
	"fmt"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
)

// The sides of a handover, as a store was made: the one that owned everything, and the
// one that started empty. They keep numbers apart that both give out.
const (
	Home = "home"
	Away = "away"
)

// Rows of meta.
const (
	hashRow = "bucket_hash"
	sideRow = "side"
)

// Open makes a fresh store, or reads the fences of one that was made before. Whoever
// creates a store owns its flights, unless it is to start empty. errs: Unsafe for a store
// made with another bucket hash.
func (s *Store) Open(ctx context.Context) error {
	_, err := s.serving(ctx)
	return err
}

// open is Open, once.
func (s *Store) open(ctx context.Context) error {
	if err := s.makeOnce(ctx); err != nil {
		return fmt.Errorf("flights database (is it migrated? see `banyan migrate up`): %w", err)
	}
	var hash, side string
	for name, into := range map[string]*string{hashRow: &hash, sideRow: &side} {
		if err := s.db.Reader().GetContext(ctx, into, "SELECT value FROM meta WHERE name=?", name); err != nil {
			return fmt.Errorf("flights database: %w", sqldb.Fail(err))
		}
	}
	if hash != bucket.Hash {
		return errs.E(errs.Unsafe, "this database puts flights into buckets by %s, this program by %s; run the program that made it", hash, bucket.Hash)
	}
	s.side.Store(&side)
	return s.moveAnswers(ctx)
}

// makeOnce writes what a fresh store has. Replicas may start at once.
func (s *Store) makeOnce(ctx context.Context) error {
	d := s.db.Dialect()
	return s.db.Do(ctx, func(tx *sqldb.Tx) error {
		made := false
		if err := tx.Run(ctx, sqldb.Q(func(*sql.Rows) error { made = true; return nil },
			"SELECT value FROM meta WHERE name=?", hashRow)); err != nil || made {
			return err
		}
		side := Home
		if s.options.Empty {
			side = Away
		}
		meta := d.InsertIgnore() + " INTO meta(name,value) VALUES(?,?)"
		tx.Finally(sqldb.S(meta, hashRow, bucket.Hash), sqldb.S(meta, sideRow, side),
			sqldb.S("UPDATE counters SET value=1 WHERE name='fences' AND value=0"))
		if s.options.Empty {
			return nil
		}
		const chunk = 1000
		for from := 0; from < bucket.Count; from += chunk {
			args := make([]any, 0, 4*chunk)
			for b := from; b < from+chunk; b++ {
				args = append(args, Route, b, 1, string(handover.Active))
			}
			tx.Finally(sqldb.S(d.InsertIgnore()+" INTO fences(route,bucket,epoch,mode) VALUES "+sqldb.Marks(chunk, 4), args...))
		}
		return nil
	})
}

// fillAtOnce bounds the rows that are given their bucket in one transaction, and those of
// one statement.
const (
	fillAtOnce    = 1000
	fillStatement = 250
)

// Fill gives a bucket to the rows that were written before there were any, some at a time.
// It may be given up and begun again. Nothing is handed over before it is done.
func (s *Store) Fill(ctx context.Context) error {
	if s.filled.Load() {
		return nil
	}
	s.filling.Lock()
	defer s.filling.Unlock()
	for !s.filled.Load() {
		var ids []string
		if err := s.db.Reader().SelectContext(ctx, &ids,
			"SELECT flight_id FROM flights WHERE bucket=-1 ORDER BY flight_id LIMIT ?", fillAtOnce); err != nil {
			return sqldb.Fail(err)
		}
		if len(ids) == 0 {
			s.filled.Store(true)
			break
		}
		err := s.do(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			for rest := ids; len(rest) > 0; {
				n := min(len(rest), fillStatement)
				if err := tx.Run(ctx, fillStmt(rest[:n])); err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func fillStmt(ids []string) sqldb.Stmt {
	text, args := "UPDATE flights SET bucket=CASE flight_id", make([]any, 0, 3*len(ids))
	for _, id := range ids {
		text += " WHEN ? THEN ?"
		args = append(args, id, bucket.Of(id))
	}
	return sqldb.S(text+" ELSE bucket END WHERE flight_id IN "+sqldb.Marks(1, len(ids)), append(args, anys(ids)...)...)
}

// moveAnswers brings the answers that were kept without bucket to those that have one.
func (s *Store) moveAnswers(ctx context.Context) error {
	const atOnce = 200
	d := s.db.Dialect()
	for {
		n := 0
		err := s.db.Do(ctx, func(tx *sqldb.Tx) error {
			n = 0
			return tx.Run(ctx, sqldb.Q(func(r *sql.Rows) error {
				var key, fingerprint, answer string
				var at int64
				if err := r.Scan(&key, &fingerprint, &answer, &at); err != nil {
					return err
				}
				n++
				if b, ok := bucketOfAnswer(answer); ok {
					tx.Finally(sqldb.S(d.InsertIgnore()+" INTO answers (bucket, idem_key, fingerprint, answer, created_at) VALUES (?,?,?,?,?)",
						b, key, fingerprint, answer, at))
				}
				tx.Finally(sqldb.S("DELETE FROM idempotency WHERE idem_key=?", key))
				return nil
			}, "SELECT idem_key, fingerprint, answer, created_at FROM idempotency ORDER BY idem_key LIMIT ?", atOnce))
		})
		if err != nil || n < atOnce {
			return err
		}
	}
}
