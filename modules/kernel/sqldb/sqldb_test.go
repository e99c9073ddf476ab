package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// onBoth runs a test on each dialect, on a database with an empty table things.
func onBoth(t *testing.T, test func(*testing.T, *sqldb.DB)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			makeThings(t, db)
			test(t, db)
		})
	}
}

func makeThings(t *testing.T, db *sqldb.DB) {
	t.Helper()
	_, err := db.Writer().ExecContext(t.Context(),
		`CREATE TABLE things (id BIGINT PRIMARY KEY, n BIGINT NOT NULL, CONSTRAINT small CHECK (n < 1000000))`)
	if err != nil {
		t.Fatal(err)
	}
}

const (
	insert = "INSERT INTO things (id, n) VALUES (?, ?)"
	update = "UPDATE things SET n = n + 1 WHERE id = ?"
	sum    = "SELECT COALESCE(SUM(n), 0) FROM things"
)

func do(t *testing.T, db *sqldb.DB, stmts ...sqldb.Stmt) error {
	t.Helper()
	return db.Do(t.Context(), func(tx *sqldb.Tx) error { return tx.Run(t.Context(), stmts...) })
}

func into(n *int64) func(*sql.Rows) error {
	return func(r *sql.Rows) error { return r.Scan(n) }
}

func number(t *testing.T, db *sqldb.DB, query string) int64 {
	t.Helper()
	var n int64
	if err := db.Reader().GetContext(t.Context(), &n, query); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBatchAnswersInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		var before, between, after int64
		err := do(t, db,
			sqldb.Q(into(&before), sum),
			sqldb.S(insert, 1, 10), sqldb.S(insert, 2, 20),
			sqldb.Q(into(&between), sum),
			sqldb.S(update, 1),
			sqldb.Q(into(&after), sum+" WHERE id IN "+sqldb.Marks(1, 2), 1, 2),
			sqldb.S(update, 2))
		if err != nil || before != 0 || between != 30 || after != 31 {
			t.Fatalf("answers %d %d %d, err %v", before, between, after, err)
		}
		if n := number(t, db, sum); n != 32 {
			t.Errorf("committed %d, want 32: a statement behind the last query was lost", n)
		}
	})
}

func TestBatchTellsAffectedRows(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		var none, same, two int64
		stmts := []sqldb.Stmt{
			sqldb.S(insert, 1, 0), sqldb.S(insert, 2, 0),
			sqldb.S(update, 99), sqldb.S("UPDATE things SET n = n WHERE id = 1"), sqldb.S("UPDATE things SET n = 5"),
		}
		stmts[2].Affected, stmts[3].Affected, stmts[4].Affected = &none, &same, &two
		none = -1
		if err := do(t, db, stmts...); err != nil || none != 0 || same != 1 || two != 2 {
			t.Errorf("affected %d %d %d, want 0 1 2 (rows matched, not rows changed); err %v", none, same, two, err)
		}
	})
}

func TestFailureAnywhereInABatchUndoesAll(t *testing.T) {
	bad := sqldb.S(insert, 1, 0) // a duplicate
	var n int64
	cases := map[string][]sqldb.Stmt{
		"last":         {sqldb.S(insert, 2, 0), bad},
		"middle":       {sqldb.S(insert, 2, 0), bad, sqldb.S(insert, 3, 0)},
		"before query": {sqldb.S(insert, 2, 0), bad, sqldb.Q(into(&n), sum)},
		"after query":  {sqldb.S(insert, 2, 0), sqldb.Q(into(&n), sum), bad},
		"no syntax":    {sqldb.S(insert, 2, 0), sqldb.S("NONSENSE")},
	}
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		if err := do(t, db, sqldb.S(insert, 1, 7)); err != nil {
			t.Fatal(err)
		}
		for name, batch := range cases {
			if err := do(t, db, batch...); err == nil {
				t.Errorf("%s: no error", name)
			}
			if got := number(t, db, "SELECT COUNT(*) FROM things"); got != 1 {
				t.Errorf("%s: %d rows, want 1", name, got)
			}
		}
	})
}

func TestFinallyGoesWithTheCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		if err := do(t, db, sqldb.S(insert, 1, 0)); err != nil {
			t.Fatal(err)
		}
		finally := func(ret error, stmts ...sqldb.Stmt) error {
			return db.Do(t.Context(), func(tx *sqldb.Tx) error {
				tx.Finally(stmts...)
				if err := tx.Run(t.Context(), sqldb.S(update, 1)); err != nil {
					return err
				}
				return ret
			})
		}
		if err := finally(nil, sqldb.S(update, 1)); err != nil || number(t, db, sum) != 2 {
			t.Errorf("sum %d, want 2; err %v", number(t, db, sum), err)
		}
		if err := finally(nil, sqldb.S(insert, 1, 0)); sqldb.ClassOf(err) != sqldb.Duplicate {
			t.Errorf("a failing last statement: %v", err)
		}
		refuse := errs.E(errs.Conflict, "no")
		if err := finally(refuse, sqldb.S(update, 1)); !errors.Is(err, refuse) {
			t.Errorf("got %v, want the caller's own error", err)
		}
		if n := number(t, db, sum); n != 2 {
			t.Errorf("sum %d, want 2: a failed transaction left something", n)
		}
		only := db.Do(t.Context(), func(tx *sqldb.Tx) error { tx.Finally(sqldb.S(update, 1)); return nil })
		if only != nil || number(t, db, sum) != 3 {
			t.Errorf("sum %d, want 3; err %v", number(t, db, sum), only)
		}
	})
}

func TestEmptyTransactions(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		if err := db.Do(t.Context(), func(*sqldb.Tx) error { return nil }); err != nil {
			t.Error(err)
		}
		if err := do(t, db); err != nil {
			t.Error(err)
		}
		refuse := errs.E(errs.Conflict, "no")
		if err := db.Do(t.Context(), func(*sqldb.Tx) error { return refuse }); !errors.Is(err, refuse) {
			t.Error(err)
		}
	})
}

// A transaction that fails, by error or by panic, must leave no lock behind and no
// half of its work for the next user of the connection.
func TestRollbackFreesLocks(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		if err := do(t, db, sqldb.S(insert, 1, 0)); err != nil {
			t.Fatal(err)
		}
		for name, end := range map[string]func() error{
			"error": func() error { return errs.E(errs.Conflict, "no") },
			"panic": func() error { panic("planted") },
		} {
			err := db.Do(t.Context(), func(tx *sqldb.Tx) error {
				if err := tx.Run(t.Context(), sqldb.S(update, 1)); err != nil {
					return err
				}
				return end()
			})
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			began := time.Now()
			if err := do(t, db, sqldb.S(update, 1)); err != nil {
				t.Errorf("after %s: %v", name, err)
			}
			if d := time.Since(began); d > 2*time.Second {
				t.Errorf("after %s: waited %s for a lock", name, d)
			}
		}
		if n := number(t, db, sum); n != 2 {
			t.Errorf("sum %d, want 2", n)
		}
	})
}

func TestCancelledCallerChangesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := db.Do(ctx, func(tx *sqldb.Tx) error { return tx.Run(ctx, sqldb.S(insert, 1, 1)) })
		if errs.CodeOf(err) != errs.Unavailable {
			t.Errorf("got %v", err)
		}
		if n := number(t, db, sum); n != 0 {
			t.Errorf("sum %d, want 0", n)
		}
	})
}

func TestSQLiteReaderCannotWrite(t *testing.T) {
	db := dbtest.SQLite(t)
	makeThings(t, db)
	if _, err := db.Reader().ExecContext(t.Context(), insert, 1, 1); err == nil {
		t.Error("the reader wrote")
	}
}

func TestSQLitePathsMayHoldAnyCharacter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%20&mode=ro.db")
	for range 2 {
		db, err := sqldb.OpenSQLite(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Writer().ExecContext(t.Context(), "CREATE TABLE IF NOT EXISTS things (id BIGINT)"); err != nil {
			t.Fatal(err)
		}
		if n := number(t, db, "SELECT COUNT(*) FROM things"); n != 0 {
			t.Errorf("%d rows", n)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.db")); len(found) != 1 {
		t.Errorf("files %v, want the one", found)
	}
}

func TestSQLiteSyncsEveryCommit(t *testing.T) {
	db := dbtest.SQLite(t)
	var mode, sync int64
	var journal string
	err := db.Do(t.Context(), func(tx *sqldb.Tx) error {
		return tx.Run(t.Context(),
			sqldb.Q(into(&sync), "PRAGMA synchronous"), sqldb.Q(into(&mode), "PRAGMA foreign_keys"),
			sqldb.Q(func(r *sql.Rows) error { return r.Scan(&journal) }, "PRAGMA journal_mode"))
	})
	if err != nil || sync != 2 || mode != 1 || journal != "wal" {
		t.Errorf("synchronous %d, foreign_keys %d, journal %s, err %v; want 2 (FULL), 1, wal", sync, mode, journal, err)
	}
}
