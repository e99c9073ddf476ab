package analysis_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	"banyan/proxy/analysis"
	"banyan/proxy/routes"
)

// side is what one arm does: latencies that some share of the requests has, and a rate
// of failures.
type side struct {
	latency []share
	errors  float64
	clients float64 // of what did not fail, the part that is a 4xx
}

type share struct {
	took time.Duration
	p    float64
}

// spread makes a distribution of n values from its quantile function, in milliseconds.
func spread(n int, quantile func(p float64) float64) []share {
	list := make([]share, 0, 2*n)
	add := func(from, to float64) {
		list = append(list, share{time.Duration(quantile((from+to)/2) * float64(time.Millisecond)), to - from})
	}
	for i := range n { // half of the values in the last twentieth, where quantiles are judged
		add(0.95*float64(i)/float64(n), 0.95*float64(i+1)/float64(n))
	}
	for i := range n {
		add(0.95+0.05*float64(i)/float64(n), 0.95+0.05*float64(i+1)/float64(n))
	}
	return list
}

// lognormal has its median at 10 ms.
func lognormal(sigma float64) []share {
	return spread(16, func(p float64) float64 { return 10 * math.Exp(sigma*math.Sqrt2*math.Erfinv(2*p-1)) })
}

// pareto has no variance.
func pareto() []share {
	return spread(16, func(p float64) float64 { return 5 * math.Pow(1-p, -1/1.5) })
}

// ties is a cache that answers in 1 ms, a database in 20 ms, and lock waits of 500 ms
// that are just one request in a hundred.
func ties() []share { return waits(0.01) }

func waits(p float64) []share {
	return []share{{time.Millisecond, 0.7}, {20 * time.Millisecond, 0.3 - p}, {500 * time.Millisecond, p}}
}

// slower stretches the latencies beyond a quantile.
func slower(list []share, beyond, by float64) []share {
	out, seen := make([]share, len(list)), 0.0
	for i, s := range list {
		if seen += s.p; seen > beyond {
			s.took = time.Duration(float64(s.took) * by)
		}
		out[i] = s
	}
	return out
}

// draw adds n requests: exact multinomial numbers, without drawing each.
func (d side) draw(r *rand.Rand, s *analysis.Sample, n int) {
	left, mass := n, 1.0
	for i, v := range d.latency {
		k := left
		if i < len(d.latency)-1 {
			k = binomial(r, left, min(v.p/mass, 1))
		}
		failed := binomial(r, k, d.errors)
		mistaken := binomial(r, k-failed, d.clients)
		s.Add(analysis.OK, v.took, k-failed-mistaken)
		s.Add(analysis.Client, v.took, mistaken)
		s.Add(analysis.Server, v.took, failed)
		left, mass = left-k, mass-v.p
	}
}

// binomial draws exactly: by the gaps between successes when they are few, else by
// Hörmann's transformed rejection (1993).
func binomial(r *rand.Rand, n int, p float64) int {
	switch {
	case n == 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - binomial(r, n, 1-p)
	case float64(n)*p < 10:
		k, logq := 0, math.Log1p(-p)
		for at := math.Log(1-r.Float64()) / logq; at < float64(n); k++ {
			at = math.Floor(at) + 1 + math.Log(1-r.Float64())/logq
		}
		return k
	}
	N := float64(n)
	spq := math.Sqrt(N * p * (1 - p))
	b := 1.15 + 2.53*spq
	a := -0.0873 + 0.0248*b + 0.01*p
	c, vr := N*p+0.5, 0.92-4.2/b
	alpha, lpq := (2.83+5.1/b)*spq, math.Log(p/(1-p))
	mode := math.Floor((N + 1) * p)
	lg := func(x float64) float64 { v, _ := math.Lgamma(x + 1); return v }
	h := lg(mode) + lg(N-mode)
	for {
		u, v := r.Float64()-0.5, 1-r.Float64()
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + c)
		if k < 0 || k > N {
			continue
		}
		if us >= 0.07 && v <= vr {
			return int(k)
		}
		if math.Log(v*alpha/(a/(us*us)+b)) <= h-lg(k)-lg(N-k)+(k-mode)*lpq {
			return int(k)
		}
	}
}

// ramp is a promotion without a router.
type ramp struct {
	home, canary side
	metrics      []routes.Metric
	steps        []float64
	perLook      int // requests of both arms
	looks        int // at most, of a step
}

// outcome of a ramp: the step at which it was failed or is stuck, and the canary's
// requests until then.
type outcome struct {
	verdict  analysis.Verdict
	step     int
	requests int
}

func (a ramp) run(r *rand.Rand) outcome {
	out := outcome{}
	for i, weight := range a.steps {
		home, canary := &analysis.Sample{}, &analysis.Sample{}
		out.verdict, out.step = analysis.Inconclusive, i
		for look := 0; look < a.looks && out.verdict == analysis.Inconclusive; look++ {
			n := binomial(r, a.perLook, weight)
			a.home.draw(r, home, a.perLook-n)
			a.canary.draw(r, canary, n)
			out.requests += n
			var found []analysis.Finding
			for _, m := range a.metrics {
				found = append(found, analysis.Judge(analysis.Question{
					Metric: m, Home: home, Canary: canary, MinSamples: 200, Level: analysis.Level(len(a.metrics), len(a.steps), 0),
				}))
			}
			out.verdict = analysis.Decide(found)
		}
		if out.verdict != analysis.Pass {
			return out
		}
	}
	return out
}

func success(least float64) routes.Metric { return routes.Metric{Name: "success-rate", Min: &least} }

// standards are the metrics with those that need not be written.
func standards(list ...routes.Metric) []routes.Metric {
	return (&routes.Analysis{Metrics: list}).Judged()
}

func ratio(name string, most float64) routes.Metric {
	return routes.Metric{Name: name, MaxRatio: &most}
}

// TestFalseAlarms runs 10,000 ramps whose two arms are alike, with heavy tails, ties,
// small shares, homes that miss the bound themselves and arms that never have enough to
// pass: at most the stated share may be failed.
func TestFalseAlarms(t *testing.T) {
	standard := standards(success(0.995), ratio("p99", 1.2))
	tight := []routes.Metric{success(0.999), clients(0), ratio("p50", 1), ratio("p95", 1)} // no room: passing is luck, failing must stay rare
	climb := []float64{0.01, 0.05, 0.25, 0.5}
	for _, c := range []struct {
		name string
		ramp ramp
		runs int
	}{
		{"lognormal", ramp{side{lognormal(0.5), 0.001, 0.02}, side{lognormal(0.5), 0.001, 0.02}, standard, climb, 20_000, 12}, 3000},
		{"heavy tail", ramp{side{pareto(), 0.004, 0.25}, side{pareto(), 0.004, 0.25}, standard, climb, 20_000, 12}, 2000},
		{"ties at the quantile", ramp{side{ties(), 0.004, 0.02}, side{ties(), 0.004, 0.02}, standard, climb, 20_000, 12}, 2000},
		{"a home that misses the bound", ramp{side{ties(), 0.03, 0.3}, side{ties(), 0.03, 0.3}, tight, climb, 4_000, 12}, 1500},
		{"no room", ramp{side{pareto(), 0.02, 0.5}, side{pareto(), 0.02, 0.5}, tight, []float64{0.5}, 400, 20}, 1500},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a simulation that must repeat
			count := map[analysis.Verdict]int{}
			for range c.runs {
				count[c.ramp.run(r).verdict]++
			}
			t.Logf("%d ramps: %d failed, %d passed, %d undecided", c.runs, count[analysis.Fail], count[analysis.Pass], count[analysis.Inconclusive])
			if failed := count[analysis.Fail]; float64(failed) > analysis.Alpha*float64(c.runs) {
				t.Errorf("%d of %d identical arms were failed; stated are %.0f%%", failed, c.runs, 100*analysis.Alpha)
			}
		})
	}
}

// TestDetection checks what docs/verdicts.md states: within so many requests of the
// canary, 19 of 20 ramps with a canary that is worse are failed, and none gets through.
func TestDetection(t *testing.T) {
	standard := standards(success(0.995), ratio("p99", 1.2))
	good := side{lognormal(0.5), 0.001, 0.02}
	for _, c := range []struct {
		name   string
		home   side
		canary side
		weight float64
		within int // requests of the canary
	}{
		{"1 % more errors at 5 %", good, side{good.latency, 0.011, 0.02}, 0.05, 8_000},
		{"3 % more errors at 5 %", good, side{good.latency, 0.031, 0.02}, 0.05, 1_000},
		{"404 to everything at 1 %", good, side{good.latency, 0, 1}, 0.01, 250},
		{"a third of 4xx, not one in 50, at 5 %", good, side{good.latency, 0.001, 0.33}, 0.05, 1_000},
		{"all twice as slow at 5 %", good, side{slower(good.latency, 0, 2), 0.001, 0.02}, 0.05, 1_000},
		{"the slowest 3 % twice as slow at 25 %", good, side{slower(good.latency, 0.97, 2), 0.001, 0.02}, 0.25, 2_000},
		{"a heavy tail twice as slow at 1 %", side{pareto(), 0.001, 0.02}, side{slower(pareto(), 0, 2), 0.001, 0.02}, 0.01, 10_000},
		{"lock waits of one in 50, not of one in 200, at 50 %", side{waits(0.005), 0, 0.02}, side{waits(0.02), 0, 0.02}, 0.5, 12_500},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a simulation that must repeat
			const runs = 200
			var needed []int
			passed := 0
			for range runs {
				// Five steps are paid for, though only one is looked at.
				a := ramp{c.home, c.canary, standard, []float64{c.weight, 1, 1, 1, 1}, int(200 / c.weight), c.within * 4 / 200}
				out := a.run(r)
				if out.verdict == analysis.Fail && out.step == 0 {
					needed = append(needed, out.requests)
				}
				if out.step > 0 {
					passed++
				}
			}
			sort.Ints(needed)
			t.Logf("%d of %d failed, %d passed the step; half within %d requests, 95 %% within %d", len(needed), runs, passed, at(needed, runs/2), at(needed, runs*19/20))
			if n := at(needed, runs*19/20); n == 0 || n > c.within {
				t.Errorf("95 %% are failed within %d requests of the canary, stated are %d", n, c.within)
			}
			if float64(passed) > analysis.Beta*runs {
				t.Errorf("%d of %d passed the step", passed, runs)
			}
		})
	}
}

func at(list []int, i int) int {
	if i > len(list) || i == 0 {
		return 0
	}
	return list[i-1]
}

// TestBinomial checks the simulation's own dice.
func TestBinomial(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // a simulation that must repeat
	for _, c := range []struct {
		n int
		p float64
	}{{50, 0.02}, {1000, 0.3}, {200, 0.9}, {100_000, 0.01}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			const runs = 20_000
			sum, squares := 0.0, 0.0
			for range runs {
				k := float64(binomial(r, c.n, c.p))
				sum, squares = sum+k, squares+k*k
			}
			mean, want := sum/runs, float64(c.n)*c.p
			variance := squares/runs - mean*mean
			if math.Abs(mean-want) > 5*math.Sqrt(want*(1-c.p)/runs) || math.Abs(variance/(want*(1-c.p))-1) > 0.06 {
				t.Errorf("mean %f, want %f; variance %f, want %f", mean, want, variance, want*(1-c.p))
			}
		})
	}
}
