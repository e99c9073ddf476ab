package history

import (
	"cmp"
	"math"
	"slices"
)

// Forever is the return of an operation whose end nobody saw.
const Forever = math.MaxInt64

// Operation is what a client wanted once, in however many attempts. Somewhere between
// Call and Return it has happened, or was refused, or, if the outcome is Unknown, it
// happened at any time after Call or never.
type Operation struct {
	Attempt         // the one whose answer counts
	First    Answer // Replay: what was answered the first time
	Attempts int
}

// Operations joins attempts.
//
// An answer that says that it is no repetition happened in its own attempt, whatever was
// tried before; other answers, at any time since the first attempt. A refusal is an
// operation of its own, for an attempt that was given up before may still happen later;
// only a Settled one proves that none will. Attempts after the answer are replays.
// Reads without an answer tell nothing and are left out.
func Operations(list []Attempt) []Operation {
	byOp := map[string][]Attempt{}
	var order []string
	for _, a := range list {
		if a.Op == "" {
			continue
		}
		if byOp[a.Op] == nil {
			order = append(order, a.Op)
		}
		byOp[a.Op] = append(byOp[a.Op], a)
	}
	var out []Operation
	for _, op := range order {
		attempts := byOp[op]
		slices.SortStableFunc(attempts, func(a, b Attempt) int { return cmp.Compare(a.Call, b.Call) })
		out = append(out, join(attempts)...)
	}
	return out
}

// join makes operations of the attempts of one, which are in the order of their calls.
func join(attempts []Attempt) []Operation {
	answered := slices.IndexFunc(attempts, func(a Attempt) bool { return a.Outcome == OK })
	var out []Operation
	open := -1 // the first attempt of unknown outcome
	for i, a := range attempts {
		switch {
		case answered >= 0 && i > answered:
			if a.Outcome != Unknown {
				a.Kind = Replay
				out = append(out, Operation{Attempt: a, First: attempts[answered].Answer, Attempts: 1})
			}
		case a.Outcome == Unknown && open < 0:
			open = i
		case a.Outcome == OK:
			if open >= 0 && (a.Repeats || !a.Kind.Keyed()) && !a.Kind.Reads() {
				a.Call = attempts[open].Call
			}
			out = append(out, Operation{Attempt: a, Attempts: i + 1})
		case a.Outcome == Refused:
			out = append(out, Operation{Attempt: a, Attempts: 1})
			if a.Settled {
				open = -1
			}
		}
	}
	if answered < 0 && open >= 0 && !attempts[open].Kind.Reads() {
		a := attempts[open]
		a.Return = Forever
		out = append(out, Operation{Attempt: a, Attempts: len(attempts)})
	}
	return out
}
