package handover_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	migrations "banyan/migrations/proxy"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/handover"
)

func begin(t *testing.T, j *handover.Journal, source, target string, buckets ...int) handover.Move {
	t.Helper()
	m, err := j.Begin(t.Context(), handover.Batch{Source: source, Target: target, Buckets: buckets, Reason: "test"}, "me", 10)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func must(t *testing.T, m handover.Move, err error) handover.Move {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestInit(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		j := newJournal(t, db)
		s, err := j.Snapshot(t.Context(), nil)
		if err != nil || len(s.Buckets) != bucket.Count || s.Names[0] != home {
			t.Fatalf("got %d buckets, %v", len(s.Buckets), err)
		}
		for number, b := range s.Buckets {
			if b != (handover.Bucket{Epoch: 1, Changed: 1}) {
				t.Fatalf("bucket %d begins as %+v", number, b)
			}
		}
		if err := j.Init(t.Context(), home); err != nil {
			t.Errorf("again: %v", err)
		}
		if err := j.Init(t.Context(), "elsewhere"); errs.CodeOf(err) != errs.Unsafe {
			t.Errorf("another home: %v", err)
		}
		if _, err := db.Writer().ExecContext(t.Context(), "UPDATE handover_routes SET bucket_hash='crc32/64/v0'"); err != nil {
			t.Fatal(err)
		}
		if err := j.Init(t.Context(), home); errs.CodeOf(err) != errs.Unsafe || !strings.Contains(err.Error(), "crc32/64/v0") {
			t.Errorf("another hash: %v", err)
		}
	})
}

// TestTransitions goes every way once, and tries every transition where it must fail.
func TestTransitions(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		j := newJournal(t, db)
		first := begin(t, j, home, away, 1, 2, 3)
		taken, err := j.TakeOver(t.Context(), first, "other")
		must(t, taken, err)
		if taken.Epoch <= first.Epoch || taken.ID != first.ID {
			t.Errorf("taken over: %+v", taken)
		}
		refusals(t, "after it was taken over", j, first, handover.Prep)
		committed, err := j.Commit(t.Context(), taken, 42, []int64{1, 0, 2})
		must(t, committed, err)
		refusals(t, "committed", j, taken, handover.Committed)
		adopted, err := j.Adopt(t.Context(), committed, "third")
		must(t, adopted, err)
		ended, err := j.Finish(t.Context(), adopted, 1500*time.Microsecond)
		must(t, ended, err)
		refusals(t, "finished", j, adopted, handover.Ended)
		stored, err := j.Move(t.Context(), first.ID)
		must(t, stored, err)
		if stored.Coordinator != "third" || stored.Outcome != handover.Moved || stored.Records != 42 || stored.Pause != 1500*time.Microsecond || stored.EndedAt == 0 {
			t.Errorf("stored is %+v", stored)
		}

		second := begin(t, j, away, home, 1, 2)
		aborting, err := j.Abort(t.Context(), second, "me", "no reason")
		must(t, aborting, err)
		again, err := j.Abort(t.Context(), aborting, "other", "another reason")
		must(t, again, err)
		refusals(t, "taken over while given up", j, aborting, handover.Aborting)
		back, err := j.Aborted(t.Context(), again, 0, again.Error)
		must(t, back, err)
		if back.Error != "no reason" || second.Epoch >= aborting.Epoch || aborting.Epoch >= again.Epoch {
			t.Errorf("given up: %+v", back)
		}
		s, err := j.Snapshot(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for number, want := range map[int]struct {
			owner string
			epoch int64
		}{1: {away, again.Epoch}, 2: {away, again.Epoch}, 3: {away, taken.Epoch}, 4: {home, 1}} {
			if b := s.Buckets[number]; s.Names[b.Owner] != want.owner || b.Owner != b.Target || b.Epoch != want.epoch || b.Phase != handover.Idle || b.Move != 0 {
				t.Errorf("bucket %d is %+v, want %+v", number, b, want)
			}
		}
	})
}

// refusals tries every transition of a move as it was seen before, in every phase: each
// must fail and change nothing.
func refusals(t *testing.T, when string, j *handover.Journal, seen handover.Move, now handover.Phase) {
	t.Helper()
	before, err := j.Changed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, phase := range []handover.Phase{handover.Prep, handover.Committed, handover.Aborting, handover.Ended} {
		m := seen
		m.Phase = phase
		fails := map[string]error{}
		_, fails["TakeOver"] = j.TakeOver(t.Context(), m, "x")
		_, fails["Commit"] = j.Commit(t.Context(), m, 0, nil)
		_, fails["Abort"] = j.Abort(t.Context(), m, "x", "x")
		_, fails["Aborted"] = j.Aborted(t.Context(), m, 0, "")
		if now != handover.Committed || phase != handover.Committed { // that is what it is
			_, fails["Adopt"] = j.Adopt(t.Context(), m, "x")
			_, fails["Finish"] = j.Finish(t.Context(), m, 0)
		}
		for name, err := range fails {
			if errs.CodeOf(err) != errs.PreconditionFailed {
				t.Errorf("%s: %s of a move seen %s: %v", when, name, phase, err)
			}
		}
	}
	if after, err := j.Changed(t.Context()); err != nil || after != before {
		t.Errorf("%s: refused transitions changed the journal, %v", when, err)
	}
}

// TestAllOrNone: one bucket that is not as demanded keeps the move from beginning.
func TestAllOrNone(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		j := newJournal(t, db)
		begin(t, j, home, away, 5)
		for name, b := range map[string]handover.Batch{
			"one is moving":    {Source: home, Target: away, Buckets: []int{4, 5}},
			"another's bucket": {Source: away, Target: home, Buckets: []int{4}},
			"no such bucket":   {Source: home, Target: away, Buckets: []int{4, 10000}},
			"named twice":      {Source: home, Target: away, Buckets: []int{4, 4}},
		} {
			if _, err := j.Begin(t.Context(), b, "me", 10); errs.CodeOf(err) != errs.PreconditionFailed {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, b := range map[string]handover.Batch{
			"to itself": {Source: home, Target: home, Buckets: []int{4}}, "nowhere": {Source: home, Buckets: []int{4}},
			"nothing": {Source: home, Target: away}, "too much": {Source: home, Target: away, Buckets: make([]int, 1001)},
		} {
			if _, err := j.Begin(t.Context(), b, "me", 10); errs.CodeOf(err) != errs.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := j.Begin(t.Context(), handover.Batch{Source: home, Target: away, Buckets: []int{4}}, "me", 1); errs.CodeOf(err) != errs.PreconditionFailed {
			t.Errorf("one move too many: %v", err)
		}
		if s, err := j.Snapshot(t.Context(), nil); err != nil || s.Buckets[4].Phase != handover.Idle || s.Buckets[4].Epoch != 1 {
			t.Errorf("bucket 4 is %+v, %v", s.Buckets[4], err)
		}
	})
}

// scores count who won what.
type scores struct {
	t      *testing.T
	mu     sync.Mutex
	epochs map[int64]int
	wins   map[string]int
}

func (s *scores) won(what string, m handover.Move, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if errs.CodeOf(err) != errs.PreconditionFailed {
			s.t.Errorf("%s: %v", what, err)
		}
		return false
	}
	s.wins[what]++
	if what != "commit" {
		s.epochs[m.Epoch]++
	}
	return true
}

// TestTwoJournalsRace: of two that begin, commit or give up the same, one wins, epochs
// are handed out once, and every bucket is in one move at most.
func TestTwoJournalsRace(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		newJournal(t, db)
		scores := scores{t: t, epochs: map[int64]int{}, wins: map[string]int{}}
		won := scores.won
		moves := make(chan handover.Move, 64)
		var group sync.WaitGroup
		for who := range 2 {
			group.Go(func() { // begins moves of overlapping buckets
				j, rnd := handover.NewJournal(db, "reservations"), rand.New(rand.NewPCG(7, uint64(who)))
				for range 15 {
					list := rnd.Perm(30)[:3]
					m, err := j.Begin(t.Context(), handover.Batch{Source: home, Target: away, Buckets: list}, "me", 100)
					if won("begin", m, err) {
						moves <- m
					}
				}
			})
		}
		group.Wait()
		close(moves)
		for m := range moves {
			for _, what := range []string{"commit", "abort"} {
				group.Go(func() {
					j := handover.NewJournal(db, "reservations")
					var after handover.Move
					var err error
					if what == "commit" {
						after, err = j.Commit(t.Context(), m, 0, []int64{0, 0, 0})
					} else {
						after, err = j.Abort(t.Context(), m, "me", "race")
					}
					won(what, after, err)
				})
			}
		}
		group.Wait()
		if wins := scores.wins; wins["begin"] == 0 || wins["commit"]+wins["abort"] != wins["begin"] {
			t.Errorf("wins: %v", wins)
		}
		for e, n := range scores.epochs {
			if n > 1 {
				t.Errorf("epoch %d was handed out %d times", e, n)
			}
		}
	})
}

func TestSnapshotsOfWhatChanged(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		j := newJournal(t, db)
		first, err := j.Snapshot(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := j.Snapshot(t.Context(), first); err != nil || same != first {
			t.Errorf("nothing changed, and it is another one: %v", err)
		}
		m := begin(t, j, home, away, 8, 9)
		second, err := j.Snapshot(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		full, err := j.Snapshot(t.Context(), nil)
		if err != nil || !slices.Equal(full.Buckets, second.Buckets) || second.Changes != full.Changes {
			t.Errorf("what changed and all of it differ, %v", err)
		}
		if b := second.Buckets[8]; b.Epoch != m.Epoch || b.Move != m.ID || b.Phase != handover.Prep || second.Names[b.Target] != away || second.Names[b.Owner] != home {
			t.Errorf("bucket 8 is %+v", b)
		}
		if first.Buckets[8].Phase != handover.Idle || len(first.Names) != 1 {
			t.Error("the earlier snapshot was changed")
		}
	})
}

func TestStalePurgesPagesAndPins(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		j := newJournal(t, db)
		m := begin(t, j, home, away, 1, 2)
		until(t, "stale", func() bool {
			list, err := j.Stale(t.Context(), time.Microsecond)
			return err == nil && len(list) == 1 && list[0].ID == m.ID
		})
		if list, err := j.Stale(t.Context(), time.Hour); err != nil || len(list) != 0 {
			t.Errorf("stale after an hour: %v, %v", list, err)
		}
		if err := j.Heartbeat(t.Context(), "me", []int64{m.ID}); err != nil {
			t.Error(err)
		}
		if beat, err := j.Move(t.Context(), m.ID); err != nil || beat.HeartbeatAt <= m.HeartbeatAt {
			t.Errorf("no heartbeat: %+v, %v", beat, err)
		}
		m, err := j.Commit(t.Context(), m, 0, []int64{0, 0})
		must(t, m, err)
		m, err = j.Finish(t.Context(), m, 0)
		must(t, m, err)
		if list, err := j.Purgeable(t.Context(), time.Hour); err != nil || len(list) != 0 {
			t.Errorf("to be forgotten after an hour: %v, %v", list, err)
		}
		list, err := j.Purgeable(t.Context(), -time.Second)
		if err != nil || len(list) != 1 || list[0].Store != home || list[0].Epoch != m.Epoch || !slices.Equal(list[0].Buckets, []int{1, 2}) {
			t.Fatalf("to be forgotten: %+v, %v", list, err)
		}
		list[0].Epoch++ // something newer is to be forgotten: the answer is about nothing
		if err := j.Purged(t.Context(), list[0]); err != nil {
			t.Error(err)
		}
		list[0].Epoch, list[0].Buckets = m.Epoch, []int{1}
		if err := j.Purged(t.Context(), list[0]); err != nil {
			t.Error(err)
		}
		if list, err = j.Purgeable(t.Context(), -time.Second); err != nil || len(list) != 1 || !slices.Equal(list[0].Buckets, []int{2}) {
			t.Errorf("left: %+v, %v", list, err)
		}
		begin(t, j, home, away, 3)
		page, err := j.Moves(t.Context(), 0, 1)
		if err != nil || len(page) != 1 || page[0].ID <= m.ID {
			t.Fatalf("first page: %+v, %v", page, err)
		}
		if page, err = j.Moves(t.Context(), page[0].ID, 5); err != nil || len(page) != 1 || page[0].ID != m.ID {
			t.Errorf("second page: %+v, %v", page, err)
		}
		pins(t, j)
	})
}

func pins(t *testing.T, j *handover.Journal) {
	t.Helper()
	for _, p := range []handover.Pin{{Bucket: 7, Owner: home, Reason: "a"}, {Bucket: 7, Owner: away, Reason: strings.Repeat("é", 400)}, {Bucket: 8, Owner: home}} {
		if err := j.SetPin(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.RemovePin(t.Context(), 8); err != nil {
		t.Fatal(err)
	}
	list, err := j.Pins(t.Context())
	if err != nil || len(list) != 1 || list[0].Owner != away || len(list[0].Reason) != 512 || list[0].SetAt == 0 {
		t.Errorf("pins are %+v, %v", list, err)
	}
	if m := handover.PinsOf(list, away); !m[7] || len(m) != 1 {
		t.Errorf("pins are %v", m)
	}
}

func TestMigrationGoesDown(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB) {
		m, err := sqldb.NewMigrator(db, migrations.FS)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		newJournal(t, db)
	})
}
