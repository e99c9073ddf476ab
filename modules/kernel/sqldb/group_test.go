package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// stall keeps SQLite's writer busy until the returned function is called, so that
// the transactions which arrive meanwhile share a commit.
func stall(t *testing.T, db *sqldb.DB) (release func()) {
	t.Helper()
	entered, leave, left := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	enter := sync.OnceFunc(func() { close(entered) }) // the transaction may run twice
	go func() {
		left <- db.Do(t.Context(), func(*sqldb.Tx) error {
			enter()
			<-leave
			return nil
		})
	}()
	<-entered
	return func() {
		time.Sleep(50 * time.Millisecond) // the others queue up
		close(leave)
		if err := <-left; err != nil {
			t.Error(err)
		}
	}
}

// TestOneCallersFailureStaysItsOwn has callers that succeed, fail, break a constraint
// and panic share one commit.
func TestOneCallersFailureStaysItsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		const callers = 100
		refuse := errs.E(errs.Conflict, "no")
		ends := []func(*sqldb.Tx) error{
			func(*sqldb.Tx) error { return nil },
			func(*sqldb.Tx) error { return refuse },
			func(tx *sqldb.Tx) error { return tx.Run(t.Context(), sqldb.S(insert, 1_000_000, 1_000_001)) },
			func(*sqldb.Tx) error { panic("planted") },
			func(tx *sqldb.Tx) error { tx.Finally(sqldb.S("NONSENSE")); return nil },
		}
		release := func() {}
		if db.Dialect() == sqldb.SQLite {
			release = stall(t, db)
		}
		got := make([]error, callers)
		var wait sync.WaitGroup
		for i := range callers {
			wait.Go(func() {
				got[i] = db.Do(t.Context(), func(tx *sqldb.Tx) error {
					if err := tx.Run(t.Context(), sqldb.S(insert, i, 1)); err != nil {
						return err
					}
					return ends[i%len(ends)](tx)
				})
			})
		}
		release()
		wait.Wait()
		for i, err := range got {
			if kind := i % len(ends); (err == nil) != (kind == 0) || kind == 1 && !errors.Is(err, refuse) {
				t.Errorf("caller %d: %v", i, err)
			}
		}
		want := int64(callers / len(ends))
		if n := number(t, db, "SELECT COUNT(*) FROM things WHERE id % 5 = 0"); n != want || number(t, db, sum) != want {
			t.Errorf("%d rows of those that succeeded, sum %d, want %d and %d", n, number(t, db, sum), want, want)
		}
	})
}

// TestGroupSharesACommit proves the grouping itself: each of a group's callers sees
// that nothing of the group was committed before all had run.
func TestGroupSharesACommit(t *testing.T) {
	db := dbtest.SQLite(t)
	makeThings(t, db)
	const callers = 50
	release := stall(t, db)
	var wait sync.WaitGroup
	var early atomic.Int64
	for i := range callers {
		wait.Go(func() {
			err := db.Do(t.Context(), func(tx *sqldb.Tx) error {
				var seen int64
				if err := db.Reader().GetContext(t.Context(), &seen, sum); err != nil {
					return err
				}
				early.Add(seen)
				return tx.Run(t.Context(), sqldb.S(insert, i, 1))
			})
			if err != nil {
				t.Error(err)
			}
			if n := number(t, db, fmt.Sprintf("SELECT COUNT(*) FROM things WHERE id = %d", i)); n != 1 {
				t.Errorf("caller %d was answered before its commit", i)
			}
		})
	}
	release()
	wait.Wait()
	if early.Load() != 0 {
		t.Errorf("a reader saw %d rows of an unfinished group", early.Load())
	}
	if n := number(t, db, sum); n != callers {
		t.Errorf("%d rows, want %d", n, callers)
	}
}

func TestCloseWaitsForTheCommitUnderWay(t *testing.T) {
	db := dbtest.SQLite(t)
	makeThings(t, db)
	entered, answer := make(chan struct{}), make(chan error, 1)
	go func() {
		answer <- db.Do(t.Context(), func(tx *sqldb.Tx) error {
			close(entered)
			time.Sleep(50 * time.Millisecond)
			return tx.Run(t.Context(), sqldb.S(insert, 1, 1))
		})
	}()
	<-entered
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("the transaction under way: %v", err)
	}
	if err := do(t, db, sqldb.S(insert, 2, 1)); errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("after Close: %v, want unavailable", err)
	}
}

func TestConcurrentCountersLoseNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		if err := do(t, db, sqldb.S(insert, 1, 0)); err != nil {
			t.Fatal(err)
		}
		const callers, rounds = 16, 20
		var wait sync.WaitGroup
		for range callers {
			wait.Go(func() {
				for range rounds {
					if err := do(t, db, sqldb.S(update, 1)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wait.Wait()
		if n := number(t, db, sum); n != callers*rounds {
			t.Errorf("counted %d, want %d", n, callers*rounds)
		}
	})
}

// TestACallerWhoGivesUpHarmsNoOneElse cancels one caller in the middle of a group.
func TestACallerWhoGivesUpHarmsNoOneElse(t *testing.T) {
	db := dbtest.SQLite(t)
	makeThings(t, db)
	release := stall(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	var other error
	wait.Go(func() {
		_ = db.Do(ctx, func(tx *sqldb.Tx) error {
			if err := tx.Run(ctx, sqldb.S(insert, 1, 1)); err != nil {
				return err
			}
			cancel()
			return tx.Run(ctx, sqldb.S(insert, 2, 1))
		})
	})
	wait.Go(func() {
		other = db.Do(t.Context(), func(tx *sqldb.Tx) error { return tx.Run(t.Context(), sqldb.S(insert, 3, 1)) })
	})
	release()
	wait.Wait()
	if n := number(t, db, "SELECT COUNT(*) FROM things WHERE id = 3"); other != nil || n != 1 {
		t.Errorf("the other caller: %v, %d rows", other, n)
	}
}
