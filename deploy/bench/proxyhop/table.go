package main

import (
	"fmt"
	"slices"
	"strings"
)

// wanted are the ratios that Banyan is to reach, first and then.
var wanted = []struct { //nolint:gochecknoglobals // never written
	subject, against string
	first, then      float64
}{
	{"Banyan", "ReverseProxy", 0.5, 0.35},
	{"Banyan", "Caddy", 0.4, 0.25},
	{"Banyan", "HAProxy", 1.7, 1.1},
	{"Banyan", "nginx", 0, 0},
	{"Banyan, in process", "nginx and handler", 0.6, 0.5},
}

// table prints medians, ratios and errors.
func (b *bench) table() {
	_, _ = fmt.Fprintf(b.out, "\n%-22s %16s %12s  %s\n", "", "CPU per request", "requests/s", "errors")
	by := map[string]*subject{}
	for _, s := range b.subjects {
		by[s.name] = s
		wrong := "none"
		if len(s.wrong) > 0 {
			wrong = strings.Join(s.wrong, "; ")
		}
		_, _ = fmt.Fprintf(b.out, "%-22s %13.1f µs %12.0f  %s\n", s.name, median(s.cpu), median(s.rate), wrong)
	}
	_, _ = fmt.Fprintf(b.out, "\n%-44s %8s %8s %8s\n", "ratio of CPU per request", "wanted", "then", "got")
	for _, w := range wanted {
		s, against := by[w.subject], by[w.against]
		if s == nil || against == nil {
			continue
		}
		first, then := fmt.Sprintf("≤ %.2f", w.first), fmt.Sprintf("≤ %.2f", w.then)
		if w.first == 0 {
			first, then = "shown", ""
		}
		_, _ = fmt.Fprintf(b.out, "%-44s %8s %8s %8.2f\n", w.subject+" against "+w.against, first, then, median(s.cpu)/median(against.cpu))
	}
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}
