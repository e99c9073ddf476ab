package promotion_test

import (
	"strings"
	"testing"
	"time"

	migrations "banyan/migrations/proxy"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/analysis"
	"banyan/proxy/promotion"
)

// each runs a test on both families of databases.
func each(t *testing.T, test func(*testing.T, *promotion.Store)) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			m, err := sqldb.NewMigrator(db, migrations.FS)
			if err == nil {
				_, err = m.Up(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			test(t, promotion.New(db))
		})
	}
}

func begin(t *testing.T, s *promotion.Store) promotion.Row {
	t.Helper()
	err := s.Begin(t.Context(), promotion.Row{
		Route: "flights", State: promotion.Running, Backend: "away", Fingerprint: "f", Weight: 500, Step: 1, Seen: 7, Sentence: "going", Actor: "anna", Reason: "now",
	})
	if err != nil {
		t.Fatal(err)
	}
	return read(t, s)
}

func read(t *testing.T, s *promotion.Store) promotion.Row {
	t.Helper()
	all, err := s.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all["flights"]
}

// TestSave: what is saved is read, and a row that was changed meanwhile is not
// overwritten.
func TestSave(t *testing.T) {
	each(t, func(t *testing.T, s *promotion.Store) {
		r := begin(t, s)
		if r.Version != 1 || r.State != promotion.Running || r.Weight != 500 || r.Step != 1 || r.Seen != 7 || r.StartedAt == 0 || r.Reference != nil || r.Actor != "anna" {
			t.Fatalf("it begins as %+v", r)
		}
		seen := &analysis.Sample{}
		seen.Add(analysis.Server, 3*time.Millisecond, 12)
		r.State, r.Weight, r.Step, r.Windows, r.Looks, r.Reference = promotion.Paused, 2500, 2, 3, 4, seen
		r.Sentence = "<" + strings.Repeat("ü", 2000)
		r.Findings = []analysis.Finding{{Metric: "p99", Verdict: analysis.Fail, Home: &analysis.Figure{High: -1}}}
		saved, err := s.Save(t.Context(), r, true)
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, s)
		if got.Version != 2 || saved.Version != 2 || got.State != promotion.Paused || got.Weight != 2500 || got.Step != 2 || got.Windows != 3 || got.Looks != 4 ||
			*got.Reference != *seen || len(got.Findings) != 1 || got.Findings[0].Verdict != analysis.Fail || len(got.Sentence) != 1023 || got.StepAt < r.StepAt {
			t.Errorf("it is read as %+v", got)
		}
		if _, err := s.Save(t.Context(), r, false); errs.CodeOf(err) != errs.PreconditionFailed {
			t.Errorf("what was read before the last change is saved: %v", err)
		}
		if err := s.Begin(t.Context(), promotion.Row{Route: "flights", State: promotion.Running}); errs.CodeOf(err) != errs.PreconditionFailed {
			t.Errorf("a second one begins beside the first: %v", err)
		}
		got.State = promotion.Stopped
		if _, err := s.Save(t.Context(), got, false); err != nil {
			t.Fatal(err)
		}
		if r := begin(t, s); r.Version != 4 || r.Windows != 0 || r.Reference != nil || len(r.Findings) != 0 {
			t.Errorf("a new one begins as %+v", r)
		}
	})
}

// TestLease: one replica drives, until it gives up or its lease ends.
func TestLease(t *testing.T) {
	each(t, func(t *testing.T, s *promotion.Store) {
		begin(t, s)
		lease := func(who string, lasts time.Duration, want bool) {
			t.Helper()
			if held, err := s.Lease(t.Context(), "flights", who, lasts); err != nil || held != want {
				t.Fatalf("%s has the lease: %v (%v)", who, held, err)
			}
		}
		lease("one", time.Hour, true)
		lease("one", time.Hour, true)
		lease("two", time.Hour, false)
		if err := s.Release(t.Context(), "two"); err != nil {
			t.Fatal(err)
		}
		lease("two", time.Hour, false)
		if err := s.Release(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		lease("two", time.Millisecond, true)
		time.Sleep(5 * time.Millisecond) // the lease ends
		lease("one", time.Hour, true)
		if r := read(t, s); r.Holder != "one" {
			t.Errorf("%s holds it", r.Holder)
		}
	})
}

// TestCounts: each replica has one row, replaced, until it has been quiet for too long or
// another window has begun.
func TestCounts(t *testing.T) {
	each(t, func(t *testing.T, s *promotion.Store) {
		row := begin(t, s)
		first := row.Stamp()
		row.Windows++
		second := row.Stamp()
		put := func(replica, stamp string, n int) {
			t.Helper()
			counts := &analysis.Sample{}
			counts.Add(analysis.OK, 3*time.Millisecond, n)
			if err := s.Share(t.Context(), "flights", replica, stamp, promotion.Arms{"away": counts}); err != nil {
				t.Fatal(err)
			}
		}
		has := func(what, stamp string, want map[string]int) {
			t.Helper()
			got, err := s.Shared(t.Context(), "flights", stamp)
			if err != nil || len(got) != len(want) {
				t.Fatalf("%s: %d replicas, %v; want %v", what, len(got), err, want)
			}
			for replica, n := range want {
				if got[replica]["away"].Requests() != n || got[replica]["away"].Quantile(0.5) == 0 {
					t.Errorf("%s: %s has %d requests, not %d", what, replica, got[replica]["away"].Requests(), n)
				}
			}
		}
		put("a", first, 5)
		put("b", first, 7)
		put("a", first, 6)
		has("replaced", first, map[string]int{"a": 6, "b": 7})
		if err := s.Share(t.Context(), "other", "a", first, promotion.Arms{}); err != nil {
			t.Fatal(err)
		}
		put("b", second, 1)
		has("of the window before", first, map[string]int{"a": 6})
		has("of the next", second, map[string]int{"b": 1})
		expire := func(quiet time.Duration) {
			t.Helper()
			if err := s.Expire(t.Context(), "flights", second, quiet); err != nil {
				t.Fatal(err)
			}
		}
		expire(time.Hour)
		has("expired by window", first, nil)
		has("still there", second, map[string]int{"b": 1})
		expire(-time.Hour)
		has("expired by time", second, nil)
		if left, err := s.Shared(t.Context(), "other", first); err != nil || len(left) != 1 {
			t.Errorf("of another route %d rows are left, %v", len(left), err)
		}
		put("a", second, 1)
		put("b", second, 2)
		if err := s.Withdraw(t.Context(), "flights", "a"); err != nil {
			t.Fatal(err)
		}
		has("withdrawn", second, map[string]int{"b": 2})
	})
}
