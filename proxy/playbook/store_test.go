package playbook_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	migrations "banyan/migrations/proxy"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/playbook"
)

func newStore(t *testing.T, db *sqldb.DB) *playbook.Store {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	return playbook.NewStore(db)
}

// each runs a test on both families of databases.
func each(t *testing.T, test func(*testing.T, *playbook.Store)) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) { test(t, newStore(t, open(t))) })
	}
}

func begin(t *testing.T, s *playbook.Store, anew bool) playbook.Run {
	t.Helper()
	r, err := s.Begin(t.Context(), playbook.Beginning{Name: "move", File: "move.md", Title: "Move", Digest: "d", Total: 2, Actor: "ada", Reason: "why", Anew: anew})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestJournal(t *testing.T) {
	each(t, func(t *testing.T, s *playbook.Store) {
		ctx, r := t.Context(), begin(t, s, false)
		if _, err := s.Begin(ctx, playbook.Beginning{Name: "move"}); errs.CodeOf(err) != errs.PreconditionFailed || !strings.Contains(err.Error(), r.ID) {
			t.Errorf("a second run: %v", err)
		}
		write := func(attempt int64, step string, state playbook.State, want errs.Code) {
			t.Helper()
			n := playbook.Note{Run: r.ID, Attempt: attempt, Step: step, State: state, Output: "o", Actor: "ada"}
			if state == playbook.Done && step != "" {
				n.Variables = map[string]string{"A": "1"}
			}
			for range 2 { // every note may come twice
				if err := s.Write(ctx, n); errs.CodeOf(err) != want {
					t.Errorf("%s %s in attempt %d: %v, not %s", step, state, attempt, err, want)
				}
			}
		}
		write(1, "need", playbook.Running, "")
		write(1, "need", playbook.Done, "")
		write(1, "need", playbook.Running, "") // one that was late
		write(1, "", playbook.Running, "")
		write(1, "1", playbook.Running, "")
		write(1, "", playbook.Abandoned, errs.Invalid)
		take := func(attempt int64, back bool, want errs.Code) {
			t.Helper()
			if _, err := s.Take(ctx, playbook.Taking{Run: r.ID, Attempt: attempt, Digest: "d", Total: 2, Back: back, Actor: "bob"}); errs.CodeOf(err) != want {
				t.Errorf("take of attempt %d: %v, not %s", attempt, err, want)
			}
		}
		take(1, false, "")
		take(1, false, errs.PreconditionFailed)
		write(1, "1", playbook.Done, errs.PreconditionFailed) // by whom it was taken from
		write(1, "", playbook.Stopped, errs.PreconditionFailed)
		write(2, "1", playbook.Failed, "")
		got, err := s.Run(ctx, r.ID)
		if err != nil || got.Attempt != 2 || got.Actor != "bob" || got.Variables["A"] != "1" || len(got.Steps) != 3 || !got.Has("need") || got.Has("1") {
			t.Errorf("the run is %+v, %v", got, err)
		}
		write(2, "", playbook.Done, "")
		write(2, "1", playbook.Done, errs.PreconditionFailed) // it has ended
		take(2, false, errs.PreconditionFailed)
		take(2, true, "")
		write(3, "", playbook.Done, "")
		take(3, true, errs.PreconditionFailed)
		if _, err := s.Run(ctx, "move-999"); errs.CodeOf(err) != errs.NotFound {
			t.Errorf("an unknown run: %v", err)
		}
	})
}

// TestOneRunOfAPage: of many that begin at once one does, and of many that take it one.
func TestOneRunOfAPage(t *testing.T) {
	each(t, func(t *testing.T, s *playbook.Store) {
		var begun, taken atomic.Int64
		race := func(do func() error, count *atomic.Int64) {
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					switch err := do(); errs.CodeOf(err) {
					case "":
						count.Add(1)
					case errs.PreconditionFailed:
					default:
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		race(func() error {
			_, err := s.Begin(t.Context(), playbook.Beginning{Name: "move"})
			return err
		}, &begun)
		list, err := s.Runs(t.Context(), "move", 10)
		if begun.Load() != 1 || err != nil || len(list) != 1 {
			t.Fatalf("%d begun, %d kept, %v", begun.Load(), len(list), err)
		}
		race(func() error {
			_, err := s.Take(t.Context(), playbook.Taking{Run: list[0].ID, Attempt: 1})
			return err
		}, &taken)
		if taken.Load() != 1 {
			t.Errorf("%d have taken it", taken.Load())
		}
		next := begin(t, s, true)
		old, err := s.Run(t.Context(), list[0].ID)
		if err != nil || old.State != playbook.Abandoned || next.ID == old.ID {
			t.Errorf("anew leaves %+v, %v", old, err)
		}
		if err := s.Write(t.Context(), playbook.Note{Run: old.ID, Attempt: 2, Step: "1", State: playbook.Done}); errs.CodeOf(err) != errs.PreconditionFailed {
			t.Errorf("a note of a run that was given up: %v", err)
		}
	})
}
