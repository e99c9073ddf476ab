package crashpoints_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	kernel "banyan/modules/kernel/handover"
	"banyan/proxy/handover"
	"banyan/proxy/handover/handovertestkit"
)

// remembering asks its store again only for the fences that it has given orders about
// since, or parts: nobody else moves them, and audits are many.
type remembering struct {
	kernel.Participant
	mu     sync.Mutex
	fences []kernel.Fence
	moved  map[int]bool
}

func remember(p kernel.Participant) *remembering {
	return &remembering{Participant: p, moved: map[int]bool{}}
}

// Status implements handover.Participant.
func (r *remembering) Status(ctx context.Context, buckets []int) (kernel.Status, error) {
	if len(buckets) > 0 {
		return r.Participant.Status(ctx, buckets)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fences != nil {
		buckets = append([]int{0}, slices.Collect(maps.Keys(r.moved))...)
		slices.Sort(buckets)
		buckets = slices.Compact(buckets)
	}
	st, err := r.Participant.Status(ctx, buckets)
	if err != nil {
		return st, err
	}
	if r.fences == nil {
		r.fences = make([]kernel.Fence, bucket.Count)
	}
	for _, f := range st.Fences {
		r.fences[f.Bucket] = f
	}
	clear(r.moved)
	st.Fences = slices.DeleteFunc(slices.Clone(r.fences), func(f kernel.Fence) bool { return f.Mode == kernel.Absent })
	return st, nil
}

// Order implements handover.Participant.
func (r *remembering) Order(ctx context.Context, o kernel.Order) ([]kernel.Fence, error) {
	defer r.forget(o.Buckets...)
	return r.Participant.Order(ctx, o)
}

// Copy implements handover.Participant.
func (r *remembering) Copy(ctx context.Context, epoch int64, parts []kernel.Part) ([]kernel.Fence, error) {
	for _, p := range parts {
		defer r.forget(p.Bucket)
	}
	return r.Participant.Copy(ctx, epoch, parts)
}

func (r *remembering) forget(buckets ...int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range buckets {
		r.moved[b] = true
	}
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

// places make the two places of a pair.
type places func(t testing.TB) (home, away place)

func mysqlRedis(t testing.TB) (home, away place) {
	return sqlAt(t, dbtest.MySQL(t)), redisAt(dbtest.RedisAddr(t))
}

func mysqlCluster(t testing.TB) (home, away place) {
	return sqlAt(t, dbtest.MySQL(t)), redisAt(strings.Join(dbtest.RedisCluster(t), ","))
}

func sqliteRedis(t testing.TB) (home, away place) {
	return sqlAt(t, dbtest.SQLite(t)), redisAt(dbtest.RedisAddr(t))
}

func sqliteMySQL(t testing.TB) (home, away place) {
	return sqlAt(t, dbtest.SQLite(t)), sqlAt(t, dbtest.MySQL(t))
}
