package flightssplit

import (
	"context"
	"sync"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/paging"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
)

// Search gives a page of what both sides have. Its cursor is the one that a store with
// everything would give, and either side can go on from it.
func (s *Split) Search(ctx context.Context, c flights.Criteria) (flights.Page, error) {
	limit := c.Limit
	if limit == 0 {
		limit = flights.DefaultLimit
	}
	parts, err := s.ask(ctx, func(ctx context.Context, side flights.Side) (flights.Part, error) { return side.SearchPart(ctx, c) })
	if err != nil {
		return flights.Page{}, err
	}
	list, last, more := merge(parts, limit)
	page := flights.Page{Flights: list}
	if more {
		page.NextCursor = paging.Cursor(last, parts[0].Mark)
	}
	return page, nil
}

// ByNumber gives the flight of a designator that is wanted most.
func (s *Split) ByNumber(ctx context.Context, designator, departureLocal string) (flights.Flight, error) {
	parts, err := s.ask(ctx, func(ctx context.Context, side flights.Side) (flights.Part, error) {
		return side.NumberPart(ctx, designator, departureLocal)
	})
	if err != nil {
		return flights.Flight{}, err
	}
	list, _, _ := merge(parts, 1)
	if len(list) == 0 {
		return flights.Flight{}, flights.NoSuchNumber(designator)
	}
	return list[0], nil
}

// asking is a question about many flights.
type asking func(context.Context, flights.Side) (flights.Part, error)

// ask asks until the parts make a whole: their buckets are all, and each once. The side
// that served everything the last time is asked alone at first.
func (s *Split) ask(ctx context.Context, question asking) ([]flights.Part, error) {
	for try := 0; ; try++ {
		if err := s.again(ctx, try); err != nil {
			return nil, err
		}
		if one := s.whole.Load(); try == 0 && one != both {
			part, err := question(ctx, s.sides[one])
			if err != nil {
				return nil, err
			}
			if err := check(&part); err != nil {
				return nil, err
			}
			if part.Serves.Len() == bucket.Count {
				return []flights.Part{part}, nil
			}
		}
		parts, err := s.askBoth(ctx, question)
		if err != nil {
			return nil, err
		}
		s.remember(parts)
		if !parts[home].Serves.Overlaps(&parts[away].Serves) &&
			parts[home].Serves.Len()+parts[away].Serves.Len() == bucket.Count {
			return parts, nil
		}
	}
}

// remember keeps which side has everything.
func (s *Split) remember(parts []flights.Part) {
	whole := uint32(both)
	for i := range parts {
		if parts[i].Serves.Len() == bucket.Count {
			whole = uint32(i)
		}
	}
	s.whole.Store(whole)
}

// askBoth asks both sides at once.
func (s *Split) askBoth(ctx context.Context, question asking) ([]flights.Part, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parts, problems := make([]flights.Part, len(s.sides)), make([]error, len(s.sides))
	var wait sync.WaitGroup
	for i, side := range s.sides {
		wait.Go(func() {
			if parts[i], problems[i] = question(ctx, side); problems[i] == nil {
				problems[i] = check(&parts[i])
			}
			if problems[i] != nil {
				cancel() // the other's answer is of no use
			}
		})
	}
	wait.Wait()
	return parts, first(problems)
}

// first gives the error that came first: the others may come of giving up.
func first(problems []error) error {
	var given error
	for _, err := range problems {
		if err != nil && (given == nil || errs.CodeOf(given) == errs.Unavailable || errs.CodeOf(given) == errs.GatewayTimeout) {
			given = err
		}
	}
	return given
}

// check wants a part to make sense: each flight has its place, is served by who says so,
// and comes after the one before it.
func check(p *flights.Part) error {
	wrong := errs.E(errs.BadGateway, "the flights service answered with a part of a search that makes no sense")
	if len(p.Flights) != len(p.Places) {
		return wrong
	}
	for i := range p.Places {
		if p.Places[i].FlightID != p.Flights[i].FlightID || !p.Serves.Has(bucket.Of(p.Flights[i].FlightID)) ||
			i > 0 && p.Places[i-1].Compare(p.Places[i]) >= 0 {
			return wrong
		}
	}
	return nil
}

// merge gives at most limit flights of parts, in the order of their places, with the place
// of the last, and tells whether there are more.
func merge(parts []flights.Part, limit int) (list []flights.Flight, last flights.Place, more bool) {
	list = []flights.Flight{}
	at := make([]int, len(parts))
	for {
		best := -1
		for i := range parts {
			if at[i] == len(parts[i].Places) {
				continue
			}
			if best < 0 || parts[i].Places[at[i]].Compare(parts[best].Places[at[best]]) < 0 {
				best = i
			}
		}
		if best < 0 {
			break
		}
		if len(list) == limit {
			return list, last, true
		}
		list, last = append(list, parts[best].Flights[at[best]]), parts[best].Places[at[best]]
		at[best]++
	}
	for i := range parts {
		more = more || parts[i].More
	}
	return list, last, more
}
