package handover_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/canary"
	"banyan/proxy/handover"
)

func snapshot() *handover.Snapshot {
	s := &handover.Snapshot{Names: []string{home, away}, Buckets: make([]handover.Bucket, bucket.Count)}
	for b := range s.Buckets {
		s.Buckets[b].Epoch = 1
	}
	return s
}

// TestPlanConverges: whatever weights come one after the other, carrying out what is
// planned leads to the desired cohort, in batches and moves no larger than allowed, and
// nothing is moved that did not have to be.
func TestPlanConverges(t *testing.T) {
	ranks, rnd := canary.NewRanks("r"), rand.New(rand.NewPCG(5, 6))
	s := snapshot()
	for range 30 {
		want := canary.Weight(rnd.IntN(10001))
		pins := map[int]bool{rnd.IntN(10000): true, rnd.IntN(10000): false}
		cohort := ranks.Cohort(want, pins)
		l := handover.Limits{MaxMoves: 1 + rnd.IntN(4), Add: 1 + rnd.IntN(1000), GiveBack: 1 + rnd.IntN(1000)}
		for step := 0; ; step++ {
			list := handover.Plan(cohort, false, s, home, away, l)
			if len(list) == 0 {
				break
			}
			if len(list) > l.MaxMoves || step > 2*bucket.Count {
				t.Fatalf("%d moves at once, %d allowed; step %d", len(list), l.MaxMoves, step)
			}
			for _, b := range list {
				carryOut(t, s, cohort, b, l)
			}
		}
		for b := range s.Buckets {
			if (s.Names[s.Buckets[b].Owner] == away) != cohort.Has(b) {
				t.Fatalf("at %s bucket %d is on the wrong side", want, b)
			}
		}
	}
}

func carryOut(t *testing.T, s *handover.Snapshot, cohort canary.Cohort, b handover.Batch, l handover.Limits) {
	t.Helper()
	most, owner := l.Add, uint8(1)
	if b.Target == home {
		most, owner = l.GiveBack, 0
	}
	if len(b.Buckets) > most {
		t.Fatalf("a batch of %d, %d allowed", len(b.Buckets), most)
	}
	for _, n := range b.Buckets {
		if s.Names[s.Buckets[n].Owner] != b.Source || cohort.Has(n) != (b.Target == away) {
			t.Fatalf("bucket %d is moved from %s to %s for nothing", n, b.Source, b.Target)
		}
		s.Buckets[n].Owner = owner
	}
}

func TestPlanOrder(t *testing.T) {
	ranks, s := canary.NewRanks("r"), snapshot()
	one := handover.Limits{MaxMoves: 1, Add: 3, GiveBack: 3}
	pin := ranks.At(9999)
	list := handover.Plan(ranks.Cohort(100, map[int]bool{pin: true}), false, s, home, away, one)
	if len(list) != 1 || !slices.Equal(list[0].Buckets, []int{pin, ranks.At(0), ranks.At(1)}) {
		t.Errorf("pins come first, then the lowest ranks: %v", list)
	}
	for rank := range 100 {
		s.Buckets[ranks.At(rank)].Owner = 1
	}
	list = handover.Plan(ranks.Cohort(98, map[int]bool{pin: true}), false, s, home, away, one)
	if len(list) != 1 || list[0].Target != home || !slices.Equal(list[0].Buckets, []int{ranks.At(99), ranks.At(98)}) {
		t.Errorf("last added are given back first, before others are added: %v", list)
	}
	s.Buckets[ranks.At(99)].Refused = true
	s.Buckets[ranks.At(98)].Phase = handover.Prep
	if list = handover.Plan(ranks.Cohort(98, nil), false, s, home, away, handover.Limits{MaxMoves: 5, Add: 1, GiveBack: 1}); len(list) != 0 {
		t.Errorf("refused and moving buckets were planned: %v", list)
	}
	if list = handover.Plan(ranks.Cohort(0, nil), false, s, home, away, one); len(list) != 0 {
		t.Errorf("a move is under way, one is allowed, and there is %v", list)
	}
	if list = handover.Plan(ranks.Cohort(0, nil), true, s, home, away, handover.Limits{MaxMoves: 9, GiveBack: 1}); len(list) != 0 {
		t.Errorf("paused, and there is %v", list)
	}
}

// desired is what a test wants at a time.
type desired struct {
	value atomic.Pointer[handover.Desired]
}

func (d *desired) set(v handover.Desired) { d.value.Store(&v) }

func (d *desired) get(context.Context) (handover.Desired, error) { return *d.value.Load(), nil }

// run runs coordinators until the function that it gives is called.
func run(t *testing.T, list ...*handover.Coordinator) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for _, c := range list {
		group.Go(func() {
			if err := c.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); group.Wait() })
	t.Cleanup(stop)
	return stop
}

// TestEverythingThereAndBack moves an empty system from 0 to 100 % and back by Run, and
// looks at what people see of it.
func TestEverythingThereAndBack(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		s, want := newSides(), &desired{}
		want.set(handover.Desired{Weight: canary.Full})
		o := options(newJournal(t, db), s.home, s.away)
		o.Desired = want.get
		var ended atomic.Int64
		o.Observe = func(r handover.Report) {
			ended.Add(1)
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
		c := start(t, o)
		preview, err := c.DryRun(t.Context(), handover.Desired{Weight: 2500})
		if err != nil || preview.Add != 2500 || preview.GiveBack != 0 || !preview.Estimated || preview.Batches == 0 || preview.Pause <= 0 {
			t.Errorf("preview %+v, %v", preview, err)
		}
		began := time.Now()
		run(t, c)
		until(t, "everything there", func() bool { return c.Progress().Actual == bucket.Count })
		t.Logf("there after %s in %d moves: %+v", time.Since(began), ended.Load(), c.Progress())
		if p := c.Progress(); p.Goal != bucket.Count || p.PauseP99 <= 0 || p.Error != "" {
			t.Errorf("progress %+v", p)
		}
		want.set(handover.Desired{Weight: canary.Full, Paused: true})
		want.set(handover.Desired{Weight: 0})
		c.Kick()
		until(t, "everything back", func() bool { p := c.Progress(); return p.Actual == 0 && p.Moving == 0 })
		until(t, "an audit of everything", func() bool { // a bucket whose move is just ending is not judged
			report, err := c.Audit(t.Context())
			if err != nil || len(report.Findings) > 0 {
				t.Errorf("the audit has %+v, %v", report, err)
			}
			return err != nil || report.Checked == bucket.Count && report.Owned == bucket.Count
		})
	})
}

// TestCoordinatorsRace: three coordinators on one journal, each of which takes the
// others for dead at every moment, while weights change and clients write: what a side
// takes that does not own the bucket would be lost, and nothing is lost.
func TestCoordinatorsRace(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		s, want, rnd := newSides(), &desired{}, rand.New(rand.NewPCG(seed, 9))
		want.set(handover.Desired{})
		j := newJournal(t, migrated(t, dbtest.SQLite(t)))
		var list []*handover.Coordinator
		for range 3 {
			o := options(j, s.home, s.away)
			o.Desired, o.StaleAfter, o.Heartbeat, o.MaxBuckets = want.get, time.Microsecond, 3*time.Millisecond, 7
			list = append(list, start(t, o))
		}
		ranks := list[0].Ranks()
		stop := run(t, list...)
		acked := map[int][]int{}
		for n := range 900 {
			b := ranks.At(rnd.IntN(40))
			if s.home.Write(b, record(b, 2*n)) == nil {
				acked[b] = append(acked[b], 2*n)
			}
			if s.away.Write(b, record(b, 2*n+1)) == nil { // both may be right, one after the other
				acked[b] = append(acked[b], 2*n+1)
			}
			if n%100 == 0 {
				want.set(handover.Desired{Weight: canary.Weight(rnd.IntN(41))})
			}
			time.Sleep(100 * time.Microsecond)
		}
		stop()
		settle(t, j, s)
		outcomes := map[handover.Outcome]int{}
		moves, err := j.Moves(t.Context(), 0, 10000)
		for _, m := range moves {
			outcomes[m.Outcome]++
		}
		if err != nil || outcomes[handover.Moved] == 0 || outcomes[""] > 0 {
			t.Errorf("seed %d: the moves ended as %v, %v", seed, outcomes, err)
		}
		t.Logf("seed %d: %v", seed, outcomes)
		lookAtAll(t, list[0], s, acked)
	}
}

// settle lets a coordinator end what is under way.
func settle(t *testing.T, j *handover.Journal, s sides) {
	t.Helper()
	o := options(j, s.home, s.away)
	o.StaleAfter = time.Microsecond
	c := start(t, o)
	until(t, "settled", func() bool {
		if err := c.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		open, err := j.Open(t.Context())
		return err == nil && len(open) == 0
	})
}

func lookAtAll(t *testing.T, c *handover.Coordinator, s sides, acked map[int][]int) {
	t.Helper()
	report, err := c.Audit(t.Context())
	if err != nil || len(report.Findings) > 0 || report.Owned != bucket.Count {
		t.Errorf("the audit has %+v, %v", report, err)
	}
	for b, list := range acked {
		owner := s.home
		if c.Map().Owner(b).Owner == away {
			owner = s.away
		}
		records, err := owner.Read(b)
		if err != nil {
			t.Error(err)
		}
		for _, n := range list {
			if !slices.ContainsFunc(records, func(r []byte) bool { return string(r) == string(record(b, n)) }) {
				t.Errorf("write %d of bucket %d is lost", n, b)
			}
		}
	}
}

func TestRunNeedsToKnowWhatIsDesired(t *testing.T) {
	s := newSides()
	c := start(t, options(newJournal(t, migrated(t, dbtest.SQLite(t))), s.home, s.away))
	if err := c.Run(t.Context()); errs.CodeOf(err) != errs.Invalid {
		t.Errorf("got %v", err)
	}
}

// TestDryRunCounts: a dry run counts exactly where it may read everything.
func TestDryRunCounts(t *testing.T) {
	s := newSides()
	c := start(t, options(newJournal(t, migrated(t, dbtest.SQLite(t))), s.home, s.away))
	want := handover.Desired{Weight: 50}
	flights := int64(0)
	for b := range bucket.Count {
		if !c.Ranks().Cohort(want.Weight, nil).Has(b) {
			continue
		}
		flights++
		for _, line := range []string{`{"record":"flight","flight_id":"F%d","version":2}`, `{"record":"seat","flight_id":"F%d","seat":"1A"}`} {
			if err := s.home.Write(b, fmt.Appendf(nil, line, b)); err != nil {
				t.Fatal(err)
			}
		}
	}
	p, err := c.DryRun(t.Context(), want)
	if err != nil || p.Add != 50 || p.Flights != flights || p.Records != 2*flights || p.Estimated {
		t.Errorf("of %d flights: %+v, %v", flights, p, err)
	}
}
