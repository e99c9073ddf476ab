package reservationslocal

import "banyan/modules/kernel/handover"

// participating is a store that can hand its buckets over.
type participating interface {
	Participant() handover.Participant
}

// Participant gives the side of the store that takes over buckets of flights and hands
// them on; nil if the store always has them all.
func (s *Service) Participant() handover.Participant {
	if st, ok := s.store.(participating); ok {
		return st.Participant()
	}
	return nil
}
