package crashpoints_test

import (
	"fmt"
	"sync"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/proxy/handover/handovertestkit"
)

// rigs is into how many a pair's scenarios are divided: each waits for disks most of
// the time.
const rigs = 3

// TestCrashPoints stops coordinators dead before, within and after every step of a move
// in both directions, and has others settle what they left.
func TestCrashPoints(t *testing.T) {
	var group sync.WaitGroup
	for name, at := range stores() {
		for share := range rigs {
			// Not t.Parallel, which waits for processors.
			group.Go(func() {
				t.Run(fmt.Sprintf("%s/%d", name, share), func(t *testing.T) { crashes(t, at, share) })
			})
		}
	}
	group.Wait()
}

func crashes(t *testing.T, at func(testing.TB) (home, away place), share int) {
	home, away := at(t)
	p := newPair(t, journal(t, dbtest.MySQL(t)), home, away)
	rig := &handovertestkit.Rig{Journal: p.journal, Home: p.home.kit(), Away: p.away.kit(), Share: share, Of: rigs}
	rig.Home.Participant, rig.Away.Participant = remember(rig.Home.Participant), remember(rig.Away.Participant)
	handovertestkit.Crashes(t, rig)
	p.audited(t)
	t.Logf("%d bookings acknowledged", len(p.ledger.acked))
}
