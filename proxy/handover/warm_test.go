package handover_test

import (
	"context"
	"testing"

	"banyan/modules/kernel/dbtest"
	kernel "banyan/modules/kernel/handover"
	"banyan/proxy/handover"
)

// TestWrittenWhileCopied: buckets that are written between the copy and the freeze are not
// moved with what was copied, whether some of a batch or all.
func TestWrittenWhileCopied(t *testing.T) {
	for name, written := range map[string][]int{"one": {2}, "all": {1, 2, 3}} {
		t.Run(name, func(t *testing.T) {
			s := newSides()
			c := start(t, options(newJournal(t, migrated(t, dbtest.SQLite(t))), &odd{Participant: s.home, order: func(_ context.Context, o kernel.Order) ([]kernel.Fence, error, bool) {
				if o.Op == kernel.Freeze && written != nil {
					for _, b := range written {
						if err := s.home.Write(b, record(b, 77)); err != nil {
							t.Error(err)
						}
					}
					written = nil
				}
				return nil, nil, false
			}}, s.away))
			for b := range 4 {
				if err := s.home.Write(b, record(b, 1)); err != nil {
					t.Fatal(err)
				}
			}
			m, err := c.Move(t.Context(), handover.Batch{Source: home, Target: away, Buckets: []int{1, 2, 3}})
			if err != nil || m.Outcome != handover.Moved {
				t.Fatalf("got %+v, %v", m, err)
			}
			for _, b := range []int{1, 2, 3} {
				want := 1
				if name == "all" || b == 2 {
					want = 2
				}
				if list, err := s.away.Read(b); err != nil || len(list) != want {
					t.Errorf("bucket %d has %d records there, want %d, %v", b, len(list), want, err)
				}
			}
			report, err := c.Audit(t.Context())
			if err != nil || len(report.Findings) > 0 {
				t.Errorf("the audit has %+v, %v", report, err)
			}
		})
	}
}

// TestOpenUntilFrozen: while a bucket is copied its writers are not made to wait.
func TestOpenUntilFrozen(t *testing.T) {
	s := newSides()
	var c *handover.Coordinator
	var copying, freezing handover.Place
	h := &odd{Participant: s.home, order: func(_ context.Context, o kernel.Order) ([]kernel.Fence, error, bool) {
		if o.Op == kernel.Freeze {
			freezing = c.Map().Owner(1)
		}
		return nil, nil, false
	}}
	a := &odd{Participant: s.away, copy: func() error { copying = c.Map().Owner(1); return c.Map().Refresh(t.Context()) }}
	c = start(t, options(newJournal(t, migrated(t, dbtest.SQLite(t))), h, a))
	if err := s.home.Write(1, record(1, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Move(t.Context(), handover.Batch{Source: home, Target: away, Buckets: []int{1}}); err != nil {
		t.Fatal(err)
	}
	if !copying.Moving || !copying.Open || !freezing.Moving || freezing.Open {
		t.Errorf("while it is copied the map says %+v, when it is frozen %+v", copying, freezing)
	}
}
