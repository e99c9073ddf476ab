package proxy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/proxy/canary"
	"banyan/proxy/handover"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// Ask is who wants something done about a route's data, and why.
type Ask struct {
	Route     string
	IfVersion string // refuse unless the route's version is this; "" for whatever it is
	Reason    string
	Actor     string
	RequestID string
}

// ask judges an Ask and gives the route with the run-time row that was seen. errs:
// Invalid, NotFound, PreconditionFailed, Unavailable.
func (p *Router) ask(a Ask) (*route, weights.Row, error) {
	if a.Reason == "" {
		return nil, weights.Row{}, errs.E(errs.Invalid, "a change needs a reason; it is kept in the audit log").With("field", "reason")
	}
	if len(a.Reason) > weights.MaxReason {
		return nil, weights.Row{}, errs.E(errs.Invalid, "the reason is longer than %d bytes", weights.MaxReason).With("field", "reason")
	}
	p.mu.Lock()
	table, row := p.table.Load(), p.rows[a.Route]
	p.mu.Unlock()
	r, err := p.stateful(a.Route)
	if err != nil {
		return nil, row, err
	}
	if now := version(table.byID[a.Route], row); a.IfVersion != "" && a.IfVersion != now {
		return nil, row, errs.E(errs.PreconditionFailed, "route %s is at version %s now, not %s; look at it again before changing it", a.Route, now, a.IfVersion).With("version", now)
	}
	if p.store == nil {
		return nil, row, errs.E(errs.Unavailable, "this router keeps no audit log, so nothing can be changed at run time")
	}
	return r, row, nil
}

// note writes an Ask to the audit log before it is carried out, with what it is about in
// front of its reason; a line says that it was asked for, not that it succeeded.
func (p *Router) note(ctx context.Context, a Ask, r *route, row weights.Row, action, about string) error {
	return p.store.Log(ctx, weights.Change{
		Route: a.Route, Action: action, From: r.weights, To: r.weights, IfVersion: row.Version,
		Actor: a.Actor, Reason: about + ": " + a.Reason, RequestID: a.RequestID,
	})
}

// PreviewView is what an order would move.
type PreviewView struct {
	Buckets   int     `json:"buckets"`
	Add       int     `json:"add"`       // of those, to the extracted side
	GiveBack  int     `json:"give_back"` // and home
	Flights   int64   `json:"flights"`   // with any state
	Records   int64   `json:"records"`
	Estimated bool    `json:"records_estimated"` // flights too: scaled up from a sample of buckets
	Moves     int     `json:"moves"`
	Pause     float64 `json:"pause_ms"` // predicted, of the longest move
}

// Preview tells what an order that Apply would carry out would move, nil if the route
// has no data that moves; it does nothing. errs: those of Apply, and of the stores.
func (p *Router) Preview(ctx context.Context, o Order) (*PreviewView, error) {
	o.DryRun = true
	out, err := p.Apply(ctx, o)
	if err != nil {
		return nil, err
	}
	r, err := p.stateful(o.Route)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // Apply has found it: it has no data to move
	}
	if o.Action == Pause {
		return &PreviewView{}, nil
	}
	c, away := r.mover.coordinator, r.mover.settings.away
	pins, err := c.Journal().Pins(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.DryRun(ctx, handover.Desired{Weight: out.To[away], Pins: handover.PinsOf(pins, away)})
	if err != nil {
		return nil, err
	}
	return &PreviewView{
		Buckets: found.Add + found.GiveBack, Add: found.Add, GiveBack: found.GiveBack,
		Flights: found.Flights, Records: found.Records, Estimated: found.Estimated, Moves: found.Batches, Pause: milliseconds(found.Pause),
	}, nil
}

// PinOrder pins a flight's bucket to a backend; other flights of the bucket go with it.
type PinOrder struct {
	Ask
	Flight string
	To     string // home, away, or a backend's name; "" removes the pin
}

// maxFlight bounds a flight's id, in bytes.
const maxFlight = 64

// Pin carries a PinOrder out and gives the bucket; its move begins at once, unless the
// route is paused. errs: those of a change; NotFound for a pin that is not there.
func (p *Router) Pin(ctx context.Context, o PinOrder) (int, error) {
	if o.Flight == "" || len(o.Flight) > maxFlight {
		return 0, errs.E(errs.Invalid, "a flight's id has 1 to %d bytes", maxFlight).With("field", "flight_id")
	}
	r, row, err := p.ask(o.Ask)
	if err != nil {
		return 0, err
	}
	journal, number := r.mover.coordinator.Journal(), bucket.Of(o.Flight)
	if o.To == "" {
		pins, err := journal.Pins(ctx)
		if err == nil && !slices.ContainsFunc(pins, func(p handover.Pin) bool { return p.Bucket == number }) {
			err = errs.E(errs.NotFound, "bucket %d, that of flight %s, is not pinned", number, o.Flight)
		}
		if err == nil {
			err = p.note(ctx, o.Ask, r, row, "unpin", fmt.Sprintf("flight %s, bucket %d", o.Flight, number))
		}
		if err == nil {
			err = journal.RemovePin(ctx, number)
		}
		r.mover.coordinator.Kick()
		return number, err
	}
	to, err := r.mover.backend(o.To)
	if err != nil {
		return 0, err
	}
	if err = p.note(ctx, o.Ask, r, row, "pin", fmt.Sprintf("flight %s, bucket %d, to %s", o.Flight, number, to)); err == nil {
		err = journal.SetPin(ctx, handover.Pin{Bucket: number, Owner: to, Reason: o.Flight + ": " + o.Reason})
	}
	r.mover.coordinator.Kick()
	return number, err
}

// backend gives the side that somebody means.
func (m *mover) backend(said string) (string, error) {
	switch said {
	case "home", routes.Monolith:
		return routes.Monolith, nil
	case "away", m.settings.away:
		return m.settings.away, nil
	}
	return "", errs.E(errs.Invalid, "%q is neither home (%s) nor away (%s)", said, routes.Monolith, m.settings.away).With("field", "to")
}

// RescueOrder gives the home all that an extracted service owns that is gone for good.
type RescueOrder struct {
	Ask
	Gone       string // the backend's name, as a confirmation
	AcceptLost bool   // also where the home has no copy any more: see handover.Rescue
	DryRun     bool
}

// RescueView is what a rescue did, or would do.
type RescueView struct {
	Buckets int        `json:"buckets"`
	Lost    []int      `json:"lost"` // of those, the ones that the home had no complete copy of
	Moves   []MoveView `json:"moves"`
}

func rescueView(route string, r handover.Rescued) RescueView {
	v := RescueView{Buckets: r.Buckets, Lost: r.Lost, Moves: []MoveView{}}
	for _, m := range r.Moves {
		v.Moves = append(v.Moves, moveView(route, m))
	}
	return v
}

// Rescue carries a RescueOrder out. All weight goes home and the route is paused first,
// so that nothing is moved from or to the service that is gone, and stays so until
// somebody resumes. errs: those of a change, and of handover's Rescue.
func (p *Router) Rescue(ctx context.Context, o RescueOrder) (RescueView, error) {
	if o.DryRun && o.Reason == "" {
		o.Reason = "dry run"
	}
	r, row, err := p.ask(o.Ask)
	if err != nil {
		return RescueView{}, err
	}
	c, away := r.mover.coordinator, r.mover.settings.away
	if o.Gone != away {
		return RescueView{}, errs.E(errs.Invalid, "a rescue gives up what %s has had since; confirm by naming it: gone is %q", away, o.Gone).With("field", "gone")
	}
	found, err := c.Rescue(ctx, handover.RescueOrder{AcceptLost: o.AcceptLost, DryRun: true})
	if err != nil || o.DryRun {
		return rescueView(o.Route, found), err
	}
	to := weights.Weights{}
	for name := range r.weights {
		to[name] = canary.None
	}
	to[routes.Monolith] = canary.Full
	err = p.store.Set(ctx, weights.Change{
		Route: o.Route, Action: "rescue", From: r.weights, To: to, Fingerprint: r.Fingerprint, IfVersion: row.Version,
		Pause: true, Actor: o.Actor, Reason: o.Reason, RequestID: o.RequestID,
	})
	if err != nil {
		return RescueView{}, err
	}
	if err := p.refresh(ctx); err != nil {
		return RescueView{}, err
	}
	c.Kick()
	select { // other replicas hear of the pause
	case <-ctx.Done():
		return RescueView{}, errs.E(errs.Unavailable, "the route is paused, but nothing was rescued yet: try again").Because(ctx.Err())
	case <-time.After(2 * weightsPoll):
	}
	done, err := c.Rescue(ctx, handover.RescueOrder{Reason: o.Reason, AcceptLost: o.AcceptLost})
	for i, m := range done.Moves {
		if row, failed := c.Journal().Move(ctx, m.ID); failed == nil { // it has the times
			done.Moves[i] = row
		}
	}
	return rescueView(o.Route, done), err
}
