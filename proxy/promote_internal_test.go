package proxy

import (
	"net/http"
	"testing"
	"time"

	"banyan/proxy/canary"
	"banyan/proxy/routes"
)

// TestObserveAllocatesNothing: the counts are taken on the path of every request.
func TestObserveAllocatesNothing(t *testing.T) {
	p, x := counting(t)
	if n := testing.AllocsPerRun(1000, func() { p.Observe(x) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
	if s := p.read("flights")["away"]; s.Requests() != 1001 || s.Quantile(0.5).Round(time.Millisecond) != 3*time.Millisecond {
		t.Errorf("%d requests, half within %s", s.Requests(), s.Quantile(0.5))
	}
}

func BenchmarkObserve(b *testing.B) {
	p, x := counting(b)
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.Observe(x)
		}
	})
	b.Run("all cores, one arm", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				p.Observe(x)
			}
		})
	})
}

func counting(tb testing.TB) (*promoter, *Exchange) {
	tb.Helper()
	p := &promoter{}
	p.counted.Store(&map[string]*counted{})
	r := &route{Route: routes.Route{
		ID: "flights", Analysis: &routes.Analysis{}, Shares: []routes.Share{{Backend: "monolith", Weight: canary.Full}, {Backend: "away"}},
	}}
	p.adopt(&table{routes: []*route{r}})
	return p, &Exchange{Route: "flights", Backend: "away", Status: http.StatusOK, Took: 3 * time.Millisecond}
}

// TestCountsGoOn: a new table that changes nothing about a route's arms forgets nothing.
func TestCountsGoOn(t *testing.T) {
	p, x := counting(t)
	p.Observe(x)
	r := &route{Route: routes.Route{ID: "flights", Analysis: &routes.Analysis{}, Shares: []routes.Share{{Backend: "monolith"}, {Backend: "away"}, {Backend: "third"}}}}
	p.adopt(&table{routes: []*route{r}})
	x.Backend = "third"
	p.Observe(x)
	for name, want := range map[string]int{"monolith": 0, "away": 1, "third": 1} {
		if got := p.read("flights")[name].Requests(); got != want {
			t.Errorf("%s has %d requests, not %d", name, got, want)
		}
	}
	for class, x := range map[string]*Exchange{
		"gone":   {Left: true, Gateway: true, Status: 503},
		"silent": {Gateway: true, Status: 502},
		"torn":   {Torn: true, Status: 200},
		"server": {Status: 500},
		"client": {Status: 404},
		"ok":     {Status: 304},
	} {
		if got := map[string]string{"gone": "5", "silent": "3", "torn": "4", "server": "2", "client": "1", "ok": "0"}[class]; int(classOf(x)) != int(got[0]-'0') {
			t.Errorf("%s is of class %d", class, classOf(x))
		}
	}
	x = &Exchange{Route: "flights", Failed: "away", Backend: "monolith", Status: 200}
	p.Observe(x)
	if s := p.read("flights"); s["monolith"].Requests() != 0 || s["away"].Classes[3] != 1 {
		t.Errorf("an answer in another's place counts for %v and %v", s["monolith"].Classes, s["away"].Classes)
	}
}
