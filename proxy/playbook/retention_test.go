package playbook_test

import (
	"fmt"
	"testing"
	"time"

	"banyan/proxy/playbook"
)

// ran makes a run that has ended, or, stopped, can be resumed.
func ran(t *testing.T, s *playbook.Store, name string, state playbook.State) string {
	t.Helper()
	r, err := s.Begin(t.Context(), playbook.Beginning{Name: name, Title: name, Total: 1, Actor: "ada", Anew: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []playbook.Note{{Step: "1", State: playbook.Done}, {State: state}} {
		n.Run, n.Attempt, n.Actor = r.ID, r.Attempt, "ada"
		if err := s.Write(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	return r.ID
}

// TestPurge: runs that ended long ago go with their blocks, but the latest of each page,
// and those that can be resumed, stay.
func TestPurge(t *testing.T) {
	each(t, func(t *testing.T, s *playbook.Store) {
		for range 22 { // more than go at once
			ran(t, s, "move", playbook.Done)
		}
		gone := ran(t, s, "roll", playbook.Stopped) // the next one gives it up
		latest := ran(t, s, "move", playbook.Done)
		open := ran(t, s, "roll", playbook.Stopped)
		for _, c := range []struct {
			keep time.Duration
			want string
		}{
			{time.Hour, "[0 25]"}, {-time.Hour, "[20 5]"}, {-time.Hour, "[3 2]"}, {-time.Hour, "[0 2]"},
		} {
			n, err := s.Purge(t.Context(), c.keep)
			if err != nil {
				t.Fatal(err)
			}
			left, err := s.Runs(t.Context(), "", 100)
			if got := fmt.Sprint([]int{n, len(left)}); got != c.want || err != nil {
				t.Errorf("what ended %s ago: gone and left are %s, %v; want %s", c.keep, got, err, c.want)
			}
		}
		if _, err := s.Run(t.Context(), gone); err == nil {
			t.Errorf("run %s is there", gone)
		}
		for _, id := range []string{latest, open} {
			if r, err := s.Run(t.Context(), id); err != nil || len(r.Steps) != 1 {
				t.Errorf("run %s: %v, %d blocks", id, err, len(r.Steps))
			}
		}
	})
}
