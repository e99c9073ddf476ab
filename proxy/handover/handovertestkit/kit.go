// Package handovertestkit stops coordinators dead at every point of a move and checks
// that another one settles it, with nothing lost and nobody writing on two sides. It
// runs on any journal and any pair of stores.
package handovertestkit

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	kernel "banyan/modules/kernel/handover"
	"banyan/proxy/handover"
)

// Store is a side of the route, and how a client uses it.
type Store struct {
	kernel.Participant
	// Write makes the n-th write to a bucket; nil if it was acknowledged.
	Write func(ctx context.Context, bucket, n int) error
	// Has tells whether the n-th write is there; an error if the store does not own it.
	Has func(ctx context.Context, bucket, n int) (bool, error)
}

// Rig is what the scenarios run on: a journal that was initialised with the home "home",
// which owns every bucket in epoch 1, and no other coordinator.
type Rig struct {
	Journal    *handover.Journal
	Home, Away Store
	// Share and Of let several rigs divide the scenarios: this one runs every Of-th, from
	// the Share-th on, counted from 0. An Of of 0 stands for all.
	Share, Of int

	healthy *handover.Coordinator
	met     int // scenarios that this rig has run or left to others
	next    int // the first bucket that no scenario has used
	writes  int
}

// buckets of a scenario.
const buckets = 3

// Names of the sides.
const (
	Home = "home"
	Away = "away"
)

// Crashes runs every scenario. It uses some thousand buckets.
func Crashes(t *testing.T, r *Rig) {
	r.healthy = r.coordinator(t, "healthy", nil, "")
	if err := r.healthy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, back := range []bool{false, true} {
		for _, f := range slices.Concat(faults(), leaving(), frozen()) {
			r.run(t, back, f, nil)
		}
		for _, step := range []handover.Step{handover.StepDigest, handover.StepCommit} {
			for _, f := range faults() {
				first := &Fault{Step: step, Point: handover.After}
				if recovers(first, f) {
					r.run(t, back, first, f)
				}
			}
		}
	}
}

// run runs a scenario, if it is one of this rig's share.
func (r *Rig) run(t *testing.T, back bool, first, second *Fault) {
	t.Helper()
	r.met++
	if (r.met-1)%max(r.Of, 1) != r.Share {
		return
	}
	name := fmt.Sprintf("back=%t/%s", back, first)
	if first.stir != nil {
		name += "-stirred"
	}
	if first.copyFrozen {
		name += "-frozen"
	}
	if second != nil {
		name += "/" + second.String()
	}
	t.Run(name, func(t *testing.T) { r.scenario(t, back, first, second) })
}

// recovers tells whether a step is one of the recovery from a fault.
func recovers(first, second *Fault) bool {
	switch second.Step {
	case handover.StepAbort:
		return true
	case handover.StepReactivate, handover.StepAborted:
		return first.Step == handover.StepDigest
	case handover.StepSealSource, handover.StepActivate, handover.StepFinish:
		return first.Step == handover.StepCommit
	default:
		return false
	}
}

// scenario moves buckets by a coordinator that dies, perhaps has a second one die, and
// lets a third one settle it.
func (r *Rig) scenario(t *testing.T, back bool, first, second *Fault) {
	s := &scene{Rig: r, t: t, acked: map[int][]int{}}
	for range buckets {
		s.buckets = append(s.buckets, r.next)
		r.next++
	}
	from, to := Home, Away
	if back {
		from, to = Away, Home
		s.use()
		if _, err := s.healthy.Move(t.Context(), handover.Batch{Source: Home, Target: Away, Buckets: s.buckets}); err != nil {
			t.Fatal(err)
		}
	}
	s.use()
	broken := ""
	if first.stir != nil {
		first.stir = func() { s.write(s.buckets[0]) }
	} else if first.aborting() {
		broken = to
	}
	_, err := s.coordinator(t, fmt.Sprintf("first-%d", s.buckets[0]), first, broken).Move(t.Context(), handover.Batch{Source: from, Target: to, Buckets: s.buckets})
	s.mustHit(first, err)
	s.use()
	if second != nil {
		c := s.coordinator(t, fmt.Sprintf("second-%d", s.buckets[0]), second, "")
		s.recover(c, func() bool { return second.hit })
		s.mustHit(second, nil)
		s.use()
	}
	s.settled()
	first.deliver()
	s.settled() // a transition that comes late may begin a move that nobody works on
	if second != nil {
		second.deliver()
		s.settled()
	}
	s.roundTrip()
}

// scene is a scenario under way.
type scene struct {
	*Rig
	t       *testing.T
	buckets []int
	acked   map[int][]int // writes by bucket
}

// coordinator makes one; the side named has its digests spoilt.
func (r *Rig) coordinator(t *testing.T, id string, f *Fault, broken string) *handover.Coordinator {
	t.Helper()
	home, away := kernel.Participant(r.Home), kernel.Participant(r.Away)
	switch broken {
	case Home:
		home = spoilt{home}
	case Away:
		away = spoilt{away}
	}
	o := handover.Options{
		Journal: r.Journal, Home: handover.Side{Name: Home, Participant: home}, Away: handover.Side{Name: Away, Participant: away},
		ID: id, PauseBudget: time.Minute, StaleAfter: time.Microsecond,
	}
	if f != nil {
		o.Faults, o.CopyFrozen = f, f.copyFrozen
	}
	c, err := handover.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// use writes to both sides; at most one of them may acknowledge.
func (s *scene) use() {
	s.t.Helper()
	for _, b := range s.buckets {
		s.write(b)
	}
}

// write writes to a bucket on both sides.
func (s *scene) write(b int) {
	s.t.Helper()
	s.writes++
	n := s.writes
	home, away := s.Home.Write(s.t.Context(), b, n), s.Away.Write(s.t.Context(), b, n)
	if home == nil && away == nil {
		s.t.Errorf("both sides acknowledged a write to bucket %d", b)
	}
	if home == nil || away == nil {
		s.acked[b] = append(s.acked[b], n)
	}
}

// mustHit fails the test if the coordinator did not die where it should have.
func (s *scene) mustHit(f *Fault, err error) {
	s.t.Helper()
	if !f.hit {
		s.t.Fatalf("the fault %s was never met: %v", f, err)
	}
}

// recover lets a coordinator look after stale moves until it is enough, with a bound.
func (s *scene) recover(c *handover.Coordinator, enough func() bool) {
	s.t.Helper()
	for range 200 {
		if err := c.Recover(s.t.Context()); err != nil && !enough() {
			s.t.Fatal(err)
		}
		if enough() {
			return
		}
		time.Sleep(time.Millisecond) // the database's clock is coarse: stale is later than now
	}
	s.t.Fatal("the moves were not settled")
}

// settled lets a healthy coordinator settle everything and checks what it left.
func (s *scene) settled() {
	s.t.Helper()
	s.recover(s.healthy, func() bool {
		open, err := s.Journal.Open(s.t.Context())
		return err == nil && len(open) == 0
	})
	s.check(s.healthy)
}

// check wants each bucket idle, owned and written by the side that the journal names,
// with every acknowledged write.
func (s *scene) check(c *handover.Coordinator) {
	s.t.Helper()
	report, err := c.Audit(s.t.Context())
	if err != nil || len(report.Findings) != 0 || report.Owned != report.Checked {
		s.t.Errorf("the audit found %+v, %v", report, err)
	}
	if err := c.Map().Refresh(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	for _, b := range s.buckets {
		place := c.Map().Owner(b)
		owner, other := s.Home, s.Away
		if place.Owner == Away {
			owner, other = s.Away, s.Home
		}
		if place.Moving || place.Refused {
			s.t.Errorf("bucket %d is not settled: %+v", b, place)
		}
		for _, n := range s.acked[b] {
			if has, err := owner.Has(s.t.Context(), b, n); err != nil || !has {
				s.t.Errorf("%s has lost write %d of bucket %d, %v", place.Owner, n, b, err)
			}
			if _, err := other.Has(s.t.Context(), b, n); err == nil {
				s.t.Errorf("both sides let bucket %d be read, %s owns it", b, place.Owner)
			}
		}
		s.writes++
		if owner.Write(s.t.Context(), b, s.writes) == nil {
			s.acked[b] = append(s.acked[b], s.writes)
		} else {
			s.t.Errorf("%s does not take a write to bucket %d, which it owns", place.Owner, b)
		}
		if other.Write(s.t.Context(), b, s.writes) == nil {
			s.t.Errorf("both sides take writes to bucket %d", b)
		}
	}
}

// roundTrip moves the buckets to the other side and back: nothing stands in the way.
func (s *scene) roundTrip() {
	s.t.Helper()
	c := s.healthy
	for range 2 {
		owned := map[string][]int{} // some may have stayed
		for _, b := range s.buckets {
			from := c.Map().Owner(b).Owner
			owned[from] = append(owned[from], b)
		}
		for from, buckets := range owned {
			to := Away
			if from == Away {
				to = Home
			}
			if _, err := c.Move(s.t.Context(), handover.Batch{Source: from, Target: to, Buckets: buckets}); err != nil {
				s.t.Error(err)
			}
		}
		s.check(c)
	}
}
