package crashpoints_test

import (
	"context"
	"sync"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	kernel "banyan/modules/kernel/handover"
	"banyan/proxy/handover"
	"banyan/proxy/handover/handovertestkit"
)

// few lets an audit ask for the fences of those buckets that have flights. The others,
// which nobody moves, it asks for once.
type few struct {
	kernel.Participant
	mu   sync.Mutex
	rest []kernel.Fence
}

// Status implements handover.Participant.
func (f *few) Status(ctx context.Context, buckets []int) (kernel.Status, error) {
	if len(buckets) > 0 {
		return f.Participant.Status(ctx, buckets)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rest == nil {
		st, err := f.Participant.Status(ctx, nil)
		for _, one := range st.Fences {
			if one.Bucket >= flown {
				f.rest = append(f.rest, one)
			}
		}
		return st, err
	}
	st, err := f.Participant.Status(ctx, used())
	st.Fences = append(st.Fences, f.rest...)
	return st, err
}

func used() []int {
	list := make([]int, flown)
	for b := range list {
		list[b] = b
	}
	return list
}

// pair is a route with two sides.
type pair struct {
	journal    *handover.Journal
	ledger     *ledger
	home, away side
}

// newPair opens two stores that know the flights; the home owns every bucket.
func newPair(t testing.TB, j *handover.Journal, home, away place) pair {
	t.Helper()
	p := pair{journal: j, ledger: newLedger(t)}
	p.open(t, home, away)
	for _, s := range []side{p.home, p.away} {
		if err := s.Feed("flights", schedule(t, p.ledger.flights)).CatchUp(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// open starts both services, again perhaps.
func (p *pair) open(t testing.TB, home, away place) {
	t.Helper()
	p.home, p.away = side{home(t, true), p.ledger}, side{away(t, false), p.ledger}
}

// coordinator makes one on the stores as they are.
func (p pair) coordinator(t testing.TB, change func(*handover.Options)) *handover.Coordinator {
	t.Helper()
	o := handover.Options{
		Journal: p.journal,
		Home:    handover.Side{Name: handovertestkit.Home, Participant: p.home.Participant()},
		Away:    handover.Side{Name: handovertestkit.Away, Participant: p.away.Participant()},
	}
	change(&o)
	c, err := handover.New(o)
	if err == nil {
		err = c.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// audited wants the journal and all fences of both sides to agree.
func (p pair) audited(t testing.TB) {
	t.Helper()
	report, err := p.coordinator(t, func(*handover.Options) {}).Audit(t.Context())
	if err != nil || len(report.Findings) != 0 || report.Checked != bucket.Count || report.Owned != bucket.Count {
		t.Errorf("the audit found %+v, %v", report, err)
	}
}

// owner gives the side that the journal names, and the other one.
func (p pair) owner(t testing.TB, c *handover.Coordinator, b int) (owner, other side) {
	t.Helper()
	if err := c.Map().Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.Map().Owner(b).Owner == handovertestkit.Away {
		return p.away, p.home
	}
	return p.home, p.away
}

// stores are pairs of places by name, all with a journal on MariaDB.
func stores() map[string]func(t testing.TB) (home, away place) {
	return map[string]func(t testing.TB) (home, away place){
		"mysql-redis":  func(t testing.TB) (home, away place) { return sqlAt(t, dbtest.MySQL(t)), redisAt(dbtest.RedisAddr(t)) },
		"sqlite-redis": func(t testing.TB) (home, away place) { return sqlAt(t, dbtest.SQLite(t)), redisAt(dbtest.RedisAddr(t)) },
		"sqlite-mysql": func(t testing.TB) (home, away place) { return sqlAt(t, dbtest.SQLite(t)), sqlAt(t, dbtest.MySQL(t)) },
	}
}
