package handover_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/handover"
)

func TestMoveThereAndBack(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		s := newSides()
		c := start(t, options(newJournal(t, db), s.home, s.away))
		there := []int{7, 3, 9999}
		for n := range 1300 { // more than two parts
			if err := s.home.Write(3, record(3, n)); err != nil {
				t.Fatal(err)
			}
		}
		m, err := c.Move(t.Context(), handover.Batch{Source: home, Target: away, Buckets: there, Reason: "test"})
		if err != nil || m.Outcome != handover.Moved || m.Records != 1300 || m.Pause <= 0 || m.Phase != handover.Ended {
			t.Fatalf("got %+v, %v", m, err)
		}
		if p := c.Map().Owner(3); p.Owner != away || p.Moving || p.Epoch != m.Epoch {
			t.Errorf("the map has %+v", p)
		}
		if err := s.home.Write(3, record(3, 5000)); errs.CodeOf(err) != errs.Misdirected {
			t.Errorf("the former owner took a write: %v", err)
		}
		if err := s.away.Write(3, record(3, 5001)); err != nil {
			t.Error(err)
		}
		back, err := c.Move(t.Context(), handover.Batch{Source: away, Target: home, Buckets: []int{3}})
		if err != nil || back.Records != 1301 || back.Epoch <= m.Epoch {
			t.Fatalf("got %+v, %v", back, err)
		}
		if list, err := s.home.Read(3); err != nil || len(list) != 1301 {
			t.Errorf("%d records came back, %v", len(list), err)
		}
		if _, err := s.away.Read(3); errs.CodeOf(err) != errs.Misdirected {
			t.Errorf("the former owner was read: %v", err)
		}
		stored, err := c.Journal().Move(t.Context(), m.ID)
		if err != nil || stored.Records != 1300 || stored.Outcome != handover.Moved || stored.Reason != "test" || stored.EndedAt < stored.StartedAt {
			t.Errorf("the journal has %+v, %v", stored, err)
		}
	})
}

// odd is a participant that behaves oddly where its fields say so.
type odd struct {
	kernel.Participant
	order  func(context.Context, kernel.Order) ([]kernel.Fence, error, bool)
	digest func([]kernel.Digest)
	copy   func() error
	status func(*kernel.Status)
}

func (o *odd) Status(ctx context.Context, buckets []int) (kernel.Status, error) {
	s, err := o.Participant.Status(ctx, buckets)
	if o.status != nil {
		o.status(&s)
	}
	return s, err
}

func (o *odd) Order(ctx context.Context, order kernel.Order) ([]kernel.Fence, error) {
	if o.order != nil {
		if refused, err, mine := o.order(ctx, order); mine {
			return refused, err
		}
	}
	return o.Participant.Order(ctx, order)
}

func (o *odd) Copy(ctx context.Context, epoch int64, parts []kernel.Part) ([]kernel.Fence, error) {
	if o.copy != nil {
		if err := o.copy(); err != nil {
			return nil, err
		}
	}
	return o.Participant.Copy(ctx, epoch, parts)
}

func (o *odd) Digest(ctx context.Context, epoch int64, buckets []int) ([]kernel.Digest, error) {
	list, err := o.Participant.Digest(ctx, epoch, buckets)
	if o.digest != nil {
		o.digest(list)
	}
	return list, err
}

var errLine = errors.New("the line is dead")

// failing gives an odd participant that does not answer one kind of order, after having
// carried it out or not, the first n times.
func failing(p kernel.Participant, op kernel.Op, n int, done bool, seen *[]kernel.Order) *odd {
	return &odd{Participant: p, order: func(ctx context.Context, o kernel.Order) ([]kernel.Fence, error, bool) {
		*seen = append(*seen, o)
		if o.Op != op || n == 0 {
			return nil, nil, false
		}
		n--
		if done {
			_, _ = p.Order(ctx, o)
		}
		return nil, errLine, true
	}}
}

// trouble gives participants of which one does not do what it should, and options.
type trouble func(sides, *[]kernel.Order) (h, a kernel.Participant, o handover.Options)

func troubles() map[string]trouble {
	return map[string]trouble{
		"seal fails": func(s sides, seen *[]kernel.Order) (kernel.Participant, kernel.Participant, handover.Options) {
			return s.home, failing(s.away, kernel.Seal, 1, false, seen), handover.Options{}
		},
		"freeze carried out, not answered": func(s sides, seen *[]kernel.Order) (kernel.Participant, kernel.Participant, handover.Options) {
			return failing(s.home, kernel.Freeze, 1, true, seen), s.away, handover.Options{}
		},
		"reactivate fails at first": func(s sides, seen *[]kernel.Order) (kernel.Participant, kernel.Participant, handover.Options) {
			a := &odd{Participant: s.away, digest: func(d []kernel.Digest) { d[0].SHA256 = "" }}
			return failing(s.home, kernel.Reactivate, 2, true, seen), a, handover.Options{}
		},
		"copy fails": func(s sides, _ *[]kernel.Order) (kernel.Participant, kernel.Participant, handover.Options) {
			return s.home, &odd{Participant: s.away, copy: func() error { return errLine }}, handover.Options{}
		},
		"contents differ": func(s sides, _ *[]kernel.Order) (kernel.Participant, kernel.Participant, handover.Options) {
			return s.home, &odd{Participant: s.away, digest: func(d []kernel.Digest) { d[1].SHA256 = "0" }}, handover.Options{}
		},
		"the pause becomes too long": func(s sides, _ *[]kernel.Order) (kernel.Participant, kernel.Participant, handover.Options) {
			wait := &odd{Participant: s.away, copy: func() error { time.Sleep(30 * time.Millisecond); return nil }}
			return s.home, wait, handover.Options{PauseBudget: 10 * time.Millisecond, CopyFrozen: true}
		},
		"the target is behind": func(s sides, _ *[]kernel.Order) (kernel.Participant, kernel.Participant, handover.Options) {
			s.home.Say(true, map[string]int64{"flights": 10, "fares": 1})
			s.away.Say(true, map[string]int64{"flights": 9})
			return s.home, s.away, handover.Options{StepTimeout: 30 * time.Millisecond}
		},
	}
}

// TestWhatGoesWrongBeforeTheCommit: the source owns its buckets again, in a new epoch,
// and no order was sent twice in one epoch.
func TestWhatGoesWrongBeforeTheCommit(t *testing.T) {
	db := migrated(t, dbtest.SQLite(t))
	newJournal(t, db)
	for name, build := range troubles() {
		t.Run(name, func(t *testing.T) {
			j := handover.NewJournal(db, name)
			s, seen := newSides(), []kernel.Order{}
			h, a, over := build(s, &seen)
			o := options(j, h, a)
			if over.PauseBudget > 0 {
				o.PauseBudget = over.PauseBudget
			}
			o.StepTimeout, o.CopyFrozen = over.StepTimeout, over.CopyFrozen
			c := start(t, o)
			if err := s.home.Write(1, record(1, 1)); err != nil {
				t.Fatal(err)
			}
			m, err := c.Move(t.Context(), handover.Batch{Source: home, Target: away, Buckets: []int{1, 2}})
			if err == nil || m.Outcome != handover.Aborted || m.Error == "" || m.Epoch == m.ID {
				t.Fatalf("got %+v, %v", m, err)
			}
			if name == "the target is behind" && !strings.Contains(err.Error(), "flights") {
				t.Errorf("the error does not say why: %v", err)
			}
			if err := s.home.Write(1, record(1, 2)); err != nil {
				t.Errorf("the source does not own its bucket again: %v", err)
			}
			report, err := c.Audit(t.Context())
			if err != nil || len(report.Findings) > 0 || c.Map().Owner(1).Moving || c.Map().Owner(1).Owner != home {
				t.Errorf("the audit has %+v, %v, the map %+v", report, err, c.Map().Owner(1))
			}
			onceAnEpoch(t, seen)
		})
	}
}

// onceAnEpoch: orders before the commit are not sent again in their epoch. Reactivate
// is not one of them: the journal has its epoch already.
func onceAnEpoch(t *testing.T, seen []kernel.Order) {
	t.Helper()
	for i, o := range seen {
		if (o.Op == kernel.Seal || o.Op == kernel.Freeze) && slices.ContainsFunc(seen[:i], func(p kernel.Order) bool { return p.Op == o.Op && p.Epoch == o.Epoch }) {
			t.Errorf("%s was sent twice in epoch %d", o.Op, o.Epoch)
		}
	}
}

// TestAfterTheCommitThereIsOnlyForward: orders that fail are sent until they are
// answered, and revoking comes before granting.
func TestAfterTheCommitThereIsOnlyForward(t *testing.T) {
	for _, op := range []kernel.Op{kernel.SealSource, kernel.Activate} {
		for _, done := range []bool{false, true} {
			s, seen := newSides(), []kernel.Order{}
			var sealed bool
			h := failing(s.home, op, 3, done, &seen)
			a := failing(s.away, op, 3, done, &seen)
			inner := a.order
			a.order = func(ctx context.Context, o kernel.Order) ([]kernel.Fence, error, bool) {
				if o.Op == kernel.Activate {
					_, err := s.home.Read(1)
					sealed = err != nil
				}
				return inner(ctx, o)
			}
			c := start(t, options(newJournal(t, migrated(t, dbtest.SQLite(t))), h, a))
			m, err := c.Move(t.Context(), handover.Batch{Source: home, Target: away, Buckets: []int{1}})
			if err != nil || m.Outcome != handover.Moved || !sealed {
				t.Errorf("%s, carried out %t: got %+v, %v; revoked first: %t", op, done, m, err, sealed)
			}
			if err := s.away.Write(1, record(1, 1)); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestSourceThatCameBackWithLess: it owns its bucket still, by an older fence, when it is
// to be revoked. Nothing is granted until it is.
func TestSourceThatCameBackWithLess(t *testing.T) {
	s := newSides()
	asked, granted := 0, false
	h := &odd{Participant: s.home, order: func(ctx context.Context, o kernel.Order) ([]kernel.Fence, error, bool) {
		if o.Op != kernel.SealSource {
			return nil, nil, false
		}
		asked++
		switch asked {
		case 1:
			s.home.Own(1, 1)
		case 3: // somebody has looked after it
			if refused, err := s.home.Order(ctx, kernel.Order{Op: kernel.Freeze, Epoch: o.Epoch, Buckets: o.Buckets}); err != nil || len(refused) > 0 {
				t.Error(refused, err)
			}
		}
		return nil, nil, false
	}}
	a := &odd{Participant: s.away, order: func(_ context.Context, o kernel.Order) ([]kernel.Fence, error, bool) {
		if o.Op == kernel.Activate && s.home.Write(1, record(1, 1)) == nil {
			granted = true
		}
		return nil, nil, false
	}}
	c := start(t, options(newJournal(t, migrated(t, dbtest.SQLite(t))), h, a))
	m, err := c.Move(t.Context(), handover.Batch{Source: home, Target: away, Buckets: []int{1}})
	if err != nil || m.Outcome != handover.Moved || granted || asked != 3 {
		t.Errorf("got %+v, %v; granted while the source wrote: %t, asked %d times", m, err, granted, asked)
	}
}

func TestTargetThatMayLoseData(t *testing.T) {
	s := newSides()
	s.away.Say(false, nil)
	o := options(newJournal(t, migrated(t, dbtest.SQLite(t))), s.home, s.away)
	batch := handover.Batch{Source: home, Target: away, Buckets: []int{1}}
	if _, err := start(t, o).Move(t.Context(), batch); errs.CodeOf(err) != errs.Unsafe {
		t.Errorf("got %v", err)
	}
	if open, err := o.Journal.Moves(t.Context(), 0, 10); err != nil || len(open) != 0 {
		t.Errorf("the journal has %v, %v", open, err)
	}
	o.AcceptDataLoss = true
	if _, err := start(t, o).Move(t.Context(), batch); err != nil {
		t.Errorf("accepted, and refused: %v", err)
	}
}

// TestTargetCatchesUp: the move waits for the target's copy of others' data.
func TestTargetCatchesUp(t *testing.T) {
	s := newSides()
	asked := 0
	s.home.Say(true, map[string]int64{"flights": 10})
	a := &odd{Participant: s.away, status: func(st *kernel.Status) {
		asked++
		st.Follows = map[string]int64{"flights": int64(4 + asked), "own": 1}
	}}
	c := start(t, options(newJournal(t, migrated(t, dbtest.SQLite(t))), s.home, a))
	if _, err := c.Move(t.Context(), handover.Batch{Source: home, Target: away, Buckets: []int{1}}); err != nil || asked < 6 {
		t.Errorf("after %d questions: %v", asked, err)
	}
}

// TestMoveThatAnotherCoordinatorTook: the first one leaves it alone from then on.
func TestMoveThatAnotherCoordinatorTook(t *testing.T) {
	s, seen := newSides(), []kernel.Order{}
	j := newJournal(t, migrated(t, dbtest.SQLite(t)))
	other := start(t, options(j, s.home, s.away))
	a := &odd{Participant: s.away, copy: func() error {
		open, err := j.Open(t.Context())
		if err == nil {
			err = other.Abort(t.Context(), open[0].ID, "I believe that it is dead")
		}
		return err
	}}
	c := start(t, options(j, failing(s.home, kernel.Recover, 0, false, &seen), a))
	if err := s.home.Write(1, record(1, 1)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Move(t.Context(), handover.Batch{Source: home, Target: away, Buckets: []int{1}})
	if err == nil || !strings.Contains(err.Error(), "another coordinator") {
		t.Errorf("got %v", err)
	}
	if n := len(seen); n != 1 || seen[0].Op != kernel.Freeze {
		t.Errorf("it went on: %+v", seen)
	}
	if err := s.home.Write(1, record(1, 2)); err != nil {
		t.Error(err)
	}
}

// TestCancelledMoveIsSettled: a process that stops does not leave frozen buckets behind.
func TestCancelledMoveIsSettled(t *testing.T) {
	s := newSides()
	ctx, cancel := context.WithCancel(t.Context())
	a := &odd{Participant: s.away, copy: func() error { cancel(); return ctx.Err() }}
	c := start(t, options(newJournal(t, migrated(t, dbtest.SQLite(t))), s.home, a))
	if err := s.home.Write(1, record(1, 1)); err != nil {
		t.Fatal(err)
	}
	m, err := c.Move(ctx, handover.Batch{Source: home, Target: away, Buckets: []int{1}})
	if err == nil || m.Outcome != handover.Aborted {
		t.Errorf("got %+v, %v", m, err)
	}
	if err := s.home.Write(1, record(1, 2)); err != nil {
		t.Error(err)
	}
}
