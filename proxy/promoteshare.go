package proxy

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"banyan/proxy/analysis"
	"banyan/proxy/promotion"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// How replicas tell the one that drives a promotion what they count.
const (
	lendEvery    = time.Second // at most, and five times in an interval
	lendsAnalyse = 5
	lenderGone   = time.Minute // after which the row of a replica that is silent goes
)

// replicaID names this process, so that a person finds it and no other one has the name.
func replicaID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s:%d:%s", short(host, 40), os.Getpid(), rand.Text()[:6])
}

// took notes in the audit log that this replica goes on with what another one drove.
func (d *drive) took(ctx context.Context) {
	before := d.row.Holder
	if before == "" || before == d.promoter.id || d.row.State.Ended() {
		return
	}
	d.row.Holder = d.promoter.id
	r, w := d.promoter.router.standing(d.row.Route)
	if r == nil {
		return
	}
	err := d.promoter.router.store.Log(ctx, weights.Change{
		Route: r.ID, Action: "take over", From: r.weights, To: r.weights, IfVersion: w.Version, Actor: promoterActor,
		Reason: fmt.Sprintf("replica %s drives the promotion in the place of %s, at %s", d.promoter.id, before, d.row.Weight),
	})
	if err != nil { // it drives all the same
		d.promoter.router.log.WithError(err).WithField("route", r.ID).Warn("the audit log lacks that this replica drives the promotion now")
	}
}

// lent is what this replica, which does not drive it, tells about a promotion.
type lent struct {
	stamp    string                      // of the window of samples
	base     map[string]*analysis.Sample // when this replica heard of the window
	written  time.Time
	requests int // that were written
}

// lend writes what this replica has counted in the promotion's window. The window begins
// here when its weights are in force here, too.
func (p *promoter) lend(ctx context.Context, row promotion.Row) error {
	l := p.lent[row.Route]
	if row.State.Ended() {
		if l == nil {
			return nil
		}
		delete(p.lent, row.Route)
		return p.store.Withdraw(ctx, row.Route, p.id)
	}
	r, _ := p.router.standing(row.Route)
	if r == nil || r.Analysis == nil || r.Fingerprint != row.Fingerprint || row.State != promotion.Running ||
		row.Windows == 0 || r.weights[row.Backend] != row.Weight {
		return nil
	}
	if l == nil || l.stamp != row.Stamp() {
		p.lent[row.Route] = &lent{stamp: row.Stamp(), base: p.read(row.Route), written: time.Now()}
		return nil
	}
	if time.Since(l.written) < max(lendEvery, r.Analysis.Interval/lendsAnalyse) {
		return nil
	}
	arms, requests := promotion.Arms{}, 0
	for name, now := range p.read(row.Route) {
		if name == row.Backend || name == routes.Monolith {
			arms[name] = now.Since(l.base[name])
			requests += arms[name].Requests()
		}
	}
	if requests == l.requests {
		return nil
	}
	err := p.store.Share(ctx, row.Route, p.id, l.stamp, arms)
	if err == nil {
		l.written, l.requests = time.Now(), requests
	}
	return err
}

// borrowed is what the other replicas have counted in a window, for the one that drives.
// It only grows: what was judged once is judged again, also when its replica has gone.
type borrowed struct {
	stamp string
	last  map[string]promotion.Arms // by replica
	swept time.Time
}

// borrow reads what the others have counted.
func (d *drive) borrow(ctx context.Context) error {
	store, stamp := d.promoter.store, d.row.Stamp()
	if d.borrowed == nil || d.borrowed.stamp != stamp {
		d.borrowed = &borrowed{stamp: stamp, last: map[string]promotion.Arms{}}
	}
	b := d.borrowed
	shared, err := store.Shared(ctx, d.row.Route, stamp)
	if err != nil {
		return err
	}
	for replica, arms := range shared {
		if replica != d.promoter.id && (b.last[replica] != nil || len(b.last) < promotion.MaxReplicas) {
			b.last[replica] = arms
		}
	}
	if time.Since(b.swept) < lenderGone {
		return nil
	}
	b.swept = time.Now()
	return store.Expire(ctx, d.row.Route, stamp, lenderGone)
}

// counted gives what all replicas have counted of a backend in the window.
func (d *drive) counted(now map[string]*analysis.Sample, backend string) *analysis.Sample {
	all := now[backend].Since(d.base[backend])
	for _, arms := range d.borrowed.last {
		all = all.Join(arms[backend])
	}
	return all
}
