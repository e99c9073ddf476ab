package analysis_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"banyan/proxy/analysis"
	"banyan/proxy/routes"
)

// TestHistogram: a latency is known to 1.6 %, from nanoseconds to a quarter of an hour.
func TestHistogram(t *testing.T) {
	for took := 10 * time.Microsecond; took < 15*time.Minute; took = took * 9 / 8 {
		s := &analysis.Sample{}
		s.Add(analysis.OK, took, 3)
		if got := float64(s.Quantile(0.5)); math.Abs(got/float64(took)-1) > 0.016 {
			t.Errorf("%s is read as %s", took, s.Quantile(0.5))
		}
	}
	s := &analysis.Sample{}
	s.Add(analysis.OK, -time.Second, 1)
	s.Add(analysis.OK, 100*time.Hour, 1)
	if s.Requests() != 2 || s.Quantile(1) < 15*time.Minute || s.Quantile(0.5) > time.Microsecond {
		t.Errorf("beyond the ends: %s and %s", s.Quantile(0.5), s.Quantile(1))
	}
}

// TestWindow: readings are differences, and the oldest ones are forgotten.
func TestWindow(t *testing.T) {
	a, w := &analysis.Arm{}, &analysis.Window{}
	for i := range 20 {
		if got, want := w.Since(a.Read()).Requests(), min(i, 6); got != want {
			t.Fatalf("after %d readings there are %d requests lately, not %d", i, got, want)
		}
		w.Push(a.Read())
		a.Observe(analysis.Server, time.Millisecond)
	}
	before := a.Read()
	a.Observe(analysis.OK, time.Second)
	d := a.Read().Since(before)
	if d.Requests() != 1 || d.Classes[analysis.OK] != 1 || d.Quantile(1).Round(100*time.Millisecond) != time.Second {
		t.Errorf("the difference is %+v", d.Classes)
	}
}

func TestSampleIsKept(t *testing.T) {
	s := sample(500, 3, 20*time.Millisecond)
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var again analysis.Sample
	if err := json.Unmarshal(text, &again); err != nil || again != *s {
		t.Errorf("%s is read as something else (%v)", text, err)
	}
	for _, bad := range []string{`{}`, `{"layout":"other","classes":[0,0,0,0,0,0]}`, strings.Replace(string(text), `"latency":{`, `"latency":{"99999":1,`, 1)} {
		if json.Unmarshal([]byte(bad), &again) == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// sample has n requests that took so long, some of which failed.
func sample(n, failed int, took time.Duration) *analysis.Sample {
	s := &analysis.Sample{}
	s.Add(analysis.OK, took, n-failed)
	s.Add(analysis.Server, took, failed)
	return s
}

func least(v float64) routes.Metric { return routes.Metric{Name: "success-rate", Min: &v} }

// answers has n requests, some of which were answered with a 4xx.
func answers(n, client int) *analysis.Sample {
	s := sample(n-client, 0, 10*time.Millisecond)
	s.Add(analysis.Client, time.Millisecond, client)
	return s
}

func clients(most float64) routes.Metric {
	return routes.Metric{Name: routes.ClientErrors, Max: &most}
}

func longest(name string, v float64) routes.Metric { return routes.Metric{Name: name, Max: &v} }

func TestJudge(t *testing.T) {
	const fast, slow = 10 * time.Millisecond, 25 * time.Millisecond
	none := &analysis.Sample{}
	gone := &analysis.Sample{}
	gone.Add(analysis.Gone, fast, 5000)
	for _, c := range []struct {
		name         string
		metric       routes.Metric
		canary, home *analysis.Sample
		want         analysis.Verdict
		waits        string
	}{
		{"nothing at all", least(0), none, none, analysis.Inconclusive, "0 of 200 requests"},
		{"nothing, and nobody to compare with", least(0), none, nil, analysis.Inconclusive, "0 of 200 requests"},
		{"only callers that left", least(0), gone, sample(5000, 0, fast), analysis.Inconclusive, "0 of 200 requests"},
		{"no home yet", least(0.5), sample(5000, 0, fast), none, analysis.Inconclusive, "of the home"},
		{"too few", least(0.995), sample(199, 0, fast), sample(5000, 0, fast), analysis.Inconclusive, "199 of 200 requests"},
		{"enough, but not to be sure", least(0.995), sample(300, 0, fast), sample(5000, 0, fast), analysis.Inconclusive, "to be sure"},
		{"good", least(0.995), sample(1500, 1, fast), sample(5000, 5, fast), analysis.Pass, ""},
		{"bad", least(0.995), sample(1000, 30, fast), sample(5000, 5, fast), analysis.Fail, ""},
		{"bad, before there are enough", least(0.995), sample(50, 40, fast), sample(5000, 5, fast), analysis.Fail, ""},
		{"as bad as the home", least(0.995), sample(4000, 120, fast), sample(4000, 120, fast), analysis.Inconclusive, "to be sure"},
		{"as bad as the home, with many", least(0.995), sample(100_000, 3000, fast), sample(100_000, 3000, fast), analysis.Pass, ""},
		{"bad, alone", least(0.995), sample(4000, 120, fast), nil, analysis.Fail, ""},
		{"no failure allowed", least(1), sample(3000, 60, fast), sample(3000, 0, fast), analysis.Fail, ""},
		{"no 4xx", clients(0.2), answers(400, 0), answers(2000, 4), analysis.Pass, ""},
		{"404 to everything", clients(0.2), answers(30, 30), answers(2000, 4), analysis.Fail, ""},
		{"a third of 4xx", clients(0.2), answers(1000, 333), answers(2000, 4), analysis.Fail, ""},
		{"some more 4xx", clients(0.2), answers(1000, 80), answers(2000, 4), analysis.Pass, ""},
		{"some more 4xx than allowed", clients(0.02), answers(1000, 80), answers(2000, 4), analysis.Fail, ""},
		{"more 4xx, perhaps", clients(0.2), answers(40, 12), answers(2000, 4), analysis.Inconclusive, "40 of 200"},
		{"404 to everything, like the home", clients(0.2), answers(3000, 2900), answers(9000, 8700), analysis.Pass, ""},
		{"404 to everything, alone", clients(0.2), answers(100, 100), nil, analysis.Fail, ""},
		{"404 to everything, and none asked", clients(1), answers(400, 400), answers(2000, 4), analysis.Pass, ""},
		{"404 to everything is no failure", least(0.99), answers(2000, 2000), answers(2000, 0), analysis.Pass, ""},
		{"callers that left ask nothing of 4xx", clients(0.2), gone, answers(2000, 4), analysis.Inconclusive, "0 of 200"},
		{"as fast", ratio("p99", 1.2), sample(2000, 0, fast), sample(3000, 0, fast), analysis.Pass, ""},
		{"slower", ratio("p50", 1.2), sample(200, 0, slow), sample(300, 0, fast), analysis.Fail, ""},
		{"slower, but allowed", ratio("p50", 3), sample(400, 0, slow), sample(400, 0, fast), analysis.Pass, ""},
		{"a ratio to nothing", ratio("p50", 3), sample(400, 0, fast), nil, analysis.Inconclusive, "nothing"},
		{"within the time", longest("p90", 0.03), sample(900, 0, slow), sample(900, 0, fast), analysis.Pass, ""},
		{"beyond the time", longest("p90", 0.02), sample(900, 0, slow), sample(900, 0, fast), analysis.Fail, ""},
		{"beyond the time, like the home", longest("p90", 0.02), sample(900, 0, slow), sample(900, 0, slow), analysis.Pass, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := analysis.Judge(analysis.Question{Metric: c.metric, Canary: c.canary, Home: c.home, MinSamples: 200, Level: analysis.Level(3, 5, 0)})
			if c.waits == "nothing" {
				c.waits = "no requests to compare with"
			}
			if f.Verdict != c.want || !strings.Contains(f.Waits, c.waits) || (c.waits == "") != (f.Waits == "") {
				t.Errorf("it is %s, waits for %q: %s", f.Verdict, f.Waits, f.Tell("flights", "monolith"))
			}
			if _, err := json.Marshal(f); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	of := func(list ...analysis.Verdict) (out []analysis.Finding) {
		for _, v := range list {
			out = append(out, analysis.Finding{Verdict: v})
		}
		return out
	}
	const p, i, f = analysis.Pass, analysis.Inconclusive, analysis.Fail
	for _, c := range []struct {
		list []analysis.Finding
		want analysis.Verdict
	}{{nil, i}, {of(p), p}, {of(p, p), p}, {of(p, i), i}, {of(p, f, i), f}, {of(i), i}} {
		if got := analysis.Decide(c.list); got != c.want {
			t.Errorf("%v is %s, not %s", c.list, got, c.want)
		}
	}
}

// TestLevel: all windows of all steps and metrics together spend Alpha at most.
func TestLevel(t *testing.T) {
	sum := 0.0
	for range 3 * 5 {
		for window := range 60 {
			sum += analysis.Level(3, 5, window)
		}
	}
	if sum > analysis.Alpha*(1+1e-9) {
		t.Errorf("the levels sum to %g", sum)
	}
}

func TestTell(t *testing.T) {
	r := 1.2
	f := analysis.Finding{
		Metric: "p99", Ratio: true, Bound: r, Canary: analysis.Figure{Requests: 4112, Value: 0.084}, Home: &analysis.Figure{Requests: 12230, Value: 0.031},
	}
	if got := f.Tell("flights", "monolith"); got != "p99 of flights was 84 ms against 31 ms of monolith (ratio 2.7, allowed 1.2) over 4,112 and 12,230 requests" {
		t.Error(got)
	}
	f = analysis.Finding{Metric: "success-rate", Bound: 0.995, Canary: analysis.Figure{Requests: 1000000, Value: 0.9712}}
	if got := f.Tell("flights", "monolith"); got != "success-rate of flights was 97.12% (allowed 99.50%) over 1,000,000 requests" {
		t.Error(got)
	}
}
