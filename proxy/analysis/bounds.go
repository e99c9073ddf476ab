package analysis

import (
	"math"
	"sort"
)

// Confidence sequences: intervals that hold at every number of samples at once, with the
// probability stated, so that one may look as often as one likes and stop whenever one
// likes.
//
// Of a probability p that was seen k times in n: the mixture of likelihood ratios
//
//	M(p) = ∫ q^k (1-q)^(n-k) dπ(q) / (p^k (1-p)^(n-k)),  π = Beta(a, b)
//
// is a martingale that begins at 1 when p is the truth, so by Ville's inequality it
// reaches 1/level at any time with a probability of at most level. The interval is all p
// that it has not reached (H. Robbins, Statistical methods related to the law of the
// iterated logarithm, Ann. Math. Statist. 41, 1970).
//
// Of a quantile: samples at or below the true one are such a k, whatever the
// distribution, with ties as well, so the candidates that M does not reject are an
// interval too (S. Howard and A. Ramdas, Sequential estimation of quantiles with
// applications to A/B testing and best-arm identification, Bernoulli 28, 2022).

// interval is a value as seen, and where the true one is.
type interval struct{ low, seen, high float64 }

// prior is the Beta distribution of a mixture: it decides at which values intervals
// become narrow soonest, and never whether they hold.
type prior struct{ a, b float64 }

// around makes a wide prior with a mean.
func around(mean float64) prior { return prior{0.5, 0.5 * (1 - mean) / mean} }

// evidence is a mixture after n samples; it has what does not depend on k.
type evidence struct {
	prior
	n, fixed float64
}

func (m prior) after(n float64) evidence {
	return evidence{m, n, lgamma(m.a+m.b) - lgamma(m.a) - lgamma(m.b) - lgamma(m.a+m.b+n)}
}

// of is the logarithm of M(p).
func (e evidence) of(k, p float64) float64 {
	return e.mixed(k) - times(k, p) - times(e.n-k, 1-p)
}

// mixed is the numerator of M(p), which does not depend on p.
func (e evidence) mixed(k float64) float64 {
	return e.fixed + lgamma(e.a+k) + lgamma(e.b+e.n-k)
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// times is k·log(p), where nothing seen of something impossible is no surprise.
func times(k, p float64) float64 {
	if k == 0 {
		return 0
	}
	return k * math.Log(p)
}

// The rates around which intervals are narrowest: of failures, and of 4xx.
const (
	usualErrors  = 0.01
	usualClients = 0.1
)

// halvings is how often an interval of probabilities is halved in search of a bound.
const halvings = 30

// probability gives the interval of a probability of which k of n were seen.
func probability(n, k uint64, usual, level float64) interval {
	if n == 0 {
		return interval{0, 0, 1}
	}
	N, K := float64(n), float64(k)
	seen, limit := K/N, -math.Log(level)
	mixed := around(usual).after(N).mixed(K)
	rejected := func(p float64) bool { return mixed-times(K, p)-times(N-K, 1-p) >= limit }
	// Beyond what was seen, evidence only grows.
	search := func(in, out float64) float64 {
		if !rejected(out) {
			return out
		}
		for range halvings {
			if middle := (in + out) / 2; rejected(middle) {
				out = middle
			} else {
				in = middle
			}
		}
		return out
	}
	return interval{search(seen, 0), seen, search(seen, 1)}
}

// quantile gives the interval of a latency quantile, in seconds. An end that the samples
// do not bound is 0 or infinite.
func (s *Sample) quantile(p, level float64) interval {
	n := s.timed()
	v := interval{0, s.point(p, n), math.Inf(1)}
	tail, limit, N := 1-p, -math.Log(level), float64(n)
	e := around(tail).after(N)
	rejected := func(k int) bool { return e.of(float64(k), tail) >= limit }
	expected := int(N * tail)
	// tooMany is the least number of slower requests that contradicts a candidate, tooFew
	// the greatest.
	tooMany := expected + 1 + sort.Search(int(n)-expected, func(i int) bool { return rejected(expected + 1 + i) })
	tooFew := expected - sort.Search(expected+1, func(i int) bool { return rejected(expected - i) })
	slower := 0 // than the step
	for i := steps - 1; i >= 0; i-- {
		c := int(s.latency[i])
		if slower+c > tooFew && tooFew >= 0 && math.IsInf(v.high, 1) {
			v.high = edge(i + 1)
		}
		if slower+c >= tooMany { // of the steps before this, too many are slower
			v.low = edge(i)
			break
		}
		slower += c
	}
	return v
}
