package analysis_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"banyan/proxy/analysis"
	"banyan/proxy/routes"
)

// place is a replica of the router: what it is like to be asked through it, and how many
// looks its counts are behind.
type place struct {
	side
	late int
	read [][2]*analysis.Sample // canary and home, at each look so far
}

// look takes n requests of either arm, and gives the counts that are known of the place.
func (p *place) look(r *rand.Rand, n int, worse float64) [2]*analysis.Sample {
	now := [2]*analysis.Sample{{}, {}}
	if len(p.read) > 0 {
		last := p.read[len(p.read)-1]
		now = [2]*analysis.Sample{last[0].Join(nil), last[1].Join(nil)}
	}
	bad := p.side
	bad.errors += worse
	bad.draw(r, now[0], n/4)
	p.draw(r, now[1], n-n/4)
	p.read = append(p.read, now)
	if i := len(p.read) - 1 - r.IntN(p.late+1); i >= 0 {
		p.read = p.read[i:] // what was known once stays known
		return p.read[0]
	}
	return [2]*analysis.Sample{{}, {}}
}

// judgedTogether runs a step of a ramp that replicas see who are not alike: one is far away
// and loses requests, one has few customers, and all but the first tell late.
func judgedTogether(r *rand.Rand, metrics []routes.Metric, worse float64) analysis.Verdict {
	far := lognormal(0.5)
	for i := range far {
		far[i].took += 40 * time.Millisecond
	}
	places := []*place{{side: side{latency: lognormal(0.5), errors: 0.001}}, {side: side{latency: far, errors: 0.02}, late: 3}, {side: side{latency: pareto(), errors: 0.004}, late: 5}}
	for range 25 {
		canary, home := &analysis.Sample{}, &analysis.Sample{}
		for i, p := range places {
			known := p.look(r, []int{40, 800, 100}[i], worse)
			canary, home = canary.Join(known[0]), home.Join(known[1])
		}
		var found []analysis.Finding
		for _, m := range metrics {
			found = append(found, analysis.Judge(analysis.Question{Metric: m, Home: home, Canary: canary, MinSamples: 1 << 30, Level: analysis.Level(len(metrics), 1, 0)}))
		}
		if v := analysis.Decide(found); v != analysis.Inconclusive {
			return v
		}
	}
	return analysis.Inconclusive
}

// TestReplicasTogether: counts of replicas that differ, and that come late, fail identical
// arms as seldom as stated, and find a canary that is worse.
func TestReplicasTogether(t *testing.T) {
	metrics := []routes.Metric{success(0.999), ratio("p50", 1), ratio("p95", 1)}
	r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a simulation that must repeat
	const runs = 400
	alarms, caught := 0, 0
	for range runs {
		if judgedTogether(r, metrics, 0) == analysis.Fail {
			alarms++
		}
		if judgedTogether(r, metrics, 0.05) == analysis.Fail {
			caught++
		}
	}
	t.Logf("of %d ramps each, %d of identical arms were failed, %d of worse canaries", runs, alarms, caught)
	if float64(alarms) > analysis.Alpha*runs || caught < runs*95/100 {
		t.Errorf("stated are at most %.0f%% and at least 95%%", 100*analysis.Alpha)
	}
}
