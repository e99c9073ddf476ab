package shadow

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is what became of a copy.
type outcome string

const (
	same       outcome = "same"
	different  outcome = "different"
	failed     outcome = "failed"     // the new side gave no whole answer in time
	tooLarge   outcome = "too_large"  // more than maxBody, on either side
	unreadable outcome = "unreadable" // an encoding that is not read
	dropped    outcome = "dropped"    // no room
	skipped    outcome = "skipped"    // the new side is unhealthy, or the old one's answer a stream without end, 502, 503 or 504
)

// kind tells what an answer was compared with.
type kind string

const (
	raw   kind = "raw"   // old and new
	noise kind = "noise" // old and old
)

// The bounds of what is kept of a route.
const (
	maxFields  = 300
	maxSamples = 3
)

// tally is what was counted of one route.
type tally struct {
	route   string
	metrics metrics

	mu       sync.Mutex
	since    time.Time
	outcomes map[outcome]int64
	compared map[kind]int64
	differed map[kind]int64
	fields   map[string]*field
	lost     int64 // differences of fields beyond maxFields
}

type field struct {
	counts  map[kind]int64
	samples []Sample
}

func newTally(route string, m metrics) *tally {
	t := &tally{route: route, metrics: m}
	t.reset()
	return t
}

func (t *tally) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = time.Now().UTC()
	t.outcomes, t.compared, t.differed = map[outcome]int64{}, map[kind]int64{}, map[kind]int64{}
	t.fields, t.lost = map[string]*field{}, 0
}

func (t *tally) count(o outcome) {
	t.metrics.requests.WithLabelValues(t.route, string(o)).Inc()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outcomes[o]++
}

// noisy is how often old was compared with old.
func (t *tally) noisy() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.compared[noise]
}

// add takes in one comparison.
func (t *tally) add(k kind, found []difference) {
	if k == raw {
		o := same
		if len(found) > 0 {
			o = different
		}
		t.count(o)
	}
	if len(found) > 0 {
		t.metrics.diffs.WithLabelValues(t.route, string(k)).Inc()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.compared[k]++
	if len(found) > 0 {
		t.differed[k]++
	}
	for _, d := range found {
		f := t.field(d.path)
		if f == nil {
			t.lost++
			continue
		}
		f.counts[k]++
		if k == raw {
			f.keep(Sample{Old: d.old, New: d.new})
		}
	}
}

// field finds or makes a field, nil when there are too many.
func (t *tally) field(path string) *field {
	f := t.fields[path]
	if f == nil && len(t.fields) < maxFields {
		f = &field{counts: map[kind]int64{}}
		t.fields[path] = f
	}
	return f
}

// keep keeps the latest samples, each once.
func (f *field) keep(s Sample) {
	for _, known := range f.samples {
		if known == s {
			return
		}
	}
	if len(f.samples) == maxSamples {
		f.samples = append(f.samples[:0], f.samples[1:]...)
	}
	f.samples = append(f.samples, s)
}

// metrics are the process's; their names are a contract.
type metrics struct{ requests, diffs *prometheus.CounterVec }

func newMetrics() metrics {
	return metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "banyan_shadow_requests_total",
			Help: "Copies of requests, by route and what became of them.",
		}, []string{"route", "outcome"}),
		diffs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "banyan_diff_total",
			Help: "Comparisons that found a difference, by route: raw is old with new, noise old with old.",
		}, []string{"route", "kind"}),
	}
}

func (m metrics) register(registry prometheus.Registerer) error {
	if registry == nil {
		return nil
	}
	if err := registry.Register(m.requests); err != nil {
		return err
	}
	return registry.Register(m.diffs)
}

func (m metrics) forget(route string) {
	m.requests.DeletePartialMatch(prometheus.Labels{"route": route})
	m.diffs.DeletePartialMatch(prometheus.Labels{"route": route})
}
