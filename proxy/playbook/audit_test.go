package playbook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/playbook"
	"banyan/proxy/weights"
)

// TestAudit: what becomes of runs is in the audit log, once, by whom and why; what is
// noted of blocks, and signs of life, are not.
func TestAudit(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			s := newStore(t, db)
			one := begin(t, s, false)
			for _, n := range []playbook.Note{{State: playbook.Running}, {Step: "1", State: playbook.Done}, {State: playbook.Stopped}, {State: playbook.Stopped}} {
				n.Run, n.Attempt, n.Actor = one.ID, 1, "ada"
				if err := s.Write(t.Context(), n); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Take(t.Context(), playbook.Taking{Run: one.ID, Attempt: 1, Back: true, Actor: "bob"}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Take(t.Context(), playbook.Taking{Run: one.ID, Attempt: 1, Actor: "eve"}); err == nil {
				t.Error("it is taken twice")
			}
			two := begin(t, s, true)
			if err := s.Write(t.Context(), playbook.Note{Run: two.ID, Attempt: 1, State: playbook.Done, Actor: "ada"}); err != nil {
				t.Fatal(err)
			}
			if n, err := s.Purge(t.Context(), -time.Hour); n != 1 || err != nil {
				t.Errorf("%d forgotten, %v", n, err)
			}
			want := []string{
				"ada: playbook run: " + one.ID + ": why",
				"ada: playbook stop: " + one.ID + ": attempt 1",
				"bob: playbook resume: " + one.ID + ": attempt 2, the way back",
				"ada: playbook abandon: " + one.ID + ": given up for " + two.ID,
				"ada: playbook run: " + two.ID + ": why",
				"ada: playbook end: " + two.ID + ": attempt 1",
				"retention: playbook forget: 1 of what ended more than -1h0m0s ago, from " + one.ID + " on",
			}
			list, err := weights.New(db).Audit(t.Context(), "", 0, 20)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := len(list) - 1; i >= 0; i-- {
				got = append(got, fmt.Sprintf("%s: %s: %s", list[i].Actor, list[i].Action, list[i].Reason))
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("the log is\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}
