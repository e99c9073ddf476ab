package handover_test

import (
	"context"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
	"banyan/proxy/handover"
)

// moved gives a coordinator that has moved buckets 1 to 5, with a record each.
func moved(t *testing.T, s sides) (*handover.Coordinator, handover.Move) {
	t.Helper()
	o := options(newJournal(t, migrated(t, dbtest.SQLite(t))), s.home, s.away)
	o.StaleAfter, o.Retain = time.Microsecond, time.Microsecond
	c := start(t, o)
	for b := 1; b <= 5; b++ {
		if err := s.home.Write(b, record(b, 1)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := c.Move(t.Context(), handover.Batch{Source: home, Target: away, Buckets: []int{1, 2, 3, 4, 5}})
	return c, must(t, m, err)
}

func give(t *testing.T, p kernel.Participant, op kernel.Op, epoch int64, buckets ...int) {
	t.Helper()
	if refused, err := p.Order(t.Context(), kernel.Order{Op: op, Epoch: epoch, Buckets: buckets}); err != nil || len(refused) > 0 {
		t.Fatalf("%s: %v, %v", op, refused, err)
	}
}

// TestAudit makes stores that contradict the journal, each in another way.
func TestAudit(t *testing.T) {
	s := newSides()
	c, m := moved(t, s)
	if report, err := c.Audit(t.Context()); err != nil || len(report.Findings) != 0 || report.Owned != 10000 || report.Checked != 10000 {
		t.Fatalf("in order, and found %+v, %v", report, err)
	}
	give(t, s.home, kernel.Recover, m.Epoch+1, 1) // two sides own it
	s.away.Own(m.Epoch-1, 2)                      // it came back with less than it had acknowledged
	give(t, s.away, kernel.Freeze, m.Epoch+1, 3)  // the journal came back with less
	s.away.Own(0, 4)                              // its fences are lost
	s.home.Own(1, 4)                              // and the other side has an old one
	s.home.Own(1, 5)                              // a side that is to be read only while the other one is active
	give(t, s.home, kernel.Freeze, m.Epoch, 5)
	report, err := c.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]handover.Violation{1: handover.Both, 2: handover.Behind, 3: handover.Ahead, 4: handover.Both, 5: handover.Both}
	for _, f := range report.Findings {
		if want[f.Bucket] != f.Violation || f.Owner != away || f.Epoch != m.Epoch {
			t.Errorf("found %+v, want %s", f, want[f.Bucket])
		}
	}
	if len(report.Findings) != len(want) || report.Owned != 10000-len(want) || report.Counts[handover.Both] != 3 {
		t.Errorf("the report is %+v", report)
	}
	for b := range 6 {
		if _, bad := want[b]; c.Map().Owner(b).Refused != bad {
			t.Errorf("bucket %d: %+v", b, c.Map().Owner(b))
		}
	}
	if got := c.LastAudit(); len(got.Findings) != len(want) {
		t.Errorf("the last report is %+v", got)
	}
	// What was put in order is taken up again, marks survive other changes.
	s.away.Own(m.Epoch, 2, 3)
	if _, err := c.Move(t.Context(), handover.Batch{Source: home, Target: away, Buckets: []int{6}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Map().Refresh(t.Context()); err != nil || !c.Map().Owner(1).Refused {
		t.Errorf("the mark is lost: %+v, %v", c.Map().Owner(1), err)
	}
	if _, err := c.Audit(t.Context()); err != nil || c.Map().Owner(2).Refused || c.Map().Owner(3).Refused || !c.Map().Owner(1).Refused {
		t.Errorf("after repairs: %+v, %+v, %v", c.Map().Owner(2), c.Map().Owner(1), err)
	}
}

// TestSourceThatLostItsFence: a move that is given up ends even if the source does not
// take the buckets back, and they are refused then.
func TestSourceThatLostItsFence(t *testing.T) {
	s := newSides()
	lost := false
	h := &odd{Participant: s.home, order: func(_ context.Context, o kernel.Order) ([]kernel.Fence, error, bool) {
		if lost = lost || o.Op == kernel.Freeze; lost {
			return []kernel.Fence{{Bucket: 1}}, nil, true
		}
		return nil, nil, false
	}}
	c := start(t, options(newJournal(t, migrated(t, dbtest.SQLite(t))), h, s.away))
	m, err := c.Move(t.Context(), handover.Batch{Source: home, Target: away, Buckets: []int{1}})
	if err == nil || m.Outcome != handover.Aborted || m.Error == "" {
		t.Fatalf("got %+v, %v", m, err)
	}
	if report, err := c.Audit(t.Context()); err != nil || len(report.Findings) != 1 || report.Findings[0].Violation != handover.Behind || !c.Map().Owner(1).Refused {
		t.Errorf("the audit has %+v, %v", report, err)
	}
}

func TestPurge(t *testing.T) {
	s := newSides()
	c, m := moved(t, s)
	has := func(p kernel.Participant, epoch int64, b int) int64 {
		d, err := p.Digest(t.Context(), epoch, []int{b})
		if err != nil {
			t.Fatal(err)
		}
		return d[0].Records
	}
	if has(s.home, m.Epoch, 1) != 1 {
		t.Fatal("the former owner has forgotten already")
	}
	// Bucket 5 goes back; a later move to home that is given up before it was sealed there
	// must not make home keep what it had.
	if _, err := c.Move(t.Context(), handover.Batch{Source: away, Target: home, Buckets: []int{5}}); err != nil {
		t.Fatal(err)
	}
	b := begin(t, c.Journal(), away, home, 1)
	if err := c.Abort(t.Context(), b.ID, "changed my mind"); err != nil {
		t.Fatal(err)
	}
	until(t, "forgotten", func() bool {
		if err := c.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := c.Journal().Purgeable(t.Context(), 0)
		return err == nil && len(list) == 0
	})
	for n := 1; n <= 5; n++ {
		if n == 5 {
			if list, err := s.home.Read(5); err != nil || len(list) != 1 {
				t.Errorf("the owner forgot bucket 5: %v, %v", list, err)
			}
			continue
		}
		if has(s.home, m.Epoch, n) != 0 || has(s.away, 0, n) != 1 {
			t.Errorf("bucket %d: %d records at home, %d away", n, has(s.home, m.Epoch, n), has(s.away, 0, n))
		}
	}
}

func TestAbortByPeople(t *testing.T) {
	s := newSides()
	c, m := moved(t, s)
	if err := c.Abort(t.Context(), m.ID, "too late"); errs.CodeOf(err) != errs.PreconditionFailed {
		t.Errorf("a move that has ended: %v", err)
	}
	if err := c.Abort(t.Context(), 4711, "no such move"); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("no such move: %v", err)
	}
	open := begin(t, c.Journal(), home, away, 9)
	if err := c.Abort(t.Context(), open.ID, "changed my mind"); err != nil {
		t.Fatal(err)
	}
	if after, err := c.Journal().Move(t.Context(), open.ID); err != nil || after.Outcome != handover.Aborted || after.Error != "changed my mind" {
		t.Errorf("got %+v, %v", after, err)
	}
	if err := s.home.Write(9, record(9, 1)); err != nil {
		t.Error(err)
	}
}
