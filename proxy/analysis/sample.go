package analysis

import (
	"encoding/json"
	"errors"
	"math/bits"
	"sync/atomic"
	"time"
)

// Class is what became of a request.
type Class int

// The classes. Server, Gateway and Torn are failures of the arm; Client is a caller's
// mistake; Gone says nothing about success, since the caller did not wait for it.
const (
	OK      Class = iota
	Client        // 4xx
	Server        // 5xx by the backend itself
	Gateway       // no answer, or none in time: the router answered in its place
	Torn          // the answer broke off
	Gone          // the caller went away
	classes
)

// The histogram's layout: log-linear, 64 steps an octave, so that a step is at most
// 1.6 % wide; from 64 ns to 18 minutes. Longer latencies count as that.
const (
	unit     = 64 // nanoseconds
	stepBits = 6
	maxUnits = 1<<34 - 1
	steps    = (34-stepBits-1)<<stepBits + 2<<stepBits
	layout   = "log-linear 64ns/64"
)

func stepOf(took time.Duration) int {
	v := uint64(min(max(took, 0)/unit, maxUnits))
	e := max(bits.Len64(v)-1-stepBits, 0)
	return e<<stepBits + int(v>>e)
}

// edge gives the lower end of a step, in seconds; that of the next one is its upper end.
func edge(step int) float64 {
	e := max(step>>stepBits-1, 0)
	return float64(uint64(step-e<<stepBits)<<e) * unit / 1e9
}

// Arm counts what a backend did on a route since the process began. Many goroutines may
// use it; Observe allocates nothing and takes no lock.
type Arm struct {
	classes [classes]atomic.Uint64
	latency [steps]atomic.Uint32 // may wrap: only differences are used
}

// Observe counts one request.
func (a *Arm) Observe(c Class, took time.Duration) {
	a.classes[c].Add(1)
	a.latency[stepOf(took)].Add(1)
}

// Read gives the counts as they are now.
func (a *Arm) Read() *Sample {
	s := &Sample{}
	for i := range a.classes {
		s.Classes[i] = a.classes[i].Load()
	}
	for i := range a.latency {
		s.latency[i] = a.latency[i].Load()
	}
	return s
}

// Sample is counts of requests: of an arm since it began, or between two readings.
type Sample struct {
	Classes [classes]uint64
	latency [steps]uint32
}

// Add counts a number of requests alike.
func (s *Sample) Add(c Class, took time.Duration, times int) {
	s.Classes[c] += uint64(times)
	s.latency[stepOf(took)] += uint32(times)
}

// Since gives what came after an earlier reading of the same arm; nil is the beginning.
func (s *Sample) Since(before *Sample) *Sample {
	d := *s
	if before == nil {
		return &d
	}
	for i := range d.Classes {
		d.Classes[i] -= before.Classes[i]
	}
	for i := range d.latency {
		d.latency[i] -= before.latency[i] // modulo 2^32, like the counters
	}
	return &d
}

// Requests is how many there were, those that their callers left included.
func (s *Sample) Requests() int {
	n := uint64(0)
	for _, c := range s.Classes {
		n += c
	}
	return int(n)
}

// outcomes counts requests whose success is known, and the failures among them.
func (s *Sample) outcomes() (n, failures uint64) {
	failures = s.Classes[Server] + s.Classes[Gateway] + s.Classes[Torn]
	return failures + s.Classes[OK] + s.Classes[Client], failures
}

// timed counts the latencies.
func (s *Sample) timed() uint64 {
	n := uint64(0)
	for _, c := range s.latency {
		n += uint64(c)
	}
	return n
}

// Quantile gives a latency that the share p of the requests did not exceed, 0 if there
// are none.
func (s *Sample) Quantile(p float64) time.Duration {
	return time.Duration(s.point(p, s.timed()) * 1e9)
}

// point is the middle of the step in which the quantile of n requests lies, in seconds.
func (s *Sample) point(p float64, n uint64) float64 {
	seen := uint64(0)
	for i, c := range s.latency {
		if seen += uint64(c); c > 0 && float64(seen) >= p*float64(n) {
			return (edge(i) + edge(i+1)) / 2
		}
	}
	return 0
}

// written is a Sample as it is kept.
type written struct {
	Layout  string         `json:"layout"`
	Classes []uint64       `json:"classes"`
	Latency map[int]uint32 `json:"latency"`
}

// MarshalJSON writes only the steps that have something.
func (s *Sample) MarshalJSON() ([]byte, error) {
	w := written{Layout: layout, Classes: s.Classes[:], Latency: map[int]uint32{}}
	for i, c := range s.latency {
		if c > 0 {
			w.Latency[i] = c
		}
	}
	return json.Marshal(w)
}

// UnmarshalJSON refuses what was written with another layout.
func (s *Sample) UnmarshalJSON(text []byte) error {
	var w written
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	if w.Layout != layout || len(w.Classes) != int(classes) {
		return errors.New("analysis: a sample of another layout")
	}
	*s = Sample{Classes: [classes]uint64(w.Classes)}
	for i, c := range w.Latency {
		if i < 0 || i >= steps {
			return errors.New("analysis: a sample with a latency outside the layout")
		}
		s.latency[i] = c
	}
	return nil
}

// slots is how many readings a Window keeps.
const slots = 6

// Window tells what an arm did lately, from a ring of its last readings. The zero Window
// is ready; it is used by one goroutine at a time.
type Window struct {
	ring [slots]*Sample
	next int
}

// Push keeps a reading, in the place of the oldest.
func (w *Window) Push(s *Sample) {
	w.ring[w.next] = s
	w.next = (w.next + 1) % slots
}

// Since gives what came after the oldest reading that is kept.
func (w *Window) Since(now *Sample) *Sample {
	for i := range slots {
		if s := w.ring[(w.next+i)%slots]; s != nil {
			return now.Since(s)
		}
	}
	return now.Since(nil)
}
