// Package analysis judges a canary: is the new side worse than the old one? It counts
// what each arm of a route does (Arm), and compares the counts (Judge) by intervals that
// stay valid however often they are looked at, so that a verdict may be asked for as
// requests come in and acted on at once. All but Arm is pure.
//
//	Arm.Observe → Arm.Read → Sample.Since → Judge → Decide
//
// What the verdicts promise is in docs/verdicts.md, and checked by simulation.
package analysis

import (
	"fmt"
	"math"

	"banyan/proxy/routes"
)

// Verdict is what may be concluded. The zero Verdict concludes nothing.
type Verdict int

// The verdicts. They are also the values of the metric.
const (
	Fail         Verdict = -1
	Inconclusive Verdict = 0
	Pass         Verdict = 1
)

// String gives the word for it.
func (v Verdict) String() string {
	switch v {
	case Fail:
		return "fail"
	case Pass:
		return "pass"
	default:
		return "inconclusive"
	}
}

// MarshalText implements encoding.TextMarshaler.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *Verdict) UnmarshalText(text []byte) error {
	for _, known := range []Verdict{Fail, Inconclusive, Pass} {
		if known.String() == string(text) {
			*v = known
			return nil
		}
	}
	return fmt.Errorf("analysis: %q is no verdict", text)
}

// What verdicts promise.
const (
	// Alpha is the share of ramps that are failed although the canary keeps its bounds or
	// is no worse than the home: over all looks, metrics and steps of a ramp.
	Alpha = 0.05
	// Beta is the share of steps that a metric passes although the canary is beyond its
	// bound by the margins, over all looks.
	Beta = 0.05
	// ErrorMargin is how far beyond its bound an error rate is never passed.
	ErrorMargin = 0.005
	// ClientMargin is the same for the share of 4xx.
	ClientMargin = 0.05
	// LatencyMargin is the same for latencies, as a factor.
	LatencyMargin = 1.5
)

// Level is the part of Alpha that one metric may spend in one window of samples. A step
// that begins anew, after a restart or a pause, has half of what was left.
func Level(metrics, steps, window int) float64 {
	return Alpha / float64(max(metrics, 1)*max(steps, 1)) / math.Exp2(float64(window+1))
}

// Question asks whether the canary keeps a bound.
type Question struct {
	Metric     routes.Metric
	Canary     *Sample
	Home       *Sample // nil: there is nothing to compare with, only absolute bounds count
	MinSamples int     // of each arm, to pass
	Level      float64 // the share of false alarms that this may add
}

// Finding is the answer to a Question. Values are rates from 0 to 1, or seconds.
type Finding struct {
	Metric  string  `json:"metric"`
	Verdict Verdict `json:"verdict"`
	Canary  Figure  `json:"canary"`
	Home    *Figure `json:"home"` // null: there was nothing to compare with
	Bound   float64 `json:"bound"`
	Ratio   bool    `json:"ratio"`             // the bound is of the canary's value to the home's
	Waits   string  `json:"waits,omitempty"`   // what a verdict is missing
	Outside string  `json:"outside,omitempty"` // of Fail, where it was not counted here: why
}

// Figure is what was seen of an arm, and the interval in which the true value is.
type Figure struct {
	Requests int     `json:"requests"`
	Value    float64 `json:"value"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"` // -1: not known yet
}

// Judge answers for a success rate, a share of 4xx or a latency quantile.
//
// Fail: even the canary's least value is beyond what the home's greatest value allows.
// Pass: what was seen keeps the bound, and even the canary's greatest value keeps it with
// the margin. An absolute bound that the home misses itself is as wide as the home's
// value: nobody is sent back for being no worse.
func Judge(q Question) Finding {
	k := kindOf(q.Metric)
	fail, home := k.read(q.Canary, q.Level/2), interval{}
	f := Finding{Metric: q.Metric.Name, Bound: k.bound, Ratio: k.ratio, Canary: k.figure(q.Canary, fail)}
	if q.Home != nil {
		home = k.read(q.Home, q.Level/2)
		figure := k.figure(q.Home, home)
		f.Home = &figure
	} else if k.ratio {
		f.Waits = "the home has no requests to compare with"
		return f
	}
	if f.Canary.Requests > 0 && fail.low > k.allowed(home.high) {
		f.Verdict = Fail
		return f
	}
	f.Waits = k.waits(q, f, fail.seen, home.seen)
	if f.Waits == "" {
		f.Verdict = Pass
	}
	return f
}

// waits says what is missing to pass, "" for nothing.
func (k kind) waits(q Question, f Finding, seen, atHome float64) string {
	switch {
	case f.Canary.Requests < max(q.MinSamples, 1):
		return fmt.Sprintf("%s of %s requests", count(f.Canary.Requests), count(max(q.MinSamples, 1)))
	case f.Home != nil && f.Home.Requests < max(q.MinSamples, 1):
		return fmt.Sprintf("%s of %s requests of the home", count(f.Home.Requests), count(max(q.MinSamples, 1)))
	case seen > k.allowed(atHome):
		return "it is beyond its bound, but that may be chance"
	}
	canary, home := k.read(q.Canary, Beta/2), interval{}
	if q.Home != nil {
		home = k.read(q.Home, Beta/2)
	}
	if canary.high > k.margin(k.allowed(home.low)) {
		return "more requests, to be sure"
	}
	return ""
}

// kind is how a metric is read. Inside, greater values are worse: a success rate is
// judged by its failures.
type kind struct {
	quantile float64 // 0: a rate
	clients  bool    // the rate is that of 4xx, else that of failures
	bound    float64 // as written
	ratio    bool
}

func kindOf(m routes.Metric) kind {
	k := kind{}
	switch {
	case m.MaxRatio != nil:
		k.bound, k.ratio = *m.MaxRatio, true
	case m.Max != nil:
		k.bound = *m.Max
	case m.Min != nil:
		k.bound = *m.Min
	}
	switch m.Name {
	case routes.ClientErrors:
		k.clients = true
	case "p50":
		k.quantile = 0.5
	case "p90":
		k.quantile = 0.9
	case "p95":
		k.quantile = 0.95
	case "p99":
		k.quantile = 0.99
	}
	return k
}

func (k kind) read(s *Sample, level float64) interval {
	if k.quantile > 0 {
		return s.quantile(k.quantile, level)
	}
	n, failures := s.outcomes()
	if k.clients {
		return probability(n, s.Classes[Client], usualClients, level)
	}
	return probability(n, failures, usualErrors, level)
}

// allowed is the greatest value that keeps the bound, by the home's.
func (k kind) allowed(home float64) float64 {
	switch {
	case k.ratio:
		return k.bound * home
	case k.quantile > 0, k.clients:
		return max(k.bound, home)
	}
	return max(1-k.bound, home)
}

func (k kind) margin(allowed float64) float64 {
	switch {
	case k.quantile > 0:
		return allowed * LatencyMargin
	case k.clients:
		return allowed + ClientMargin
	}
	return allowed + ErrorMargin
}

// figure turns an interval into what people read: a success rate, not one of failures.
func (k kind) figure(s *Sample, v interval) Figure {
	if k.quantile > 0 {
		f := Figure{int(s.timed()), v.seen, v.low, v.high}
		if math.IsInf(f.High, 1) {
			f.High = -1
		}
		return f
	}
	n, _ := s.outcomes()
	if k.clients {
		return Figure{int(n), v.seen, v.low, v.high}
	}
	return Figure{int(n), 1 - v.seen, 1 - v.high, 1 - v.low}
}

// Decide sums findings up: one failure is enough, and all must pass.
func Decide(list []Finding) Verdict {
	v := Pass
	for _, f := range list {
		v = min(v, f.Verdict)
	}
	if len(list) == 0 {
		return Inconclusive
	}
	return v
}
