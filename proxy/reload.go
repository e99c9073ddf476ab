package proxy

import (
	"context"
	"sync"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// How soon a change is seen. A file must read the same twice before it is used, so that
// one that is just being written is not.
const (
	filePoll    = 200 * time.Millisecond
	weightsPoll = 250 * time.Millisecond
	pollTimeout = 5 * time.Second
)

// Run checks the backends' health, reloads routes.yaml when it changes, and takes over
// what other replicas set, until ctx ends. It returns when all of that has stopped.
func (p *Router) Run(ctx context.Context) {
	var loops sync.WaitGroup
	defer loops.Wait()
	loops.Go(func() { p.watchFile(ctx) })
	loops.Go(func() { p.watchWeights(ctx) })
	loops.Go(func() { p.watchMovers(ctx, &loops) })
	loops.Go(func() { p.shadows.compare(ctx) })
	loops.Go(func() { p.promoter.run(ctx) })
	p.watchBackends(ctx, &loops)
}

// poke tells Run that the table has changed.
func (p *Router) poke() {
	for _, c := range []chan struct{}{p.changed, p.moved} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// watchFile puts a changed routes.yaml in force, whole or not at all.
func (p *Router) watchFile(ctx context.Context) {
	p.mu.Lock()
	file, judged := p.config.File, p.config.Stamp()
	p.mu.Unlock()
	if file == "" {
		return
	}
	p.retire(ctx)
	last := judged // stamp of the reading before
	disk := routes.NewWatcher(file)
	for tick(ctx, filePoll) {
		body, stamp, err := disk.Read()
		steady := stamp == last
		last = stamp
		if stamp == judged || !steady {
			continue
		}
		judged = stamp
		p.reload(ctx, file, body, err)
	}
}

// reload judges a new version of the file. A bad one leaves the table as it is and is
// loud: in the log, in a metric and in what the admin API tells.
func (p *Router) reload(ctx context.Context, file string, body []byte, err error) {
	var c *routes.Config
	if err == nil {
		c, err = routes.Parse(file, body)
	}
	var movers map[string]*mover
	if err == nil {
		movers, err = p.prepare(ctx, c)
	}
	p.mu.Lock()
	if err == nil {
		err = p.adopt(c, p.rows, movers)
	}
	p.problem = err
	p.mu.Unlock()
	if err != nil {
		p.metrics.reloads.WithLabelValues("refused").Inc()
		for _, line := range routes.Explain(err) {
			p.log.Error(line)
		}
		p.log.WithField("file", file).Error("the new routes file is refused; the one before it stays in force")
		return
	}
	p.metrics.reloads.WithLabelValues("adopted").Inc()
	for _, w := range c.Warnings {
		p.log.Warn(w)
	}
	p.log.WithField("file", file).WithField("routes", len(c.Routes)).Info("the new routes file is in force")
	p.retire(ctx)
}

// retire ends, for good, run-time weights that were set for another version of a route
// than the file that was just loaded has. They are out of force in this process already;
// this keeps them from coming back when the file does.
func (p *Router) retire(ctx context.Context) {
	if p.store == nil {
		return
	}
	p.mu.Lock()
	c, rows := p.config, p.rows
	p.mu.Unlock()
	for _, r := range c.Routes {
		row, ok := rows[r.ID]
		if !ok || row.Retired || row.Fingerprint == r.Fingerprint {
			continue
		}
		err := p.store.Set(ctx, weights.Change{
			Route: r.ID, Action: "retire", From: row.Weights, To: r.Weights(), Fingerprint: row.Fingerprint,
			IfVersion: row.Version, Retire: true, Actor: "router", Reason: "the file's version of the route changed",
		})
		switch {
		case errs.CodeOf(err) == errs.PreconditionFailed: // another replica did it, or set new ones
		case err != nil:
			p.log.WithError(err).WithField("route", r.ID).Warn("run-time weights of an older version of the route could not be retired")
		default:
			p.log.WithField("route", r.ID).Info("the file's version of the route changed: its weights replace those set at run time")
		}
	}
	if err := p.refresh(ctx); err != nil && ctx.Err() == nil {
		p.log.WithError(err).Warn("the run-time weights cannot be read; the last known ones stay in force")
	}
}

// watchWeights takes over what other replicas set. When the database does not answer
// the last known weights stay in force.
func (p *Router) watchWeights(ctx context.Context) {
	if p.store == nil {
		return
	}
	seen, failing := int64(-1), false
	for tick(ctx, weightsPoll) {
		n, err := p.poll(ctx, seen)
		switch {
		case err == nil:
			seen, failing = n, false
		case ctx.Err() == nil:
			p.metrics.polls.Inc()
			if !failing { // once, not four times a second
				p.log.WithError(err).Warn("the run-time weights cannot be read; the last known ones stay in force")
			}
			failing = true
		}
	}
}

func (p *Router) poll(ctx context.Context, seen int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	n, err := p.store.Changes(ctx)
	if err != nil || n == seen {
		return n, err
	}
	return n, p.refresh(ctx)
}

// refresh reads all rows and puts them in force, one reading at a time, so that an
// older one never replaces a newer one.
func (p *Router) refresh(ctx context.Context) error {
	p.reading.Lock()
	defer p.reading.Unlock()
	rows, err := p.store.All(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.adopt(p.config, rows, p.movers)
}

// tick waits; false when ctx ended.
func tick(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
