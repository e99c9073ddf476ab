package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/web"
	"banyan/proxy/handover"
	"banyan/proxy/routes"
)

// The bounds of the search for an owner, beside the route's maxWait.
const (
	maxTurns  = 32
	turnPause = 2 * time.Millisecond // grows with every turn that brought nothing new
)

// serveOwned lets the owner of the request's bucket answer. While the bucket moves,
// writes wait. A store that does not own the bucket says so (421), which proves that
// nothing happened: the map is read anew, and the request sent again, within maxWait.
func (p *Router) serveOwned(w http.ResponseWriter, r *http.Request, t *target) {
	held, err := holdWhole(w, r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	b := t.bucketOf(r, held)
	if gather := t.route.mover.gather; b < 0 && gather != nil {
		w.Header()[BackendHeader] = []string{routes.Monolith}
		gather.ServeHTTP(w, held.apply(r))
		return
	}
	o := owned{router: p, mover: t.route.mover, target: t, held: held, bucket: b, begun: time.Now()}
	if err := o.serve(w, r); err != nil {
		w.Header().Set("Retry-After", "1")
		web.Fail(w, r, err)
	}
}

// owned is a request on its way to the owner of its bucket.
type owned struct {
	router *Router
	mover  *mover
	target *target
	held   *body
	bucket int // -1: the request does not name one
	begun  time.Time
	last   *arm // that refused, nil at first
}

// serve returns nil when an answer was given.
func (o *owned) serve(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), o.mover.wait.MaxWait)
	defer cancel()
	var seen handover.Place
	for turn := range maxTurns {
		place, err := o.place(ctx, r, turn > 0)
		if err != nil {
			return err
		}
		a := o.choose(place, turn > 0 && place.Version == seen.Version)
		sent := time.Now()
		if o.attempt(w, r, a) {
			now := time.Now()
			o.mover.strain.Took(now.Sub(sent), now)
			return nil
		}
		seen, o.last = place, a
		if err := o.look(ctx, turn); err != nil {
			return o.tooLong(err)
		}
	}
	return o.tooLong(nil)
}

// place waits until the bucket can be asked for this request.
func (o *owned) place(ctx context.Context, r *http.Request, refused bool) (handover.Place, error) {
	if o.bucket < 0 {
		return handover.Place{}, nil
	}
	place := o.mover.owners.Owner(o.bucket)
	if place.Refused {
		return place, errs.E(errs.Unavailable, "the data of bucket %d is withheld: its store came back with less than it had acknowledged, or is not known yet; "+
			"an operator sees more with banyan routes get %s", o.bucket, o.target.route.ID).With("bucket", o.bucket)
	}
	if !place.Moving || (!refused && (place.Open || reads(r.Method))) {
		return place, nil
	}
	leave, err := o.mover.enter(o.bucket)
	if err != nil {
		return place, err
	}
	defer leave()
	for place.Moving {
		if place, err = o.mover.owners.Await(ctx, o.bucket, place.Version); err != nil {
			return place, o.tooLong(err)
		}
	}
	return place, nil
}

// enter makes room for a request that waits for a bucket, within the route's bounds.
func (m *mover) enter(b int) (leave func(), err error) {
	if n := m.waiters[b].Add(1); int(n) > m.wait.MaxWaiters {
		m.waiters[b].Add(-1)
		return nil, errs.E(errs.Unavailable, "%d requests wait for bucket %d already, which is being moved; try again", m.wait.MaxWaiters, b).With("bucket", b)
	}
	m.waiting.Add(1)
	return func() { m.waiters[b].Add(-1); m.waiting.Add(-1) }, nil
}

// choose gives the owner's arm. A request that names no bucket, and one that the owner
// refused although the map says nothing new, is for the other side.
func (o *owned) choose(place handover.Place, nothingNew bool) *arm {
	route := o.target.route
	if o.last != nil && (nothingNew || o.bucket < 0) {
		return route.other(o.last)
	}
	for i := range route.arms {
		if route.arms[i].backend.Name == place.Owner {
			return &route.arms[i]
		}
	}
	return &route.arms[0]
}

// other gives the other one of home and participant.
func (r *route) other(than *arm) *arm {
	for i := range r.arms {
		if a := &r.arms[i]; a != than && (i == 0 || a.backend.Name == r.mover.settings.away) {
			return a
		}
	}
	return than
}

// attempt sends the request to a backend; false if it does not own the bucket.
func (o *owned) attempt(w http.ResponseWriter, r *http.Request, a *arm) bool {
	a.requests.Inc()
	if a.backend.handler != nil {
		c := &catcher{ResponseWriter: w, header: w.Header().Clone()}
		c.header[BackendHeader] = a.backend.header
		a.backend.handler.ServeHTTP(c, o.held.apply(r))
		c.finish()
		return !c.caught
	}
	web.SetRoute(r.Context(), o.target.pattern)
	err := a.sendOwner(w, r, o.held)
	if errors.Is(err, errMisdirected) {
		return false
	}
	if err != nil {
		o.router.fail(w, r, a, err)
	}
	return true
}

// look reads who owns the bucket now, after a refusal; refusals that bring nothing new
// follow each other ever more slowly.
func (o *owned) look(ctx context.Context, turn int) error {
	if err := o.mover.owners.Refresh(ctx); err != nil {
		return err
	}
	if turn == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(turn) * turnPause):
		return nil
	}
}

func (o *owned) tooLong(cause error) error {
	return errs.E(errs.Unavailable, "the data of this request is being moved and was not free within %s; nothing was done, try again",
		time.Since(o.begun).Round(time.Millisecond)).Because(cause)
}

func reads(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// bucketOf finds the bucket by the first aggregate that the request has, -1 if none.
func (t *target) bucketOf(r *http.Request, held *body) int {
	for i, key := range t.route.Stateful.Aggregate {
		value := ""
		switch key.From {
		case routes.FromPath, routes.FromID:
			value = segment(r.URL.Path, t.aggregate[i])
		case routes.FromQuery:
			value = r.URL.Query().Get(key.Name)
		case routes.FromJSON:
			value = jsonField(held.small, key.Name)
		case routes.FromHeader, routes.FromClientIP: // refused in a file
		}
		if value == "" {
			continue
		}
		if key.From != routes.FromID {
			return bucket.Of(value)
		}
		if b, err := bucket.Parse(value[:1], value); err == nil {
			return b
		}
	}
	return -1
}

// jsonField gives a text at the top of a JSON object, "" if there is none.
func jsonField(body []byte, name string) string {
	var fields map[string]json.RawMessage
	var value string
	if json.Unmarshal(body, &fields) != nil || json.Unmarshal(fields[name], &value) != nil {
		return ""
	}
	return strings.Clone(value)
}

// holdWhole reads a request's body into memory, so that it can be sent again.
func holdWhole(w http.ResponseWriter, r *http.Request) (*body, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return &body{}, nil
	}
	small, err := web.Body(w, r, maxHeld)
	return &body{small: small}, err
}

// errMisdirected is an answer of 421 that was not passed on.
var errMisdirected = errors.New("the backend does not own the bucket")

// catcher keeps back an answer that says that somebody else owns the bucket.
type catcher struct {
	http.ResponseWriter
	header        http.Header
	begun, caught bool
}

// Header implements http.ResponseWriter.
func (c *catcher) Header() http.Header { return c.header }

// WriteHeader implements http.ResponseWriter.
func (c *catcher) WriteHeader(status int) {
	if c.begun {
		return
	}
	if c.begun = true; status == http.StatusMisdirectedRequest {
		c.caught = true
		return
	}
	clear(c.ResponseWriter.Header())
	for name, values := range c.header {
		c.ResponseWriter.Header()[name] = values
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (c *catcher) Write(b []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	if c.caught {
		return len(b), nil
	}
	return c.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (c *catcher) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// finish is called when the handler has returned.
func (c *catcher) finish() { c.WriteHeader(http.StatusOK) }
