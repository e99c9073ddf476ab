package shadow

import (
	"cmp"
	"slices"
	"time"

	"banyan/proxy/canary"
)

// Report is what was found on one route, in this process since it began or was reset.
type Report struct {
	Route    string           `json:"route"`
	Backend  string           `json:"backend"` // the new side
	Percent  canary.Weight    `json:"percent"`
	Since    time.Time        `json:"since"`
	Outcomes map[string]int64 `json:"outcomes"` // of copies
	Raw      Counts           `json:"raw"`      // old compared with new
	Noise    Counts           `json:"noise"`    // old compared with old
	Fields   []Field          `json:"fields"`   // the worst first
	// Unlisted counts differences of fields beyond the bound of what is kept.
	Unlisted int64 `json:"unlisted"`
}

// Counts are comparisons, and those that found something.
type Counts struct {
	Compared int64 `json:"compared"`
	Differed int64 `json:"differed"`
}

// Field is a field that differed. Rates are of comparisons, 0 to 1; the excess is what
// noise does not explain.
type Field struct {
	Path      string   `json:"path"`
	Excess    float64  `json:"excess"`
	RawRate   float64  `json:"raw_rate"`
	NoiseRate float64  `json:"noise_rate"`
	Raw       int64    `json:"raw"`
	Noise     int64    `json:"noise"`
	Samples   []Sample `json:"samples"` // the latest, secrets masked
}

// Sample is a field's value on both sides, as it may be shown.
type Sample struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// Report gives what was found on a route, or on all when route is "", with at most limit
// fields each. errs: NotFound.
func (s *Shadower) Report(route string, limit int) ([]Report, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if route != "" && s.routes[route] == nil {
		return nil, notShadowed(route)
	}
	list := []Report{}
	for id, r := range s.routes {
		if route == "" || id == route {
			list = append(list, r.report(limit))
		}
	}
	slices.SortFunc(list, func(a, b Report) int { return cmp.Compare(a.Route, b.Route) })
	return list, nil
}

func (r *Route) report(limit int) Report {
	t := r.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	out := Report{
		Route: r.plan.Route, Backend: r.plan.Settings.Backend, Percent: r.plan.Settings.Percent, Since: t.since,
		Outcomes: map[string]int64{}, Fields: []Field{}, Unlisted: t.lost,
		Raw:   Counts{t.compared[raw], t.differed[raw]},
		Noise: Counts{t.compared[noise], t.differed[noise]},
	}
	for o, n := range t.outcomes {
		out.Outcomes[string(o)] = n
	}
	for path, f := range t.fields {
		v := Field{
			Path: path, Raw: f.counts[raw], Noise: f.counts[noise], Samples: append([]Sample{}, f.samples...),
			RawRate: rate(f.counts[raw], t.compared[raw]), NoiseRate: rate(f.counts[noise], t.compared[noise]),
		}
		v.Excess = v.RawRate - v.NoiseRate
		out.Fields = append(out.Fields, v)
	}
	slices.SortFunc(out.Fields, func(a, b Field) int {
		return cmp.Or(cmp.Compare(b.Excess, a.Excess), cmp.Compare(b.Raw, a.Raw), cmp.Compare(a.Path, b.Path))
	})
	out.Fields = out.Fields[:min(limit, len(out.Fields))]
	return out
}

func rate(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}
