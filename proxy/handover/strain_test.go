package handover_test

import (
	"math"
	"testing"
	"time"

	"banyan/proxy/handover"
)

// TestStrain: moves yield to requests that take more than twice as long as at rest, and
// what requests take while there are moves does not become the measure.
func TestStrain(t *testing.T) {
	s, at := &handover.Strain{}, time.Unix(1000, 0)
	took := func(n int, d time.Duration, moving bool) float64 {
		for range n {
			at = at.Add(10 * time.Millisecond)
			if moving {
				s.Moved(at)
			}
			s.Took(d, at)
		}
		return s.Load()
	}
	if load := s.Load(); load != 0 {
		t.Errorf("before the first request: %v", load)
	}
	for _, step := range []struct {
		what   string
		took   time.Duration
		moving bool
		load   float64
	}{
		{"at rest", 2 * time.Millisecond, false, 0},
		{"moves that nobody notices", 3 * time.Millisecond, true, 0},
		{"twice as long", 4 * time.Millisecond, true, 0},
		{"four times as long", 8 * time.Millisecond, true, 0.5},
		{"twenty times as long", 40 * time.Millisecond, true, 0.9},
		{"as before", 2 * time.Millisecond, true, 0},
	} {
		if load := took(2000, step.took, step.moving); math.Abs(load-step.load) > 0.01 {
			t.Errorf("%s: a load of %.3f, want %.1f", step.what, load, step.load)
		}
	}
	took(2000, 8*time.Millisecond, false) // the machine is slower now, whatever moves
	if load := took(100, 8*time.Millisecond, true); load > 0.01 {
		t.Errorf("a slower machine counts as a load of %.3f", load)
	}
}
