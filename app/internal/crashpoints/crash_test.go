package crashpoints_test

import (
	"fmt"
	"sync"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/proxy/handover/handovertestkit"
)

// TestCrashPoints stops coordinators dead before, within and after every step of a move
// in both directions, and has others settle what they left. MariaDB and Redis meet every
// scenario, SQLite a third with Redis and a third with MariaDB, a Cluster some.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for _, rig := range []struct {
		name      string
		at        places
		share, of int
	}{
		{"mysql-redis", mysqlRedis, 0, 3},
		{"mysql-redis", mysqlRedis, 1, 3},
		{"mysql-redis", mysqlRedis, 2, 3},
		{"sqlite-redis", sqliteRedis, 0, 3},
		{"sqlite-mysql", sqliteMySQL, 1, 3},
		{"mysql-cluster", mysqlCluster, 5, 11},
	} {
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
