package handover_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
	"banyan/proxy/handover"
)

// grave is a participant that does not answer any more once it is dug.
type grave struct {
	kernel.Participant
	dug bool
}

func (g *grave) Status(ctx context.Context, buckets []int) (kernel.Status, error) {
	if g.dug {
		return kernel.Status{}, errLine
	}
	return g.Participant.Status(ctx, buckets)
}

func (g *grave) Order(ctx context.Context, o kernel.Order) ([]kernel.Fence, error) {
	if g.dug {
		return nil, errLine
	}
	return g.Participant.Order(ctx, o)
}

// TestRescue: the extracted side is gone for good, with buckets at rest and with moves
// in every phase; afterwards the home owns everything.
func TestRescue(t *testing.T) {
	s := newSides()
	c, _ := moved(t, s) // 1 to 5 are owned away
	g := &grave{Participant: s.away}
	o := options(c.Journal(), s.home, g)
	c = start(t, o)
	if _, err := c.Rescue(t.Context(), handover.RescueOrder{Reason: "it burnt"}); errs.CodeOf(err) != errs.Unsafe {
		t.Errorf("it answers, and: %v", err)
	}
	if _, err := c.Rescue(t.Context(), handover.RescueOrder{}); errs.CodeOf(err) != errs.Invalid {
		t.Errorf("no reason, and: %v", err)
	}
	j := c.Journal()
	back := begin(t, j, away, home, 2) // being copied home: its source is gone
	give(t, s.home, kernel.Seal, back.Epoch, 2)
	there := begin(t, j, home, away, 7) // committed; nobody was told
	give(t, s.away, kernel.Seal, there.Epoch, 7)
	give(t, s.home, kernel.Freeze, there.Epoch, 7)
	there, err := j.Commit(t.Context(), there, 0, []int64{0})
	must(t, there, err)
	home3 := begin(t, j, away, home, 3) // committed home; the source was not revoked
	give(t, s.home, kernel.Seal, home3.Epoch, 3)
	home3, err = j.Commit(t.Context(), home3, 0, []int64{0})
	must(t, home3, err)
	early := begin(t, j, home, away, 8) // not committed, and owned by home: not a wreck
	g.dug = true
	done, err := c.Rescue(t.Context(), handover.RescueOrder{Reason: "it burnt", AcceptLost: true})
	if err != nil || done.Buckets != 6 {
		t.Fatalf("got %+v, %v", done, err)
	}
	for _, b := range []int{1, 2, 3, 4, 5, 7} {
		if err := s.home.Write(b, record(b, 9)); err != nil {
			t.Errorf("home does not own bucket %d: %v", b, err)
		}
		if p := c.Map().Owner(b); p.Owner != home || p.Moving {
			t.Errorf("bucket %d: %+v", b, p)
		}
	}
	if list, err := s.home.Read(1); err != nil || len(list) != 2 {
		t.Errorf("what home had is lost: %d records, %v", len(list), err)
	}
	for _, m := range []handover.Move{back, there, home3, done.Moves[0]} {
		if row, err := j.Move(t.Context(), m.ID); err != nil || row.Outcome != handover.Recovered || row.Phase != handover.Ended {
			t.Errorf("the journal has %+v, %v", row, err)
		}
	}
	if open, err := j.Open(t.Context()); err != nil || len(open) != 1 || open[0].ID != early.ID {
		t.Errorf("open: %+v, %v", open, err)
	}
	// It was not gone after all: it owns what it owned, which the audit sees.
	g.dug = false
	if err := c.Abort(t.Context(), early.ID, "tidy"); err != nil {
		t.Error(err)
	}
	if report, err := c.Audit(t.Context()); err != nil || report.Counts[handover.Both] == 0 || !c.Map().Owner(1).Refused {
		t.Errorf("the audit has %+v, %v", report, err)
	}
}

// TestRescueOfWhatIsNotThere: a bucket that the home has purged, and one that a move home
// has emptied before it was given up, are refused unless their loss is accepted.
func TestRescueOfWhatIsNotThere(t *testing.T) {
	s := newSides()
	c, _ := moved(t, s) // 1 to 5 are owned away
	g := &grave{Participant: s.away}
	o := options(c.Journal(), s.home, g)
	c = start(t, o)
	back := begin(t, c.Journal(), away, home, 4)
	give(t, s.home, kernel.Seal, back.Epoch, 4)
	if err := c.Abort(t.Context(), back.ID, "changed my mind"); err != nil {
		t.Fatal(err)
	}
	g.dug = true
	dry := handover.RescueOrder{DryRun: true}
	under := begin(t, c.Journal(), away, home, 2) // has emptied bucket 2
	give(t, s.home, kernel.Seal, under.Epoch, 2)
	if found, err := c.Rescue(t.Context(), dry); errs.CodeOf(err) != errs.Unsafe || !slices.Equal(found.Lost, []int{2, 4}) || found.Buckets != 5 {
		t.Errorf("emptied by a move, and by one that was given up: %+v, %v", found, err)
	}
	o.Retain = time.Nanosecond // all was to be forgotten long ago
	c = start(t, o)
	found, err := c.Rescue(t.Context(), handover.RescueOrder{Reason: "it burnt"})
	if errs.CodeOf(err) != errs.Unsafe || !slices.Equal(found.Lost, []int{1, 2, 3, 4, 5}) {
		t.Errorf("the time to keep is over: %+v, %v", found, err)
	}
	if p := c.Map().Owner(1); p.Owner != away {
		t.Errorf("bucket 1 was rescued all the same: %+v", p)
	}
	if done, err := c.Rescue(t.Context(), handover.RescueOrder{Reason: "it burnt", AcceptLost: true}); err != nil || done.Buckets != 5 || len(done.Lost) != 5 {
		t.Errorf("accepted: %+v, %v", done, err)
	}
}

// TestNothingComesHomeFromTheDead: a weight that is lowered when the service is gone
// leaves the home its copies.
func TestNothingComesHomeFromTheDead(t *testing.T) {
	s := newSides()
	c, _ := moved(t, s) // 1 to 5 are owned away
	c = start(t, options(c.Journal(), s.home, &grave{Participant: s.away, dug: true}))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // one that begins has no end
	defer cancel()
	if m, err := c.Move(ctx, handover.Batch{Source: away, Target: home, Buckets: []int{1, 2}}); err == nil || m.ID != 0 {
		t.Errorf("a move began: %+v, %v", m, err)
	}
	if done, err := c.Rescue(t.Context(), handover.RescueOrder{Reason: "it burnt"}); err != nil || done.Buckets != 5 || len(done.Lost) != 0 {
		t.Errorf("rescued: %+v, %v", done, err)
	}
}
