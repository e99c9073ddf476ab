package proxy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/proxy/analysis"
	"banyan/proxy/canary"
	"banyan/proxy/promotion"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

const (
	// promoterActor is who orders weights for a promotion; a person's name has an address.
	promoterActor = "promoter"
	// undecidedLooks is how many looks at a step onInconclusive: rollback waits for.
	undecidedLooks = 10
	auditTime      = 5 * time.Second
)

// drive is a promotion that this replica drives. Each step decides by what is written and
// what is in force, writes before it acts, and may be the last one of this process.
type drive struct {
	promoter *promoter
	row      promotion.Row
	leased   time.Time
	done     bool
	// of the step's samples; nil: none are taken yet
	base     map[string]*analysis.Sample
	next     time.Time // look
	borrowed *borrowed // of other replicas
}

// standing gives a route in force and the row of its weights.
func (p *Router) standing(id string) (*route, weights.Row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.table.Load().byID[id], p.rows[id]
}

// foreign tells whether somebody else has changed a route's weights.
func foreign(row promotion.Row, w weights.Row) bool {
	return w.Version > row.Seen && w.Actor != promoterActor
}

// step takes a promotion one step further, or finds that it must wait.
func (d *drive) step(ctx context.Context) error {
	if held, err := d.lease(ctx); err != nil || !held {
		return err
	}
	r, w := d.promoter.router.standing(d.row.Route)
	switch {
	case r == nil || r.Analysis == nil || r.Fingerprint != d.row.Fingerprint || d.row.Step >= len(r.Analysis.Steps):
		return d.end(ctx, promotion.Stopped, fmt.Sprintf("stopped at %s: the file's version of the route changed; promote it again", d.row.Weight))
	case w.Version < d.row.Seen:
		return nil // not read yet
	case foreign(d.row, w):
		return d.yield(ctx, r, w)
	case d.row.State == promotion.Paused:
		return nil
	case r.weights[d.row.Backend] != d.row.Weight:
		return d.order(ctx, r, w)
	case d.row.State.Ended():
		d.done = true
		return nil
	}
	if r.mover != nil {
		v, err := d.promoter.router.Moving(ctx, r.ID)
		if err != nil {
			return err
		}
		if !v.Settled {
			d.base = nil
			return d.say(ctx, fmt.Sprintf("at %s: waiting until the data has moved", d.row.Weight))
		}
	}
	if d.base == nil {
		return d.begin(ctx, r)
	}
	if time.Now().Before(d.next) {
		return nil
	}
	d.next = time.Now().Add(r.Analysis.Interval)
	return d.judge(ctx, r)
}

// lease makes sure that this replica may drive; what it has counted while it might not
// is forgotten.
func (d *drive) lease(ctx context.Context) (bool, error) {
	if time.Since(d.leased) < leaseRenewed {
		return true, nil
	}
	held, err := d.promoter.store.Lease(ctx, d.row.Route, d.promoter.id, leaseLasts)
	if held {
		d.leased = time.Now()
		d.took(ctx)
	} else {
		d.base, d.leased = nil, time.Time{}
	}
	return held, err
}

// save writes the row; next says that a step begins.
func (d *drive) save(ctx context.Context, next bool) error {
	row, err := d.promoter.store.Save(ctx, d.row, next)
	if err == nil {
		d.row = row
	}
	return err
}

// say writes a sentence, unless it is written already.
func (d *drive) say(ctx context.Context, sentence string) error {
	if d.row.Sentence == sentence {
		return nil
	}
	d.row.Sentence = sentence
	return d.save(ctx, false)
}

func (d *drive) end(ctx context.Context, state promotion.State, sentence string) error {
	d.row.State, d.row.Sentence = state, sentence
	d.done = true
	d.promoter.router.log.WithField("route", d.row.Route).Info("promotion " + sentence)
	return d.save(ctx, false)
}

// yield gives way to somebody who changed the weights: a pause and its end are followed,
// anything else ends the promotion.
func (d *drive) yield(ctx context.Context, r *route, w weights.Row) error {
	same := r.weights[d.row.Backend] == d.row.Weight
	was := d.row.State
	d.row.Seen, d.base = w.Version, nil
	by := fmt.Sprintf("by %s: %s", w.Actor, w.Reason)
	switch {
	case was.Ended():
		d.done = true
		return nil
	case w.Paused && same:
		d.row.State = promotion.Paused
		return d.say(ctx, fmt.Sprintf("paused at %s %s; go on with banyan routes resume %s", d.row.Weight, by, r.ID))
	case was == promotion.Paused && same:
		d.row.State = promotion.Running
		return d.say(ctx, fmt.Sprintf("resumed at %s %s", d.row.Weight, by))
	}
	return d.end(ctx, promotion.Stopped, fmt.Sprintf("stopped at %s: %s was set to %s %s", d.row.Weight, d.row.Backend, r.weights[d.row.Backend], by))
}

// order puts the step's weight in force, or takes it back.
func (d *drive) order(ctx context.Context, r *route, w weights.Row) error {
	d.base = nil
	reason := d.row.Sentence
	if d.row.State == promotion.Running {
		reason = fmt.Sprintf("promotion, step %d of %d: %s", d.row.Step+1, len(r.Analysis.Steps), d.row.Sentence)
	}
	_, err := d.promoter.router.Apply(ctx, Order{
		Route: r.ID, Action: Set, Weights: weights.Weights{d.row.Backend: d.row.Weight}, IfVersion: version(r, w),
		Reason: short(reason, weights.MaxReason), Actor: promoterActor,
	})
	if code := errs.CodeOf(err); code == errs.Invalid || code == errs.Unsafe {
		return d.end(ctx, promotion.Stopped, fmt.Sprintf("stopped: %s is refused: %v", d.row.Weight, err))
	}
	return err
}

// begin takes the counts as they are now for the beginning of the step's samples.
func (d *drive) begin(ctx context.Context, r *route) error {
	d.row.Windows++
	d.row.Sentence = fmt.Sprintf("at %s: the first look comes in %s", d.row.Weight, r.Analysis.Interval)
	if err := d.save(ctx, false); err != nil {
		return err
	}
	d.base = d.promoter.read(r.ID)
	d.next = time.Now().Add(r.Analysis.Interval)
	return nil
}

// read gives what the arms of a route have counted.
func (p *promoter) read(id string) map[string]*analysis.Sample {
	list := map[string]*analysis.Sample{}
	if c := (*p.counted.Load())[id]; c != nil {
		for name, arm := range c.arms {
			list[name] = arm.Read()
		}
	}
	return list
}

// judge looks at the step's samples and acts on what they mean.
func (d *drive) judge(ctx context.Context, r *route) error {
	now := d.promoter.read(r.ID)
	if now[d.row.Backend] == nil || d.base[d.row.Backend] == nil {
		d.base = nil // the route's backends have changed
		return nil
	}
	if err := d.borrow(ctx); err != nil {
		return err
	}
	q := analysis.Question{
		Canary: d.counted(now, d.row.Backend), Home: d.counted(now, routes.Monolith),
		MinSamples: r.Analysis.MinSamples,
	}
	apart := r.weights[routes.Monolith] == canary.None
	if apart { // the home has nothing to do any more: compare with what it did before
		q.Home = d.row.Reference
	}
	d.row.Findings = d.findings(ctx, r, q)
	d.row.Looks++
	switch analysis.Decide(d.row.Findings) {
	case analysis.Fail:
		return d.fail(ctx, r, d.reasons(analysis.Fail))
	case analysis.Pass:
		if !apart {
			d.row.Reference = q.Home
		}
		return d.climb(ctx, r)
	default:
		return d.hold(ctx, r)
	}
}

// findings judges each of the route's metrics.
func (d *drive) findings(ctx context.Context, r *route, q analysis.Question) []analysis.Finding {
	counting := 0
	metrics := r.Analysis.Judged()
	for _, m := range metrics {
		if m.Name != routes.AuditViolations {
			counting++
		}
	}
	q.Level = analysis.Level(counting, len(r.Analysis.Steps), max(d.row.Windows-1, 0))
	var list []analysis.Finding
	for _, q.Metric = range metrics {
		if q.Metric.Name == routes.AuditViolations {
			list = append(list, audited(ctx, r, q.Metric))
		} else {
			list = append(list, analysis.Judge(q))
		}
	}
	return list
}

// hold waits for more, or gives up where the file says so.
func (d *drive) hold(ctx context.Context, r *route) error {
	if r.Analysis.OnInconclusive == "rollback" && d.row.Looks >= undecidedLooks {
		return d.back(ctx, fmt.Sprintf("rolled back at %s: undecided after %d looks: %s", d.row.Weight, d.row.Looks, d.reasons(analysis.Inconclusive)))
	}
	return d.say(ctx, fmt.Sprintf("holding at %s, undecided after look %d: %s", d.row.Weight, d.row.Looks, d.reasons(analysis.Inconclusive)))
}

// reasons tells of the findings with a verdict.
func (d *drive) reasons(v analysis.Verdict) string {
	var list []string
	for _, f := range d.row.Findings {
		if f.Verdict != v {
			continue
		}
		text := f.Tell(d.row.Backend, routes.Monolith)
		if v == analysis.Inconclusive && f.Waits != "" {
			text = f.Metric + " waits: " + f.Waits
		}
		list = append(list, text)
	}
	return strings.Join(list, "; ")
}

func (d *drive) fail(ctx context.Context, r *route, why string) error {
	if r.Analysis.OnFail == "rollback" {
		return d.back(ctx, fmt.Sprintf("rolled back at %s: %s", d.row.Weight, why))
	}
	return d.end(ctx, promotion.Failed, fmt.Sprintf("failed at %s, and stays there: %s", d.row.Weight, why))
}

// back writes that the weight is to be taken back; the next step does it.
func (d *drive) back(ctx context.Context, sentence string) error {
	d.row.Weight = canary.None
	err := d.end(ctx, promotion.Failed, sentence)
	d.done = false
	return err
}

// climb goes to the next step, or ends at the last.
func (d *drive) climb(ctx context.Context, r *route) error {
	passed := fmt.Sprintf("%s passed: %s", d.row.Weight, d.reasons(analysis.Pass))
	if d.row.Step == len(r.Analysis.Steps)-1 {
		sentence := "promoted: " + passed
		if err := d.promoter.router.notePromoted(ctx, d.row.Route, sentence); err != nil {
			return err // the next look tries again
		}
		return d.end(ctx, promotion.Promoted, sentence)
	}
	d.base = nil
	d.row.Step++
	d.row.Weight = r.Analysis.Steps[d.row.Step]
	d.row.Windows, d.row.Looks, d.row.Sentence = 0, 0, passed
	return d.save(ctx, true)
}
