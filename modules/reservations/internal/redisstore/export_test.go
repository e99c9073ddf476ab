package redisstore

import "time"

// AdvanceGuess lets the store believe that Redis's clock is further by d.
func (s *Store) AdvanceGuess(d time.Duration) {
	at := s.clock.Elapsed()
	s.clock.Learn(s.clock.Now()+d.Microseconds(), at, at)
}
