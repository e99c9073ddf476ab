// Package flightssplit is the flights context over two stores between which the flights
// are split by their buckets: home, and away. To its callers it is one store that has
// everything. What is asked of one flight goes to the side that serves it; a search asks
// both and puts their parts together.
//
// A bucket that is handed over is for a moment served by neither side, or, as two answers
// come at different moments, by both. Such answers are thrown away and asked for again,
// a bounded number of times; nothing is answered that is not whole.
//
// Two things are known to one side only. An idempotency key that comes again with a flight
// of the other side is new there, not reused. And a flight that is moved to another date
// is not refused the name (designator, origin, date) of one of the other side; such two
// are both found, and neither is handed over to the other's side until one is changed.
package flightssplit

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"banyan/modules/flights"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
)

// Options bound how long a call waits for a bucket on its way. Zero values give the
// defaults.
type Options struct {
	Tries   int           // how often both sides are asked; 12 by default
	Pause   time.Duration // before the second try, twice as long before each further one; 2 ms
	Longest time.Duration // pause; 250 ms
}

func (o Options) orDefaults() Options {
	const tries, pause, longest = 12, 2 * time.Millisecond, 250 * time.Millisecond
	if o.Tries == 0 {
		o.Tries = tries
	}
	if o.Pause == 0 {
		o.Pause = pause
	}
	if o.Longest == 0 {
		o.Longest = longest
	}
	return o
}

// The sides, as indices.
const (
	home = iota
	away
	both // as a hint: neither has everything
)

// Split implements flights.Service over two sides.
type Split struct {
	sides   [2]flights.Side
	options Options
	// owners says which side answered last for a bucket. It is only where to ask first.
	owners [bucket.Count]atomic.Uint32
	// whole is the side that served everything when last asked, or both.
	whole atomic.Uint32
}

var _ flights.Service = (*Split)(nil)

// New puts two sides together; away's answers may come from elsewhere.
func New(homeSide, awaySide flights.Side, o Options) *Split {
	return &Split{sides: [2]flights.Side{homeSide, awaySide}, options: o.orDefaults()}
}

// again waits before a try, the first of which is number 0, or gives the error why there
// is no other one.
func (s *Split) again(ctx context.Context, try int) error {
	if try == 0 {
		return nil
	}
	if try >= s.options.Tries {
		return errs.E(errs.Unavailable, "some flights are being handed over; try again")
	}
	pause := s.options.Longest
	if shift := try - 1; shift < 16 {
		pause = min(pause, s.options.Pause<<shift)
	}
	select {
	case <-ctx.Done():
		return errs.E(errs.Unavailable, "the request was given up").Because(ctx.Err())
	case <-time.After(pause):
		return nil
	}
}

// owner asks one side after the other until one serves the bucket: a side that does not
// has done nothing.
func (s *Split) owner(ctx context.Context, b int, call func(flights.Side) error) error {
	for try := 0; ; try++ {
		if err := s.again(ctx, try); err != nil {
			return err
		}
		first := s.owners[b].Load()
		for _, i := range [2]uint32{first, 1 - first} {
			err := call(s.sides[i])
			if errs.CodeOf(err) == errs.Misdirected {
				continue
			}
			if i != first {
				s.owners[b].Store(i)
			}
			return err
		}
	}
}

// Flight asks the side that serves it.
func (s *Split) Flight(ctx context.Context, flightID string) (f flights.Flight, err error) {
	err = s.owner(ctx, bucket.Of(flightID), func(side flights.Side) (err error) {
		f, err = side.Flight(ctx, flightID)
		return err
	})
	return f, err
}

// SeatMap asks the side that serves the flight.
func (s *Split) SeatMap(ctx context.Context, flightID string) (m flights.PublishedSeatMap, err error) {
	err = s.owner(ctx, bucket.Of(flightID), func(side flights.Side) (err error) {
		m, err = side.SeatMap(ctx, flightID)
		return err
	})
	return m, err
}

// Schedule asks the side that owns the bucket of the flight to be.
func (s *Split) Schedule(ctx context.Context, n flights.NewFlight) (f flights.Flight, err error) {
	err = s.owner(ctx, bucket.Of(idOf(&n)), func(side flights.Side) (err error) {
		f, err = side.Schedule(ctx, n)
		return err
	})
	return f, err
}

// idOf gives the id that a flight will get. One that makes no sense has none, and any
// side will say why.
func idOf(n *flights.NewFlight) string {
	designator, err := flights.ParseDesignator(n.Designator)
	if err != nil {
		return ""
	}
	date, _, _ := strings.Cut(n.Departure, "T")
	return flights.IDOf(designator, n.Origin, date)
}

// Change asks the side that owns the flight.
func (s *Split) Change(ctx context.Context, flightID string, version int64, p flights.Patch) (f flights.Flight, err error) {
	err = s.owner(ctx, bucket.Of(flightID), func(side flights.Side) (err error) {
		f, err = side.Change(ctx, flightID, version, p)
		return err
	})
	return f, err
}

// Airports asks home: both sides have the same.
func (s *Split) Airports(ctx context.Context, q flights.AirportQuery) (flights.AirportPage, error) {
	return s.sides[home].Airports(ctx, q)
}

// Events gives home's events. Those of away are another source, which is followed under a
// name of its own: for each flight the numbers rise over both.
func (s *Split) Events(ctx context.Context, since int64, limit int) ([]flights.Event, error) {
	return s.sides[home].Events(ctx, since, limit)
}

// EventsOf gives home's events.
func (s *Split) EventsOf(ctx context.Context, eventType, sinceID string, limit int) ([]flights.Event, error) {
	return s.sides[home].EventsOf(ctx, eventType, sinceID, limit)
}

// PutEvents stores events of others at home.
func (s *Split) PutEvents(ctx context.Context, eventType string, events []flights.NewEvent) error {
	return s.sides[home].PutEvents(ctx, eventType, events)
}
