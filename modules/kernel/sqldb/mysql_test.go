package sqldb_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// TestDeadlockIsRunAgain lets two transactions take two rows in opposite order.
func TestDeadlockIsRunAgain(t *testing.T) {
	db := dbtest.MySQL(t)
	makeThings(t, db)
	if err := do(t, db, sqldb.S(insert, 1, 0), sqldb.S(insert, 2, 0)); err != nil {
		t.Fatal(err)
	}
	var both, done sync.WaitGroup
	var runs atomic.Int64
	both.Add(2)
	for _, order := range [][2]int{{1, 2}, {2, 1}} {
		done.Go(func() {
			var once sync.Once
			err := db.Do(t.Context(), func(tx *sqldb.Tx) error {
				runs.Add(1)
				if err := tx.Run(t.Context(), sqldb.S(update, order[0])); err != nil {
					return err
				}
				once.Do(func() { both.Done(); both.Wait() })
				return sqldb.Fail(tx.Run(t.Context(), sqldb.S(update, order[1]))) // as a store would wrap it
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if runs.Load() < 3 {
		t.Errorf("%d runs: the transactions did not meet", runs.Load())
	}
	if n := number(t, db, sum); n != 4 {
		t.Errorf("sum %d, want 4", n)
	}
}

func TestDeadlineInATransactionFreesItsLocks(t *testing.T) {
	db := dbtest.MySQL(t)
	makeThings(t, db)
	if err := do(t, db, sqldb.S(insert, 1, 0)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := db.Do(ctx, func(tx *sqldb.Tx) error {
		return tx.Run(ctx, sqldb.S(update, 1), sqldb.S("DO SLEEP(10)"))
	})
	if errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("got %v", err)
	}
	waitFree(t, db)
	if n := number(t, db, sum); n != 1 {
		t.Errorf("sum %d, want 1: the transaction that ran out of time left something", n)
	}
}

// waitFree adds 1 to row 1 as soon as its lock is free. The server notices a dropped
// connection only when the statement under way ends, so allow for the sleep.
func waitFree(t *testing.T, db *sqldb.DB) {
	t.Helper()
	var err error
	for range 4 {
		if err = do(t, db, sqldb.S(update, 1)); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func TestSessionsAreStrictUTCAndReadCommitted(t *testing.T) {
	db := dbtest.MySQL(t)
	for query, want := range map[string]string{
		"SELECT @@time_zone":                    "+00:00",
		"SELECT @@sql_mode LIKE '%STRICT_ALL%'": "1",
	} {
		var got string
		if err := db.Reader().GetContext(t.Context(), &got, query); err != nil || got != want {
			t.Errorf("%s: %q, want %q; err %v", query, got, want, err)
		}
	}
	checkIsolation(t, db)
}

// checkIsolation asks by pattern: the variable's name differs between the two servers.
func checkIsolation(t *testing.T, db *sqldb.DB) {
	t.Helper()
	var name, level string
	row := db.Reader().QueryRowContext(t.Context(), "SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')")
	if err := row.Scan(&name, &level); err != nil || level != "READ-COMMITTED" {
		t.Errorf("isolation %q, err %v", level, err)
	}
}

func TestSessionSettingsOutliveAReconnect(t *testing.T) {
	server := dbtest.StartMariaDB(t)
	db, err := sqldb.OpenMySQL(t.Context(), server.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	makeThings(t, db)
	server.Kill9()
	if err := do(t, db, sqldb.S(insert, 1, 1)); errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("without a server: %v, want unavailable", err)
	}
	server.Restart()
	if err := do(t, db, sqldb.S(insert, 1, 1)); err != nil {
		t.Fatalf("after the restart: %v", err)
	}
	checkIsolation(t, db)
}

func TestOpenMySQLTellsWhatIsWrong(t *testing.T) {
	for _, dsn := range []string{"nonsense", "root@tcp(127.0.0.1:1)/banyan"} {
		if db, err := sqldb.OpenMySQL(t.Context(), dsn); err == nil {
			_ = db.Close()
			t.Errorf("%s: no error", dsn)
		}
	}
}
