// Package explore visits every state that a finite system can reach, breadth first, and
// looks for one that breaks an invariant, for a step that does, and for a state from
// which no settled state can be reached any more. What it finds first is a shortest way
// there. It knows nothing of what the states mean.
package explore

import (
	"context"

	"banyan/modules/kernel/errs"
)

// System is what can be explored. A state must be a value that Go can compare.
type System[S comparable] interface {
	// Start is the first state.
	Start() S
	// Steps calls each for whatever may happen in s.
	Steps(s S, each func(Step[S]))
	// Broken names the invariant that s breaks, or "".
	Broken(s S) string
	// Settled says whether s is one of the states that must stay within reach.
	Settled(s S) bool
}

// Stuck is what Result.Broken says when no settled state can be reached.
const Stuck = "L1"

// Step leads from a state to another, or to itself.
type Step[S comparable] struct {
	Label uint32 // what happened, in the system's own words
	To    S
	// Broken names the invariant that the step itself breaks, "" if none.
	Broken string
	// Willed: somebody can bring the step about. That a settled state is within reach is
	// shown by such steps alone; what merely may happen does not count.
	Willed bool
}

// Result tells what was visited and found.
type Result[S comparable] struct {
	States int // visited
	Steps  int // between them, those that change the state
	Depth  int // steps from the start to the farthest state visited
	Broken string
	Trace  []Step[S] // from the start to where Broken was found; nil if nothing was
}

// none is the parent of the start.
const none = ^uint32(0)

type search[S comparable] struct {
	sys    System[S]
	index  map[S]uint32 // of states, in the order in which they were found
	states []S
	parent []uint32
	from   []uint32 // where a state's steps begin in to
	to     []uint32 // the willed ones only
	steps  int
	bad    Step[S] // the step that broke something, taken from state badAt
	badAt  uint32
}

// Run explores the system until something is broken or all was visited. It gives
// errs.TooLarge if there are more than limit states, which must be below 2^32, and
// errs.Unavailable if ctx ends before.
func Run[S comparable](ctx context.Context, sys System[S], limit int) (Result[S], error) {
	x := &search[S]{sys: sys, index: map[S]uint32{}}
	x.add(sys.Start(), none)
	if broken := sys.Broken(x.states[0]); broken != "" {
		return Result[S]{States: 1, Broken: broken, Trace: []Step[S]{}}, nil
	}
	depth, level := 0, 1 // level is where the states of the next depth begin
	for i := 0; i < len(x.states); i++ {
		if i%1024 == 0 && ctx.Err() != nil {
			return Result[S]{}, errs.E(errs.Unavailable, "the exploration was ended before it was complete").Because(ctx.Err())
		}
		if len(x.states) > limit {
			return Result[S]{}, errs.E(errs.TooLarge, "there are more than %d states", limit)
		}
		if i == level {
			depth, level = depth+1, len(x.states)
		}
		if x.visit(uint32(i)); x.bad.Broken != "" {
			return Result[S]{
				States: len(x.states), Steps: x.steps, Depth: depth + 1, Broken: x.bad.Broken,
				Trace: append(x.trace(x.badAt), x.bad),
			}, nil
		}
	}
	r := Result[S]{States: len(x.states), Steps: x.steps, Depth: depth}
	if i, stuck := x.stuck(); stuck {
		r.Broken, r.Trace = Stuck, x.trace(i)
	}
	return r, nil
}

func (x *search[S]) add(s S, parent uint32) uint32 {
	i := uint32(len(x.states))
	x.index[s] = i
	x.states = append(x.states, s)
	x.parent = append(x.parent, parent)
	return i
}

// visit takes every step from a state, up to the first that breaks something.
func (x *search[S]) visit(i uint32) {
	s := x.states[i]
	x.from = append(x.from, uint32(len(x.to)))
	x.sys.Steps(s, func(step Step[S]) {
		if x.bad.Broken != "" || step.Broken == "" && step.To == s {
			return
		}
		x.steps++
		j, known := x.index[step.To]
		if !known && step.Broken == "" {
			step.Broken = x.sys.Broken(step.To)
		}
		if step.Broken != "" {
			x.bad, x.badAt = step, i
			return
		}
		if !known {
			j = x.add(step.To, i)
		}
		if step.Willed {
			x.to = append(x.to, j)
		}
	})
}

// stuck gives the first state from which no settled state can be reached. It goes
// through the states backwards until that teaches nothing new.
func (x *search[S]) stuck() (uint32, bool) {
	good := make([]bool, len(x.states))
	for i, s := range x.states {
		good[i] = x.sys.Settled(s)
	}
	ends := append(x.from[1:len(x.from):len(x.from)], uint32(len(x.to)))
	for changed := true; changed; {
		changed = false
		for i := len(good) - 1; i >= 0; i-- {
			if good[i] {
				continue
			}
			for _, j := range x.to[x.from[i]:ends[i]] {
				if good[j] {
					good[i], changed = true, true
					break
				}
			}
		}
	}
	for i, ok := range good {
		if !ok {
			return uint32(i), true
		}
	}
	return 0, false
}

// trace is the way from the start to a state. A parent's first step to its child is the
// one that found it.
func (x *search[S]) trace(i uint32) []Step[S] {
	steps := []Step[S]{}
	for ; x.parent[i] != none; i = x.parent[i] {
		found := false
		x.sys.Steps(x.states[x.parent[i]], func(step Step[S]) {
			if !found && step.To == x.states[i] {
				steps, found = append(steps, step), true
			}
		})
	}
	for a, b := 0, len(steps)-1; a < b; a, b = a+1, b-1 {
		steps[a], steps[b] = steps[b], steps[a]
	}
	return steps
}
