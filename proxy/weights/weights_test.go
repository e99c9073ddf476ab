package weights_test

import (
	"strings"
	"sync"
	"testing"

	migrations "banyan/migrations/proxy"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/weights"
)

// each runs a test on both families of databases.
func each(t *testing.T, test func(*testing.T, *sqldb.DB)) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			migrator(t, db)
			test(t, db)
		})
	}
}

func migrator(t *testing.T, db *sqldb.DB) *sqldb.Migrator {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSetAndRead(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		s := weights.New(db)
		before, err := s.Changes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c := weights.Change{
			Route: "flights", Action: "set", From: weights.Weights{"monolith": 10000}, To: weights.Weights{"monolith": 9995, "flights": 5},
			Fingerprint: "f1", Actor: "ada@127.0.0.1", Reason: strings.Repeat("é", 400), RequestID: "id-1",
		}
		if err := s.Set(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		all, err := s.All(t.Context())
		row := all["flights"]
		if err != nil || row.Version != 1 || row.Weights["flights"] != 5 || row.Retired || row.Fingerprint != "f1" || row.ChangedAt == 0 {
			t.Errorf("got %+v, %v", row, err)
		}
		if len(row.Reason) != weights.MaxReason || !strings.HasSuffix(row.Reason, "é") {
			t.Errorf("the reason was cut to %d bytes", len(row.Reason))
		}
		if after, err := s.Changes(t.Context()); err != nil || after != before+1 {
			t.Errorf("the counter went from %d to %d, %v", before, after, err)
		}
		if err := s.Set(t.Context(), c); errs.CodeOf(err) != errs.PreconditionFailed {
			t.Errorf("the same change again: %v", err)
		}
		c.IfVersion, c.Retire = 1, true
		if err := s.Set(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if all, err = s.All(t.Context()); err != nil || !all["flights"].Retired || all["flights"].Version != 2 {
			t.Errorf("got %+v, %v", all["flights"], err)
		}
		log, err := s.Audit(t.Context(), "", 0, 10)
		if err != nil || len(log) != 2 || log[0].Seq <= log[1].Seq || log[1].To["flights"] != 5 || log[1].From["monolith"] != 10000 {
			t.Errorf("the log has %+v, %v", log, err)
		}
	})
}

// TestRace: of many changes of one version one wins, and the log has that one only.
func TestRace(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		s := weights.New(db)
		var callers sync.WaitGroup
		results := make(chan error, 20)
		for range cap(results) {
			callers.Go(func() {
				results <- s.Set(t.Context(), weights.Change{Route: "r", Action: "set", Actor: "a", Reason: "race"})
			})
		}
		callers.Wait()
		close(results)
		won := 0
		for err := range results {
			if err == nil {
				won++
			} else if errs.CodeOf(err) != errs.PreconditionFailed {
				t.Error(err)
			}
		}
		log, err := s.Audit(t.Context(), "r", 0, 100)
		if won != 1 || err != nil || len(log) != 1 {
			t.Errorf("%d won, the log has %d lines, %v", won, len(log), err)
		}
	})
}

func TestMigrationsGoDown(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		m := migrator(t, db)
		if name, err := m.Down(t.Context()); err != nil || name == "" {
			t.Fatalf("down: %q, %v", name, err)
		}
		if n, err := m.Up(t.Context()); err != nil || n != 1 {
			t.Fatalf("up again: %d, %v", n, err)
		}
		if _, err := weights.New(db).Changes(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
