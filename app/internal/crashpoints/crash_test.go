package crashpoints_test

import (
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/proxy/handover/handovertestkit"
)

// TestCrashPoints stops coordinators dead before, within and after every step of a move
// in both directions, and has others settle what they left.
func TestCrashPoints(t *testing.T) {
	for name, at := range stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home, away := at(t)
			p := newPair(t, journal(t, dbtest.MySQL(t)), home, away)
			rig := &handovertestkit.Rig{Journal: p.journal, Home: p.home.kit(), Away: p.away.kit()}
			rig.Home.Participant, rig.Away.Participant = &few{Participant: rig.Home.Participant}, &few{Participant: rig.Away.Participant}
			handovertestkit.Crashes(t, rig)
			p.audited(t)
			t.Logf("%d bookings acknowledged", len(p.ledger.acked))
		})
	}
}
