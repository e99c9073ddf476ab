package flightssplit_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
)

// Agents change flights while their buckets move to and fro: every change that was
// acknowledged counts, none twice, and each is published once.
func TestWritersWhileBucketsMove(t *testing.T) {
	for name, open := range kinds() {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, open)
			const writers, changes = 6, 12
			var made []flights.Flight
			var buckets []int
			for i := range writers {
				f, err := p.split.Schedule(t.Context(), flights.NewFlight{
					Designator: fmt.Sprintf("AA%d", 10+i), Origin: "JFK", Destination: "ATL", Departure: "2026-11-21T09:00", Arrival: "2026-11-21T11:30",
					Aircraft: "A320", Fares: map[flights.Cabin]flights.Money{flights.Economy: {Amount: "129.90", Currency: "USD"}},
				})
				if err != nil {
					t.Fatal(err)
				}
				made, buckets = append(made, f), append(buckets, bucket.Of(f.FlightID))
			}
			ctx, stop := context.WithCancel(t.Context())
			moved := make(chan error, 1)
			go func() { moved <- p.toAndFro(ctx, buckets) }()
			var done sync.WaitGroup
			for _, f := range made {
				done.Go(func() { p.keepChanging(t, f, changes) })
			}
			done.Wait()
			stop()
			if err := <-moved; err != nil {
				t.Error(err)
			}
			for _, f := range made {
				got, err := p.split.Flight(t.Context(), f.FlightID)
				if err != nil || got.Version != 1+changes {
					t.Errorf("%s is at version %d, %v; want %d", f.FlightID, got.Version, err, 1+changes)
				}
			}
			p.checkEvents(t, writers*changes)
			if p.epoch < 4 {
				t.Errorf("only %d moves; the test says little", p.epoch-1)
			}
		})
	}
}

func (p *pair) toAndFro(ctx context.Context, buckets []int) error {
	whole := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		if err := p.move(whole, p.home, p.away, buckets); err != nil {
			return err
		}
		if err := p.move(whole, p.away, p.home, buckets); err != nil {
			return err
		}
	}
	return nil
}

// keepChanging changes a flight again and again; what is refused as unavailable had no
// effect and is sent again.
func (p *pair) keepChanging(t *testing.T, f flights.Flight, times int) {
	for n := 0; n < times; {
		arrival := fmt.Sprintf("2026-11-21T12:%02d", n)
		got, err := p.split.Change(t.Context(), f.FlightID, f.Version, flights.Patch{Arrival: &arrival})
		if errs.CodeOf(err) == errs.Unavailable {
			continue
		}
		if err != nil || got.Version != f.Version+1 || got.Arrival.Local != arrival {
			t.Errorf("%s: version %d after %d, %v", f.FlightID, got.Version, f.Version, err)
			return
		}
		f = got
		n++
	}
}

// checkEvents wants every change published once, by either source, and no number twice for
// one flight: whoever follows both tells by it which news is newer.
func (p *pair) checkEvents(t *testing.T, want int) {
	t.Helper()
	last := map[string]int64{}
	var all []flights.Event
	for _, s := range []flights.Feed{p.home, p.away} {
		events, err := s.EventsOf(t.Context(), flights.FlightChanged, "", flights.MaxEvents)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, events...)
	}
	slices.SortStableFunc(all, func(a, b flights.Event) int { return int(a.Seq - b.Seq) })
	for _, e := range all {
		id := asJSON(t, e.Data)
		if i := slices.Index([]byte(id), ','); i > 0 {
			id = id[:i]
		}
		if last[id] >= e.Seq {
			t.Errorf("%s has two events of number %d", id, e.Seq)
		}
		last[id] = e.Seq
	}
	if len(all) != want {
		t.Errorf("%d changes were published; want %d", len(all), want)
	}
}
