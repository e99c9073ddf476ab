package proxy

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"banyan/modules/kernel/errs"
	"banyan/proxy/analysis"
	"banyan/proxy/promotion"
	"banyan/proxy/routes"
)

// How promotions are driven.
const (
	promoteEvery = 250 * time.Millisecond
	leaseLasts   = 15 * time.Second // a replica that died is replaced after this
	leaseRenewed = 4 * time.Second
	windowEvery  = 10 * time.Second // between the readings that tell what arms did lately
	releaseTime  = 2 * time.Second
)

// promoter lets routes with an analysis climb by themselves. It counts what their arms
// do, looks at what the counts mean, and orders weights as an operator would. A nil
// promoter does nothing.
//
//	Observe → counted → analysis.Judge → drive.step → Router.Apply
type promoter struct {
	router *Router
	store  *promotion.Store
	id     string // of this process, in leases, such as host:4711:K3QZ5A

	counted atomic.Pointer[map[string]*counted] // by route; never changed once in use

	mu   sync.Mutex
	rows map[string]promotion.Row // as last read

	drives  map[string]*drive // of the routes that this replica drives; the loop's own
	lent    map[string]*lent  // of those that another one drives; the loop's own
	failing bool              // the journal could not be read; the loop's own
	pushed  time.Time         // last reading of the arms; the loop's own
}

// counted is the arms of a route.
type counted struct {
	mu      sync.Mutex // of the windows
	arms    map[string]*analysis.Arm
	windows map[string]*analysis.Window
}

// promotes gives the router a promoter, if it can have one.
func (p *Router) promotes(o Options) error {
	if o.Promotions == nil || o.Weights == nil {
		return nil
	}
	p.promoter = &promoter{router: p, store: o.Promotions, id: replicaID(), drives: map[string]*drive{}, lent: map[string]*lent{}}
	p.promoter.counted.Store(&map[string]*counted{})
	p.observers = append(p.observers[:len(p.observers):len(p.observers)], p.promoter)
	if o.Registry == nil {
		return nil
	}
	if err := o.Registry.Register(newVerdictCollector(p.promoter)); err != nil {
		return errs.E(errs.Internal, "the metrics of verdicts are registered already").Because(err)
	}
	return nil
}

// Observe implements Observer.
func (p *promoter) Observe(x *Exchange) {
	c := (*p.counted.Load())[x.Route]
	if c == nil || x.Status == http.StatusSwitchingProtocols {
		return
	}
	if arm := c.arms[x.Failed]; arm != nil { // another one answered in its place, later
		arm.Observe(analysis.Gateway, x.Took)
		return
	}
	if arm := c.arms[x.Backend]; arm != nil {
		arm.Observe(classOf(x), x.Took)
	}
}

func classOf(x *Exchange) analysis.Class {
	switch {
	case x.Left:
		return analysis.Gone
	case x.Gateway:
		return analysis.Gateway
	case x.Torn:
		return analysis.Torn
	case x.Status >= http.StatusInternalServerError:
		return analysis.Server
	case x.Status >= http.StatusBadRequest:
		return analysis.Client
	}
	return analysis.OK
}

// adopt counts the arms of a new table's routes; counts go on over tables.
func (p *promoter) adopt(t *table) {
	if p == nil {
		return
	}
	old, next := *p.counted.Load(), map[string]*counted{}
	for _, r := range t.routes {
		if r.Analysis == nil {
			continue
		}
		c := &counted{arms: map[string]*analysis.Arm{}, windows: map[string]*analysis.Window{}}
		for _, s := range r.Shares {
			c.arms[s.Backend], c.windows[s.Backend] = &analysis.Arm{}, &analysis.Window{}
			if before := old[r.ID]; before != nil && before.arms[s.Backend] != nil {
				c.arms[s.Backend] = before.arms[s.Backend]
			}
		}
		next[r.ID] = c
		if before := old[r.ID]; before != nil && len(before.arms) == len(c.arms) && sameArms(before, c) {
			next[r.ID] = before
		}
	}
	p.counted.Store(&next)
}

func sameArms(a, b *counted) bool {
	for name, arm := range b.arms {
		if a.arms[name] != arm {
			return false
		}
	}
	return true
}

// run drives promotions until ctx ends, and then leaves them to others.
func (p *promoter) run(ctx context.Context) {
	if p == nil {
		return
	}
	for tick(ctx, promoteEvery) {
		p.push()
		p.look(ctx)
	}
	if len(p.drives) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	if err := p.store.Release(ctx, p.id); err != nil {
		p.router.log.WithError(err).Warn("promotions are not released; another replica takes them over when the lease ends")
	}
}

// push reads the arms now and then.
func (p *promoter) push() {
	if time.Since(p.pushed) < windowEvery {
		return
	}
	p.pushed = time.Now()
	for _, c := range *p.counted.Load() {
		c.mu.Lock()
		for name, arm := range c.arms {
			c.windows[name].Push(arm.Read())
		}
		c.mu.Unlock()
	}
}

// look drives every promotion that goes on and that no other replica drives.
func (p *promoter) look(ctx context.Context) {
	if len(*p.counted.Load()) == 0 && len(p.drives) == 0 {
		return
	}
	rows, err := p.store.All(ctx)
	if err != nil {
		if !p.failing && ctx.Err() == nil {
			p.router.log.WithError(err).Warn("the journal of promotions cannot be read; it is tried again")
		}
		p.failing = true
		return
	}
	p.failing = false
	p.mu.Lock()
	p.rows = rows
	p.mu.Unlock()
	for id, row := range rows {
		p.lookAt(ctx, id, row)
	}
}

// lookAt drives one promotion, or tells the replica that drives it what is counted here.
func (p *promoter) lookAt(ctx context.Context, id string, row promotion.Row) {
	d := p.drives[id]
	var err error
	switch {
	case row.State.Ended() && (d == nil || d.done) && !p.unfinished(row):
		delete(p.drives, id)
	default:
		if d == nil || d.row.Version != row.Version {
			d = &drive{promoter: p} // somebody else wrote it: begin from what is written
			p.drives[id] = d
		}
		d.row = row
		err = d.step(ctx)
	}
	if err == nil && (d == nil || d.leased.IsZero()) {
		err = p.lend(ctx, row)
	}
	if err != nil && ctx.Err() == nil {
		p.router.log.WithError(err).WithField("route", id).Debug("a promotion did not go on; it is tried again")
	}
}

// unfinished tells whether a promotion failed, but the weight is not taken back yet.
func (p *promoter) unfinished(row promotion.Row) bool {
	if row.State != promotion.Failed {
		return false
	}
	r, w := p.router.standing(row.Route)
	return r != nil && r.Fingerprint == row.Fingerprint && r.weights[row.Backend] != row.Weight && !foreign(row, w)
}

// verdictCollector shows what was found last, as it is in the journal.
type verdictCollector struct {
	promoter *promoter
	verdict  *prometheus.Desc
}

func newVerdictCollector(p *promoter) *verdictCollector {
	return &verdictCollector{p, prometheus.NewDesc("banyan_analysis_verdict",
		"The last verdict of a route's promotion: 1 pass, 0 inconclusive, -1 fail.", []string{"route", "metric"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *verdictCollector) Describe(out chan<- *prometheus.Desc) { out <- c.verdict }

// Collect implements prometheus.Collector.
func (c *verdictCollector) Collect(out chan<- prometheus.Metric) {
	c.promoter.mu.Lock()
	rows := c.promoter.rows
	c.promoter.mu.Unlock()
	known := c.promoter.router.table.Load().byID
	for id, row := range rows {
		if known[id] == nil || known[id].Analysis == nil {
			continue
		}
		seen := map[string]bool{}
		for _, f := range row.Findings {
			if name := f.Metric; !seen[name] { // the same quantile may have two bounds
				seen[name] = true
				out <- prometheus.MustNewConstMetric(c.verdict, prometheus.GaugeValue, float64(worst(row.Findings, name)), id, name)
			}
		}
	}
}

// worst is the verdict on a metric over all of its bounds.
func worst(list []analysis.Finding, name string) analysis.Verdict {
	v := analysis.Pass
	for _, f := range list {
		if f.Metric == name {
			v = min(v, f.Verdict)
		}
	}
	return v
}

// audited judges the metric that is not a matter of chance.
func audited(ctx context.Context, r *route, m routes.Metric) analysis.Finding {
	f := analysis.Finding{Metric: m.Name, Bound: *m.Max}
	if r.mover == nil {
		f.Verdict, f.Outside = analysis.Pass, "no data of "+r.ID+" moves"
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, auditTime)
	defer cancel()
	report, err := r.mover.coordinator.Audit(ctx)
	if err != nil {
		f.Waits = "the audit did not end: " + err.Error()
		return f
	}
	found := 0
	for _, n := range report.Counts {
		found += n
	}
	f.Canary = analysis.Figure{Requests: report.Checked, Value: float64(found)}
	f.Outside = fmt.Sprintf("an audit found %d violations in %d buckets (allowed %g)", found, report.Checked, *m.Max)
	switch {
	case float64(found) > *m.Max:
		f.Verdict = analysis.Fail
	case report.Checked == 0:
		f.Waits = "an audit that sees buckets at rest"
	default:
		f.Verdict = analysis.Pass
	}
	return f
}
