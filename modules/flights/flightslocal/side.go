package flightslocal

import (
	"context"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/store"
	"banyan/modules/kernel/handover"
)

// Away is the name of the side that started empty.
const Away = store.Away

// Participant gives the side of the store that takes over buckets of flights and hands
// them on.
func (s *Service) Participant() handover.Participant { return s.store.Participant() }

// Prepare makes the store ready to hand flights over, which takes a while if it has many
// that were written before they had buckets. It may be given up, and goes on where it was.
// Without it, the first call of the participant does it.
func (s *Service) Prepare(ctx context.Context) error {
	if err := s.store.Open(ctx); err != nil {
		return err
	}
	return s.store.Fill(ctx)
}

// SearchPart gives what is served here of a page.
func (s *Service) SearchPart(ctx context.Context, c flights.Criteria) (flights.Part, error) {
	q, mark, err := askedFor(&c)
	if err != nil {
		return flights.Part{}, err
	}
	rows, more, v, err := s.page(ctx, q)
	if err != nil {
		return flights.Part{}, err
	}
	part := flights.Part{Serves: v.Buckets, Places: make([]flights.Place, len(rows)), More: more, Mark: mark}
	for i := range rows {
		part.Places[i] = q.PositionOf(&rows[i])
	}
	part.Flights, err = s.showAll(ctx, rows)
	return part, err
}

// NumberPart gives the flight of a designator, if one is served here.
func (s *Service) NumberPart(ctx context.Context, designator, departureLocal string) (flights.Part, error) {
	rows, place, v, err := s.numbered(ctx, designator, departureLocal)
	if err != nil {
		return flights.Part{}, err
	}
	part := flights.Part{Serves: v.Buckets, Places: []flights.Place{place}[:len(rows)]}
	part.Flights, err = s.showAll(ctx, rows)
	return part, err
}

// Reference gives reference data to whoever keeps a copy.
func (s *Service) Reference(ctx context.Context, since int64, after string) (flights.ReferencePage, error) {
	return s.store.Reference(ctx, since, after)
}
