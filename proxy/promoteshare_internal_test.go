package proxy

import (
	"net/http"
	"testing"
	"time"

	migrations "banyan/migrations/proxy"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/analysis"
	"banyan/proxy/canary"
	"banyan/proxy/promotion"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// replica is a promoter that counts, without a loop.
func replica(t *testing.T, store *promotion.Store, id string) *promoter {
	t.Helper()
	r := &route{Route: routes.Route{
		ID: "flights", Fingerprint: "f", Analysis: &routes.Analysis{Interval: time.Second},
		Shares: []routes.Share{{Backend: "monolith", Weight: canary.Full}, {Backend: "away"}},
	}, weights: weights.Weights{"monolith": 8000, "away": 2000}}
	router := &Router{}
	router.table.Store(&table{routes: []*route{r}, byID: map[string]*route{"flights": r}})
	p := &promoter{router: router, store: store, id: id, lent: map[string]*lent{}}
	p.counted.Store(&map[string]*counted{})
	p.adopt(router.table.Load())
	return p
}

// serve counts requests of the canary.
func (p *promoter) serve(n int) {
	for range n {
		p.Observe(&Exchange{Route: "flights", Backend: "away", Status: http.StatusOK, Took: time.Millisecond})
	}
}

// TestCountsOfReplicas: what other replicas count in a window is judged once, whole, and
// for good; what they count outside of it is not.
func TestCountsOfReplicas(t *testing.T) {
	db := dbtest.SQLite(t)
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err == nil {
		_, err = m.Up(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	store := promotion.New(db)
	one, two := replica(t, store, "one"), replica(t, store, "two")
	row := promotion.Row{Route: "flights", State: promotion.Running, Backend: "away", Fingerprint: "f", Weight: 2000, Windows: 1, StartedAt: 7}
	lend := func(p *promoter, row promotion.Row) {
		t.Helper()
		if l := p.lent["flights"]; l != nil {
			l.written = time.Time{} // it may write at once
		}
		if err := p.lend(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	d := &drive{promoter: one, row: row, base: one.read("flights")}
	sees := func(what string, want int) {
		t.Helper()
		if err := d.borrow(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := d.counted(one.read("flights"), "away"); got.Requests() != want || got.Quantile(1) == 0 != (want == 0) {
			t.Errorf("%s: %d requests are judged, not %d", what, got.Requests(), want)
		}
	}
	two.serve(1000)
	lend(two, row)
	sees("before the window", 0)
	two.serve(30)
	lend(two, row)
	sees("first", 30)
	sees("looked at again", 30)
	one.serve(5)
	two.serve(20)
	lend(two, row)
	sees("both", 55)
	lend(one, row) // as if it had not driven
	one.serve(1)
	lend(one, row)
	sees("its own are not borrowed", 56)
	if err := store.Expire(t.Context(), "flights", row.Stamp(), -time.Hour); err != nil {
		t.Fatal(err)
	}
	sees("of a replica that has gone", 56)
	two.serve(1)
	lend(two, row)
	sees("of one that comes back", 57)
	other := row
	other.Weight = 5000
	two.serve(10)
	lend(two, other) // its weights are not in force yet
	other = row
	other.State = promotion.Paused
	lend(two, other)
	sees("paused, or at other weights", 57)
	other = row
	other.Windows++
	lend(two, other)
	two.serve(3)
	lend(two, other)
	sees("of the next window", 57)
	d.row, d.base = other, one.read("flights")
	sees("in the next window", 3)
	other.State = promotion.Promoted
	lend(two, other)
	if shared, err := store.Shared(t.Context(), "flights", other.Stamp()); err != nil || len(shared) != 0 {
		t.Errorf("after the end %d replicas have counts, %v", len(shared), err)
	}
}

// TestJoin: counts of two places are as good as counts of one.
func TestJoin(t *testing.T) {
	both, left, right := &analysis.Sample{}, &analysis.Sample{}, &analysis.Sample{}
	for i, s := range []*analysis.Sample{left, right} {
		s.Add(analysis.OK, time.Duration(i+1)*time.Second, 10)
		both.Add(analysis.OK, time.Duration(i+1)*time.Second, 10)
	}
	if *left.Join(right) != *both || *left.Join(nil) != *left || left.Requests() != 10 {
		t.Errorf("%v and %v are not %v", left.Classes, right.Classes, both.Classes)
	}
}
