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

// lendNow is lend, without waiting for its time.
func (p *promoter) lendNow(t *testing.T, row promotion.Row) {
	t.Helper()
	if l := p.lent["flights"]; l != nil {
		l.written = time.Time{}
	}
	if err := p.lend(t.Context(), row); err != nil {
		t.Fatal(err)
	}
}

// judges wants a number of the canary's requests to be judged.
func (d *drive) judges(t *testing.T, what string, want int) {
	t.Helper()
	if err := d.borrow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := d.counted(d.promoter.read("flights"), "away").Requests(); got != want {
		t.Errorf("%s: %d requests are judged, not %d", what, got, want)
	}
}

func promotionStore(t *testing.T) *promotion.Store {
	t.Helper()
	db := dbtest.SQLite(t)
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err == nil {
		_, err = m.Up(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return promotion.New(db)
}

// TestCountsOfReplicas: what other replicas count in a window is judged once, whole, and
// for good; what they count outside of it is not.
func TestCountsOfReplicas(t *testing.T) {
	store := promotionStore(t)
	one, two := replica(t, store, "one"), replica(t, store, "two")
	row := promotion.Row{Route: "flights", State: promotion.Running, Backend: "away", Fingerprint: "f", Weight: 2000, Windows: 1, StartedAt: 7}
	d := &drive{promoter: one, row: row, base: one.read("flights")}
	two.serve(1000)
	two.lendNow(t, row)
	d.judges(t, "before the window", 0)
	two.serve(30)
	two.lendNow(t, row)
	d.judges(t, "first", 30)
	d.judges(t, "looked at again", 30)
	one.serve(5)
	two.serve(20)
	two.lendNow(t, row)
	d.judges(t, "both", 55)
	one.lendNow(t, row) // as if it had not driven
	one.serve(1)
	one.lendNow(t, row)
	d.judges(t, "its own are not borrowed", 56)
	if err := store.Expire(t.Context(), "flights", row.Stamp(), -time.Hour); err != nil {
		t.Fatal(err)
	}
	d.judges(t, "of a replica that has gone", 56)
	two.serve(1)
	two.lendNow(t, row)
	d.judges(t, "of one that comes back", 57)
	two.serve(10)
	for what, change := range map[string]func(*promotion.Row){
		"paused":             func(r *promotion.Row) { r.State = promotion.Paused },
		"not yet in force":   func(r *promotion.Row) { r.Weight = 5000 },
		"of another route":   func(r *promotion.Row) { r.Fingerprint = "g" },
		"of the next window": func(r *promotion.Row) { r.Windows = 2 },
	} {
		other := row
		change(&other)
		two.lendNow(t, other)
		d.judges(t, what, 57)
	}
	d.row.Windows, d.base = 2, one.read("flights")
	two.serve(3)
	two.lendNow(t, d.row)
	d.judges(t, "in the next window", 3)
	end := d.row
	end.State = promotion.Promoted
	two.lendNow(t, end)
	if shared, err := store.Shared(t.Context(), "flights", end.Stamp()); err != nil || len(shared) != 0 {
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
