package crashpoints_test

import (
	"context"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/proxy/handover"
	"banyan/proxy/handover/handovertestkit"
)

// TestServicesAreRestarted starts both services again when buckets were moved there, and
// back: what was sealed is neither read nor written by whoever comes back.
func TestServicesAreRestarted(t *testing.T) {
	for name, at := range map[string]places{"mysql-redis": mysqlRedis, "sqlite-mysql": sqliteMySQL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home, away := at(t)
			k := &kills{pair: newPair(t, journal(t, dbtest.MySQL(t)), home, away)}
			buckets := []int{3, 4, 5}
			source, target := handovertestkit.Home, handovertestkit.Away
			for range 2 {
				for _, b := range buckets {
					k.writes++
					(&client{k.pair}).book(t.Context(), t, b, k.writes)
				}
				k.carry(t, k.coordinator(t, options(nil)), source, target, buckets)
				k.open(t, home, away)
				c := k.coordinator(t, options(nil))
				for _, b := range buckets {
					k.check(t, c, b)
				}
				k.audited(t)
				source, target = target, source
			}
		})
	}
}

// slow is a coordinator that takes longer to commit than the pause may last, and looks
// all the time whether the source lets itself be written to.
type slow struct {
	look  func()
	until time.Duration
}

// At implements handover.Faults.
func (s *slow) At(step handover.Step, point handover.Point, _ func()) error {
	if step == handover.StepCommit && point == handover.Before {
		for end := time.Now().Add(s.until); time.Now().Before(end); {
			s.look()
		}
	}
	return nil
}

// TestFrozenUntilItIsDecided lets a move's pause pass its budget when everything but the
// commit is done: only the journal may give the bucket back, time may not.
func TestFrozenUntilItIsDecided(t *testing.T) {
	t.Parallel()
	const budget = 50 * time.Millisecond
	for name, at := range map[string]places{"mysql-redis": mysqlRedis, "sqlite-redis": sqliteRedis} {
		t.Run(name, func(t *testing.T) {
			home, away := at(t)
			k := &kills{pair: newPair(t, journal(t, dbtest.MySQL(t)), home, away)}
			k.writes++
			(&client{k.pair}).book(t.Context(), t, 7, k.writes)
			s := &slow{until: 10 * budget, look: func() {
				if t.Failed() {
					return
				}
				k.writes++
				if err := k.home.book(t.Context(), 7, booking{n: k.writes, ask: k.ledger.request(7, k.writes)}); errs.CodeOf(err) != errs.Misdirected {
					t.Errorf("a frozen bucket answered a write: %v", err)
				}
				time.Sleep(budget / 10)
			}}
			c := k.coordinator(t, func(o *handover.Options) { o.PauseBudget, o.Grace, o.Faults = budget, time.Second, s })
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for range 20 { // on a busy machine a move may be given up before
				if t.Failed() {
					return
				}
				if _, err := c.Move(ctx, handover.Batch{Source: handovertestkit.Home, Target: handovertestkit.Away, Buckets: []int{7}}); err == nil {
					break
				}
			}
			if owner, _ := k.owner(t, c, 7); owner.Service != k.away.Service {
				t.Fatal("the bucket was not moved")
			}
			k.check(t, c, 7)
			k.audited(t)
		})
	}
}
