package routes

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"banyan/proxy/canary"
)

func (d *reader) analysis(n *yaml.Node, what string, r *Route) {
	if n == nil {
		return
	}
	m := d.fields(n, "the analysis of "+what, "interval", "minSamples", "steps", "onInconclusive", "onFail", "metrics")
	a := &Analysis{
		Interval:       d.duration(m["interval"], "the analysis interval of "+what, 30*time.Second, time.Second, time.Hour),
		MinSamples:     d.number(m["minSamples"], "minSamples of "+what, 200, 1, 1_000_000_000),
		OnInconclusive: d.word(m["onInconclusive"], "onInconclusive of "+what, "hold", "hold", "rollback"),
		OnFail:         d.word(m["onFail"], "onFail of "+what, "rollback", "rollback", "hold"),
	}
	last := canary.None
	for _, item := range d.items(m["steps"], "the steps of "+what) {
		w := d.weight(item, "a step of "+what)
		if w <= last {
			d.wrong(item.Line, "the steps of %s must rise from above 0%%: %s follows %s", what, w, last)
		}
		a.Steps, last = append(a.Steps, w), w
	}
	if len(a.Steps) == 0 {
		d.wrong(n.Line, "the analysis of %s has no steps: write such as \"steps: [1%%, 5%%, 25%%, 50%%, 100%%]\"", what)
	}
	for _, item := range d.items(m["metrics"], "the metrics of "+what) {
		a.Metrics = append(a.Metrics, d.metric(item, what))
	}
	if len(a.Metrics) == 0 {
		d.wrong(n.Line, "the analysis of %s has no metrics: write such as \"metrics: [{name: success-rate, min: 99.5%%}]\"", what)
	}
	for _, x := range a.Metrics {
		if x.Name == AuditViolations && r.Stateful == nil {
			d.wrong(n.Line, "the analysis of %s has the metric %s, which is of stateful routes only", what, x.Name)
		}
	}
	r.Analysis = a
}

// metric reads a bound and refuses one that the metric cannot have.
func (d *reader) metric(n *yaml.Node, what string) Metric {
	m := d.fields(n, "a metric of "+what, "name", "min", "max", "maxRatio")
	if m["name"] == nil && n.Kind == yaml.MappingNode {
		d.wrong(n.Line, "a metric of %s has no name", what)
	}
	x := Metric{
		Name: d.word(m["name"], "a metric of "+what, "", SuccessRate, ClientErrors, "p50", "p90", "p95", "p99", AuditViolations),
		Min:  d.bound(m["min"], "min"), MaxRatio: d.bound(m["maxRatio"], "maxRatio"),
	}
	latency := x.Name != SuccessRate && x.Name != ClientErrors && x.Name != AuditViolations
	if latency && m["max"] != nil {
		longest := d.duration(m["max"], "the max of "+x.Name+" of "+what, 0, time.Microsecond, time.Hour).Seconds()
		x.Max = &longest
	} else {
		x.Max = d.bound(m["max"], "max")
	}
	bounds := 0
	for _, b := range []*float64{x.Min, x.Max, x.MaxRatio} {
		if b != nil {
			bounds++
		}
	}
	switch {
	case x.Name == "":
	case bounds != 1:
		d.wrong(n.Line, "the metric %s of %s must have exactly one of min, max and maxRatio", x.Name, what)
	case x.Name == SuccessRate && (x.Min == nil || *x.Min > 1):
		d.wrong(n.Line, "the metric success-rate of %s takes a share: write such as \"min: 99.5%%\"", what)
	case x.Name == ClientErrors && (x.Max == nil || *x.Max > 1):
		d.wrong(n.Line, "the metric client-errors of %s takes a share: write such as \"max: 5%%\"", what)
	case x.Name == AuditViolations && x.Max == nil:
		d.wrong(n.Line, "the metric %s of %s takes a number: write such as \"max: 0\"", x.Name, what)
	case latency && (x.Min != nil || (x.MaxRatio != nil && *x.MaxRatio < 1)):
		d.wrong(n.Line, "the metric %s of %s takes \"max: 300ms\", or \"maxRatio: 1.2\", which is at least 1", x.Name, what)
	}
	return x
}

// Metrics that are no latencies.
const (
	SuccessRate  = "success-rate"
	ClientErrors = "client-errors"
	// AuditViolations counts what audits of moved data find.
	AuditViolations = "audit-violations"
)

// usualClientErrors is the share of 4xx up to which nobody asks whether they are the
// callers' mistakes. It is generous: one caller with bad links may be much of a small arm.
const usualClientErrors = 0.2

// Judged gives the metrics with those that need not be written: who asks for a success
// rate is told of a side that answers 404 to everything.
func (a *Analysis) Judged() []Metric {
	asked := false
	for _, m := range a.Metrics {
		if m.Name == ClientErrors {
			return a.Metrics
		}
		asked = asked || m.Name == SuccessRate
	}
	if !asked {
		return a.Metrics
	}
	most := usualClientErrors
	return append(slices.Clone(a.Metrics), Metric{Name: ClientErrors, Max: &most})
}
