package handover_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
	"banyan/proxy/handover"
)

func TestMapBeforeStart(t *testing.T) {
	s := newSides()
	c, err := handover.New(options(handover.NewJournal(migrated(t, dbtest.SQLite(t)), "r"), s.home, s.away))
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Map().Owner(1); !p.Refused {
		t.Errorf("before the journal was read: %+v", p)
	}
	if err := c.Map().Refresh(t.Context()); err == nil {
		t.Error("a route that the journal does not know was read")
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for b, want := range map[int]bool{0: false, 9999: false, 10000: true, -1: true} {
		if p := c.Map().Owner(b); p.Refused != want || !want && p.Owner != home {
			t.Errorf("bucket %d: %+v", b, p)
		}
	}
}

func TestOwnerAllocatesNothing(t *testing.T) {
	s := newSides()
	c := start(t, options(newJournal(t, migrated(t, dbtest.SQLite(t))), s.home, s.away))
	sink := 0
	if n := testing.AllocsPerRun(1000, func() { sink += len(c.Map().Owner(42).Owner) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestMapFollowsOthers: what another process decides is known after Refresh, and while
// a bucket moves Await waits for the end of it.
func TestMapFollowsOthers(t *testing.T) {
	s := newSides()
	j := newJournal(t, migrated(t, dbtest.SQLite(t)))
	c := start(t, options(j, s.home, s.away))
	m := begin(t, j, home, away, 1)
	var group sync.WaitGroup
	for range 50 { // they share readings
		group.Go(func() {
			if err := c.Map().Refresh(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	p := c.Map().Owner(1)
	if !p.Moving || p.Owner != home || p.Epoch != m.Epoch {
		t.Fatalf("moving: %+v", p)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := c.Map().Await(short, 1, p.Version); errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("it still moves: %v", err)
	}
	woken := make(chan handover.Place, 1)
	group.Go(func() {
		place, err := c.Map().Await(t.Context(), 1, p.Version)
		if err != nil {
			t.Error(err)
		}
		woken <- place
	})
	m, err := j.Commit(t.Context(), m, 0, []int64{0})
	must(t, m, err)
	if err := c.Map().Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if place := <-woken; place.Owner != away || !place.Moving || place.Version == p.Version {
		t.Errorf("woken with %+v", place)
	}
	m, err = j.Finish(t.Context(), m, 0)
	must(t, m, err)
	if err := c.Map().Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if place, err := c.Map().Await(t.Context(), 1, c.Map().Owner(1).Version); err != nil || place.Moving || place.Owner != away {
		t.Errorf("at rest: %+v, %v", place, err)
	}
	group.Wait()
}

// TestMapIsToldAtOnce: what this process decides needs no reading.
func TestMapIsToldAtOnce(t *testing.T) {
	s := newSides()
	var c *handover.Coordinator
	seen := map[kernel.Op]handover.Place{}
	h := &odd{Participant: s.home, order: func(_ context.Context, o kernel.Order) ([]kernel.Fence, error, bool) {
		seen[o.Op] = c.Map().Owner(1)
		return nil, nil, false
	}}
	c = start(t, options(newJournal(t, migrated(t, dbtest.SQLite(t))), h, s.away))
	if _, err := c.Move(t.Context(), handover.Batch{Source: home, Target: away, Buckets: []int{1}}); err != nil {
		t.Fatal(err)
	}
	if f, z, p := seen[kernel.Freeze], seen[kernel.SealSource], c.Map().Owner(1); f.Owner != home || !f.Moving || z.Owner != away || !z.Moving || p.Owner != away || p.Moving {
		t.Errorf("at freeze %+v, after the commit %+v, at the end %+v", f, z, p)
	}
}
