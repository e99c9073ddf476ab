package reservationslocal

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"sync"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations/internal/rules"
	"banyan/modules/reservations/internal/store"
)

// FlightEvents is where the facts about flights come from, in one total order.
type FlightEvents interface {
	// Events gives at most limit events after since, oldest first; 0 is the start.
	Events(ctx context.Context, since int64, limit int) ([]FlightEvent, error)
}

// FlightEvent is an event of the flights context, in the shape in which it publishes
// them. Seq rises; ID and Time are not used here.
type FlightEvent struct {
	Seq  int64           `json:"seq"`
	ID   string          `json:"eventId"`
	Type string          `json:"type"`
	Time string          `json:"time"`
	Data json.RawMessage `json:"data"`
}

// The types of events that matter here.
const (
	configurationPublished = "configuration.published"
	flightsScheduled       = "flight.scheduled"
	flightChanged          = "flight.changed"
	flightCancelled        = "flight.cancelled"
	equipmentChanged       = "flight.equipment_changed"
)

// Bounds of one step of the feed, and its patience.
const (
	eventsAtOnce  = 64
	flightsAtOnce = 2000
	pollEvery     = 200 * time.Millisecond
	maxBackoff    = 10 * time.Second
)

// The sources of flights: the monolith, and the service that flights were handed over to.
// For each flight the numbers of its events rise over both.
const (
	FlightsHome = "flights"
	FlightsAway = "flights-away"
)

// Lag says how far the copy of flights is behind its source.
type Lag struct {
	// Seconds since the copy was last known to hold everything the source had.
	Seconds float64
	// Events that have been read and are not stored yet.
	Events int
	// Skipped counts events of unknown types.
	Skipped int64
	// Err is why the last step failed, nil if it did not. A malformed event stops the
	// feed for good, for skipping it would lose the order of things.
	Err error
}

// Feed keeps the service's copy of flights up to date from one source.
type Feed struct {
	store  store.Catalogue
	source string
	events FlightEvents

	mu       sync.Mutex
	complete time.Time
	lag      Lag
}

// Feed reads events under a source's name, which its cursor is kept under.
func (s *Service) Feed(source string, events FlightEvents) *Feed {
	return &Feed{store: s.store, source: source, events: events, complete: time.Now()}
}

// Lag tells how far behind the feed is, for metrics and health.
func (f *Feed) Lag() Lag {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.lag
	l.Seconds = time.Since(f.complete).Seconds()
	return l
}

// Follow applies events as they come until ctx ends. It waits and tries again when the
// source or the store fails; a malformed event ends it with an error that names it.
func (f *Feed) Follow(ctx context.Context) error {
	pause := pollEvery
	for {
		more, err := f.step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // asked to stop
		case errs.CodeOf(err) == errs.Unprocessable:
			return err
		case err != nil:
			pause = min(2*pause, maxBackoff)
		case more:
			pause = 0
		default:
			pause = pollEvery
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = max(pause, pollEvery)
	}
}

// CatchUp applies all there is and returns. progress, if not nil, is told the sequence
// number of the last event applied, after every step.
func (f *Feed) CatchUp(ctx context.Context, progress func(seq int64)) error {
	for {
		more, err := f.step(ctx)
		if err != nil {
			return err
		}
		if progress != nil {
			seq, err := f.store.Cursor(ctx, f.source)
			if err != nil {
				return err
			}
			progress(seq)
		}
		if !more {
			return nil
		}
	}
}

// step reads and applies one batch, and tells whether there may be more.
func (f *Feed) step(ctx context.Context) (more bool, err error) {
	defer func() { f.note(func(l *Lag) { l.Err = err }) }()
	before := time.Now()
	since, err := f.store.Cursor(ctx, f.source)
	if err != nil {
		return false, err
	}
	list, err := f.events.Events(ctx, since, eventsAtOnce)
	if err != nil {
		return false, errs.E(errs.Unavailable, "the events of flights cannot be read").Because(err)
	}
	f.note(func(l *Lag) { l.Events = len(list) })
	for rest := list; len(rest) > 0; {
		b, n, err := digest(since, rest)
		if err != nil {
			return false, err
		}
		if err := f.store.Apply(ctx, f.source, b.cursor, b.configurations, b.flights); err != nil {
			return false, err
		}
		since, rest = b.cursor, rest[n:]
		f.note(func(l *Lag) { l.Events, l.Skipped = len(rest), l.Skipped+b.skipped })
	}
	if len(list) == eventsAtOnce {
		return true, nil
	}
	f.mu.Lock()
	f.complete = before
	f.mu.Unlock()
	return false, nil
}

func (f *Feed) note(change func(*Lag)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.lag)
}

// batch is what some events come to.
type batch struct {
	cursor         int64
	configurations []store.Configuration
	flights        []store.Flight
	skipped        int64
}

// digest takes as many events as fit a batch. The events before a malformed one still
// count: it is met again, first, in the next batch.
func digest(since int64, events []FlightEvent) (b batch, n int, err error) {
	b.cursor = since
	for _, e := range events {
		if n > 0 && len(b.flights) >= flightsAtOnce {
			break
		}
		err := b.take(e)
		if err != nil && n == 0 {
			return b, 0, err
		}
		if err != nil {
			break
		}
		n++
	}
	return b, n, nil
}

// take adds an event whole, or is an Unprocessable error and adds nothing.
func (b *batch) take(e FlightEvent) error {
	if e.Seq <= b.cursor {
		return malformed(e, "it comes after number %d", b.cursor)
	}
	switch e.Type {
	case configurationPublished:
		c, err := readConfiguration(e)
		if err != nil {
			return err
		}
		b.configurations = append(b.configurations, c)
	case flightsScheduled, flightChanged, flightCancelled, equipmentChanged:
		flights, err := readFlights(e)
		if err != nil {
			return err
		}
		b.flights = append(b.flights, flights...)
	default:
		b.skipped++
	}
	b.cursor = e.Seq
	return nil
}

func readConfiguration(e FlightEvent) (store.Configuration, error) {
	var c struct {
		Configuration string   `json:"configuration"`
		Seats         []string `json:"seats"`
	}
	if err := json.Unmarshal(e.Data, &c); err != nil {
		return store.Configuration{}, malformed(e, "%v", err)
	}
	if !configurationForm.MatchString(c.Configuration) {
		return store.Configuration{}, malformed(e, "%q is not the name of a configuration", c.Configuration)
	}
	if len(c.Seats) == 0 || len(c.Seats) > maxSeatsOfAircraft {
		return store.Configuration{}, malformed(e, "it has %d seats", len(c.Seats))
	}
	for _, s := range c.Seats {
		if err := rules.CheckSeat(s); err != nil {
			return store.Configuration{}, malformed(e, "%v", err)
		}
	}
	return store.Configuration{ID: c.Configuration, Seats: c.Seats}, nil
}

// Forms of what events carry.
var (
	configurationForm = regexp.MustCompile(`^[!-~]{1,64}$`)
	flightForm        = regexp.MustCompile(`^[!-~]{1,32}$`)
	numberForm        = regexp.MustCompile(`^[A-Z0-9]{3,8}$`)
)

const maxSeatsOfAircraft = 1000

func readFlights(e FlightEvent) ([]store.Flight, error) {
	var facts struct {
		Flights []struct {
			FlightID      string `json:"flight_id"`
			Designator    string `json:"designator"`
			Date          string `json:"date"`
			Configuration string `json:"configuration"`
			Status        string `json:"status"`
		} `json:"flights"`
	}
	if err := json.Unmarshal(e.Data, &facts); err != nil {
		return nil, malformed(e, "%v", err)
	}
	if len(facts.Flights) == 0 {
		return nil, malformed(e, "it names no flight")
	}
	list := make([]store.Flight, 0, len(facts.Flights))
	for _, f := range facts.Flights {
		_, dated := time.Parse(time.DateOnly, f.Date)
		if !flightForm.MatchString(f.FlightID) || !numberForm.MatchString(f.Designator) || dated != nil ||
			!configurationForm.MatchString(f.Configuration) || (f.Status != "SCHEDULED" && f.Status != "CANCELLED") {
			return nil, malformed(e, "flight %+q is not well formed", f)
		}
		list = append(list, store.Flight{
			FlightID: f.FlightID, Designator: f.Designator, Date: f.Date,
			Configuration: f.Configuration, Open: f.Status == "SCHEDULED", Seq: e.Seq,
		})
	}
	return list, nil
}

func malformed(e FlightEvent, format string, args ...any) error {
	return errs.E(errs.Unprocessable, "the feed of flights stops at event %d (%s): %s; mend it at its source",
		e.Seq, e.Type, fmt.Sprintf(format, args...))
}
