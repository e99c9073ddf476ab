package crashpoints_test

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/proxy/handover/handovertestkit"
)

// crashRig is a pair of stores, and which of the scenarios it meets: one share of so many.
type crashRig struct {
	name      string
	at        places
	share, of int
}

// crashRigs are every pair: MariaDB and Redis meet every scenario, in parallel. SQLite meets
// a third with Redis and a third with MariaDB, a Cluster some; BANYAN_TEST_CRASHES=all lets
// all meet all, which takes some minutes more.
func crashRigs() []crashRig {
	list := inFull("mysql-redis", mysqlRedis)
	if os.Getenv("BANYAN_TEST_CRASHES") == "all" {
		return slices.Concat(list, inFull("sqlite-redis", sqliteRedis), inFull("sqlite-mysql", sqliteMySQL), inFull("mysql-cluster", mysqlCluster))
	}
	return append(list, crashRig{"sqlite-redis", sqliteRedis, 0, 3}, crashRig{"sqlite-mysql", sqliteMySQL, 1, 3}, crashRig{"mysql-cluster", mysqlCluster, 5, 11})
}

// inFull is three stores for one pair, since a store has flights for a third.
func inFull(name string, at places) []crashRig {
	return []crashRig{{name, at, 0, 3}, {name, at, 1, 3}, {name, at, 2, 3}}
}

// TestCrashPoints stops coordinators dead before, within and after every step of a move
// in both directions, and has others settle what they left.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for _, rig := range crashRigs() {
		// Not t.Parallel here, which waits for processors: these wait for disks.
		group.Go(func() {
			t.Run(fmt.Sprintf("%s/%d", rig.name, rig.share), func(t *testing.T) { crashes(t, rig.at, rig.share, rig.of) })
		})
	}
	group.Wait()
}

func crashes(t *testing.T, at places, share, of int) {
	home, away := at(t)
	p := newPair(t, journal(t, dbtest.MySQL(t)), home, away)
	rig := &handovertestkit.Rig{Journal: p.journal, Home: p.home.kit(), Away: p.away.kit(), Share: share, Of: of}
	rig.Home.Participant, rig.Away.Participant = remember(rig.Home.Participant), remember(rig.Away.Participant)
	handovertestkit.Crashes(t, rig)
	p.audited(t)
	t.Logf("%d bookings acknowledged", len(p.ledger.acked))
}
