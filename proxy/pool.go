package proxy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"banyan/modules/kernel/errs"
	"banyan/proxy/balance"
	"banyan/proxy/routes"
)

// maxTries bounds how many instances one request is sent to.
const maxTries = 4

// The states of an instance.
const (
	stateHealthy   = "healthy"
	stateUnchecked = "unchecked"
	stateUnhealthy = "unhealthy"
	stateEjected   = "ejected"
	stateSuspect   = "suspect"
	stateStarting  = "starting"
	stateDraining  = "draining"
)

// pool is the instances of a backend elsewhere.
type pool struct {
	instances []*instance
	outlier   balance.Outlier
	slowStart time.Duration
	kept      *kept
	log       logrus.FieldLogger
}

// kept is what a pool leaves to the one that a reload puts in its place.
type kept struct {
	budget *balance.Budget
	mu     sync.Mutex // guards the instances' records, so that no more than half are ejected
}

// instance is one address of a backend, and the way to it.
type instance struct {
	backend  string // name
	url      string
	way      routes.Backend // what the leg was made of
	leg      *leg
	underway atomic.Int64
	sick     atomic.Bool    // its health checks say: send nothing
	out      atomic.Int64   // ejected until, in Unix nanoseconds; 0: it is not
	began    atomic.Int64   // when it came, or came back, likewise; 0: long ago
	noted    atomic.Bool    // there is something in the record
	suspect  atomic.Bool    // it would be ejected if there were room
	record   balance.Record // guarded by kept.mu
}

// newPool makes a backend's pool; before, nil if there is none, is the one that it replaces.
func (p *Router) newPool(b routes.Backend, before *pool) *pool {
	made := &pool{outlier: b.Outlier, slowStart: b.SlowStart, log: p.log.WithField("backend", b.Name)}
	old := map[string]*instance{}
	if before == nil {
		made.kept = &kept{budget: balance.NewBudget(time.Now())}
	} else {
		made.kept = before.kept
		for _, x := range before.instances {
			old[x.url] = x
		}
	}
	for _, url := range b.Instances() {
		way := wayTo(b, url)
		if x := old[url]; x != nil && x.way == way {
			made.instances = append(made.instances, x)
			continue
		}
		x := &instance{backend: b.Name, url: url, way: way, leg: newLeg(way, p.metrics.calls, p.log)}
		if before != nil {
			x.begin(time.Now())
		}
		made.instances = append(made.instances, x)
	}
	return made
}

// wayTo is a backend as the leg to one of its instances sees it: what only the pool
// looks at may change without a new leg.
func wayTo(b routes.Backend, url string) routes.Backend {
	way := b.At(url)
	way.Health, way.Outlier, way.SlowStart, way.Store, way.Line = routes.Health{}, balance.Outlier{}, 0, "", 0
	return way
}

// begin starts an instance slowly.
func (x *instance) begin(now time.Time) { x.began.Store(now.UnixNano()) }

// ejected tells whether an instance is left out for its failures; one whose time is over
// comes back.
func (x *instance) ejected() bool {
	until := x.out.Load()
	if until == 0 {
		return false
	}
	now := time.Now()
	if now.UnixNano() < until {
		return true
	}
	if x.out.CompareAndSwap(until, 0) {
		x.begin(now)
	}
	return false
}

// share is the part of its usual traffic that an instance may get now.
func (p *pool) share(x *instance) float64 {
	if x.suspect.Load() {
		return balance.LeastShare
	}
	began := x.began.Load()
	if began == 0 {
		return 1
	}
	share := balance.Share(time.Since(time.Unix(0, began)), p.slowStart)
	if share == 1 {
		x.began.CompareAndSwap(began, 0)
	}
	return share
}

// down tells whether no instance is fit to be asked.
func (p *pool) down() bool {
	for _, x := range p.instances {
		if !x.sick.Load() && !x.ejected() {
			return false
		}
	}
	return true
}

// choose gives the instance for a request, -1 if all have been tried. When none is fit,
// one whose checks pass is asked, and at last any: it may be better than it looks.
func (p *pool) choose(tried balance.Set) int {
	if len(p.instances) == 1 && tried == 0 {
		return 0
	}
	var warm, in, sound, rest balance.Set
	for i, x := range p.instances {
		if tried.Has(i) {
			continue
		}
		rest = rest.With(i)
		if x.sick.Load() {
			continue
		}
		sound = sound.With(i)
		if x.ejected() {
			continue
		}
		in = in.With(i)
		if share := p.share(x); share == 1 || rand.Float64() < share {
			warm = warm.With(i)
		}
	}
	for _, set := range [...]balance.Set{warm, in, sound, rest} {
		if set != 0 {
			return balance.Choose(set, rand.Uint64(), func(i int) int64 { return p.instances[i].underway.Load() })
		}
	}
	return -1
}

// send has one of the backend's instances answer, and another one if that failed, the
// request may be sent again and the budget allows it. Nil means that an answer was
// passed on.
func (a *arm) send(w http.ResponseWriter, r *http.Request, held *body) error {
	return a.sendAs(w, r, held, (*leg).try)
}

// sendOwner is send on a route whose data moves: errMisdirected if it is not there.
func (a *arm) sendOwner(w http.ResponseWriter, r *http.Request, held *body) error {
	return a.sendAs(w, r, held, (*leg).tryOwner)
}

// sender is a way to use a leg.
type sender func(*leg, http.ResponseWriter, *http.Request, *backend, *body) (status int, err error)

func (a *arm) sendAs(w http.ResponseWriter, r *http.Request, held *body, send sender) error {
	p := a.backend.pool
	p.kept.budget.Request()
	i := p.choose(0)
	err := p.try(p.instances[i], w, r, a.backend, held, send)
	var tried balance.Set
	for range maxTries - 1 {
		if err == nil || errors.Is(err, errMisdirected) || !mayRepeat(r, held, err) {
			break
		}
		tried = tried.With(i)
		if i = p.choose(tried); i < 0 {
			break
		}
		if !p.kept.budget.Retry(time.Now()) {
			a.retries.refused.Inc()
			break
		}
		if err = p.try(p.instances[i], w, r, a.backend, held, send); err == nil || errors.Is(err, errMisdirected) {
			a.retries.answered.Inc()
		} else {
			a.retries.failed.Inc()
		}
	}
	return err
}

// try sends a request to one instance and notes how that went.
func (p *pool) try(x *instance, w http.ResponseWriter, r *http.Request, b *backend, held *body, send sender) error {
	x.underway.Add(1)
	defer x.underway.Add(-1) // also when the answer is torn off, which is a panic
	ejected := x.ejected()
	status, err := send(x.leg, w, r, b, held)
	switch {
	case err == nil && status >= http.StatusBadGateway && status <= http.StatusGatewayTimeout:
		p.against(x, fmt.Errorf("it answered %d", status), balance.Record.Refuse)
	case err == nil, errors.Is(err, errMisdirected):
		p.passed(x, ejected)
	case itsFault(r, held, err):
		p.against(x, err, balance.Record.Fail)
	}
	return err
}

// itsFault tells whether a failure counts against an instance: it took no connection,
// broke off before an answer, or gave none in time. An answer is none; nor is what may be
// the client's doing.
func itsFault(r *http.Request, held *body, err error) bool {
	var ours *errs.Error
	if errors.As(err, &ours) || errors.Is(r.Context().Err(), context.Canceled) {
		return false
	}
	return notSent(err) || held.stream == nil || !held.stream.touched
}

// passed notes an answer of an instance, which may have been ejected when it was asked.
func (p *pool) passed(x *instance, ejected bool) {
	if !x.noted.Load() {
		return
	}
	p.kept.mu.Lock()
	defer p.kept.mu.Unlock()
	now := time.Now()
	if ejected && x.record.Ejected(now) {
		x.record = x.record.Return(now)
		x.out.Store(0)
	}
	x.record = x.record.Pass(p.outlier, now)
	x.noted.Store(!x.record.Clean())
	x.suspect.Store(x.record.Suspect(p.outlier))
}

// against counts something against an instance, and ejects it if that is one too many.
func (p *pool) against(x *instance, cause error, count func(balance.Record, balance.Outlier, time.Time, float64, bool) balance.Record) {
	p.kept.mu.Lock()
	defer p.kept.mu.Unlock()
	now, ejected := time.Now(), 0
	for _, y := range p.instances {
		if y.record.Ejected(now) {
			ejected++
		}
	}
	before := x.record.Ejections
	x.record = count(x.record, p.outlier, now, rand.Float64(), balance.Room(ejected, len(p.instances)))
	x.noted.Store(!x.record.Clean())
	x.suspect.Store(x.record.Suspect(p.outlier))
	if x.record.Ejections > before {
		x.out.Store(x.record.Until.UnixNano())
		p.log.WithField("url", x.url).WithError(cause).Warnf("the instance keeps failing and gets no requests for %s", x.record.Until.Sub(now).Round(time.Millisecond))
	}
}

// state is what people see of an instance.
func (p *pool) state(x *instance, checked bool) string {
	switch {
	case x.sick.Load():
		return stateUnhealthy
	case x.ejected():
		return stateEjected
	case x.suspect.Load():
		return stateSuspect
	case p.share(x) < 1:
		return stateStarting
	case !checked:
		return stateUnchecked
	}
	return stateHealthy
}
