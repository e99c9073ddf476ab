package analysis

// Join gives the counts of both together, nil being none. Counts taken at different
// places say as much as if they had been taken at one, as long as nothing is in both.
func (s *Sample) Join(other *Sample) *Sample {
	both := Sample{}
	for _, from := range []*Sample{s, other} {
		if from == nil {
			continue
		}
		for i, n := range from.Classes {
			both.Classes[i] += n
		}
		for i, n := range from.latency {
			both.latency[i] += n
		}
	}
	return &both
}
