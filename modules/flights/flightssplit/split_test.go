package flightssplit_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/flights/flightstest"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
)

// At any split, every search answers what one store with everything would.
func TestASplitAnswersAsOneStore(t *testing.T) {
	for name, open := range kinds() {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, open)
			p.load(t)
			r := rand.New(rand.NewPCG(1, 2))
			order := r.Perm(bucket.Count)
			found := 0
			for _, cut := range []struct{ from, to int }{{0, 1}, {1, 300}, {300, 5000}, {5000, 9990}, {9990, bucket.Count}} {
				if err := p.move(t.Context(), p.home, p.away, order[cut.from:cut.to]); err != nil {
					t.Fatal(err)
				}
				found += p.compare(t, flights.Criteria{Limit: 50})
				for range 40 {
					found += p.compare(t, flightstest.RandomCriteria(r, "SIN"))
				}
				p.compareEach(t)
			}
			if found < 2000 {
				t.Errorf("only %d flights were found; the test says little", found)
			}
			if err := p.move(t.Context(), p.away, p.home, order[2000:]); err != nil {
				t.Fatal(err)
			}
			p.compare(t, flights.Criteria{Limit: 50})
			p.compareEach(t)
		})
	}
}

// compareEach asks for flights one by one, and by number.
func (p *pair) compareEach(t *testing.T) {
	t.Helper()
	page, err := p.whole.Search(t.Context(), flights.Criteria{Limit: 200, Origin: "LHR"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range page.Flights {
		got, err := p.split.Flight(t.Context(), f.FlightID)
		if err != nil || asJSON(t, got) != asJSON(t, f) {
			t.Fatalf("%s: %v, %v", f.FlightID, got, err)
		}
		for _, departure := range []string{"", f.Departure.Local} {
			want, err := p.whole.ByNumber(t.Context(), f.Designator, departure)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.split.ByNumber(t.Context(), f.Designator, departure)
			if err != nil || asJSON(t, got) != asJSON(t, want) {
				t.Fatalf("%s at %q: %s, %v; want %s", f.Designator, departure, got.FlightID, err, want.FlightID)
			}
		}
	}
	if _, err := p.split.Flight(t.Context(), "XX1-LHR-20261121"); errs.CodeOf(err) != errs.FlightUnknown {
		t.Errorf("no flight: %v", err)
	}
	if _, err := p.split.ByNumber(t.Context(), "xx 1", ""); errs.CodeOf(err) != errs.FlightUnknown {
		t.Errorf("no number: %v", err)
	}
}

// While buckets move to and fro, no page has a flight twice or leaves one out.
func TestSearchesWhileBucketsMove(t *testing.T) {
	for name, open := range kinds() {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, open)
			p.load(t)
			ctx, stop := context.WithCancel(t.Context())
			moved := make(chan error, 1)
			go func() { moved <- p.shuffle(ctx) }()
			r := rand.New(rand.NewPCG(8, 9))
			for range 60 {
				p.compare(t, flightstest.RandomCriteria(r, "SIN"))
			}
			p.compareEach(t)
			stop()
			if err := <-moved; err != nil {
				t.Error(err)
			}
			if p.epoch < 4 {
				t.Errorf("only %d moves; the test says little", p.epoch-1)
			}
		})
	}
}

// shuffle moves buckets to and fro until ctx ends; a move that has begun is finished.
func (p *pair) shuffle(ctx context.Context) error {
	r := rand.New(rand.NewPCG(3, 1))
	whole := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		some := r.Perm(bucket.Count)[:200+r.IntN(800)]
		if err := p.move(whole, p.home, p.away, some); err != nil {
			return err
		}
		if err := p.move(whole, p.away, p.home, some); err != nil {
			return err
		}
	}
	return nil
}
