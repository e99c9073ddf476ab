package handover_test

import (
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/proxy/handover/handovertestkit"
)

// TestCrashPoints stops a coordinator dead before, within and after every step of a
// move, in both directions; another one settles what it left.
func TestCrashPoints(t *testing.T) {
	s := newSides()
	handovertestkit.Crashes(t, &handovertestkit.Rig{
		Journal: newJournal(t, migrated(t, dbtest.SQLite(t))), Home: kitStore(s.home), Away: kitStore(s.away),
	})
}
