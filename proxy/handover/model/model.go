// Package model checks the handover of a bucket: it visits every state that the protocol
// can reach with one bucket, one seat and one idempotency key, whatever is delayed,
// repeated, lost or stopped, and looks for one that breaks an invariant. The stores of
// the model follow handover.Next and handover.Admit themselves.
//
// What is modelled, what is not, and what came out: docs/proofs/model.md.
package model

import (
	"context"

	"banyan/modules/kernel/errs"
	"banyan/proxy/handover/model/explore"
)

// MaxStates is the number of states beyond which a check gives up.
const MaxStates = 40_000_000

// Options of a check.
type Options struct {
	Epochs int    // that the journal hands out beyond the first; from 1 to 4
	Mutant Mutant // the rule to drop
	// Hasty coordinators may send the next part before the last was acknowledged, and may
	// commit when the target's fence has counted all parts, without comparing digests.
	Hasty bool
}

// Result of a check.
type Result struct {
	States      int // visited
	Transitions int // between them, those that change the state
	Depth       int // steps from the start to the farthest state visited
	// Broken is the invariant that does not hold, "" if all do; Trace is then a
	// shortest way to break it, a line per step.
	Broken string
	Trace  []string
}

// Check explores the protocol. It gives errs.Invalid if the options make no sense,
// errs.TooLarge if there are more than MaxStates states, and errs.Unavailable if ctx ends.
func Check(ctx context.Context, o Options) (Result, error) {
	if o.Epochs < 1 || o.Epochs > maxEpochs || o.Mutant >= mutants {
		return Result{}, errs.E(errs.Invalid, "there is no model of %d epochs and mutant %d", o.Epochs, o.Mutant)
	}
	w := &world{epochs: uint8(o.Epochs), mutant: o.Mutant, hasty: o.Hasty, damage: o.Mutant != None, table: newTable(o.Mutant)}
	r, err := explore.Run(ctx, w, MaxStates)
	if err != nil {
		return Result{}, err
	}
	return Result{States: r.States, Transitions: r.Steps, Depth: r.Depth, Broken: r.Broken, Trace: w.tell(r.Trace)}, nil
}

// Hunt gives the first check that catches a mutant, with as few epochs as will do, and how
// many those were. If none up to the limit does, it is the last check, which broke
// nothing. Errors are those of Check.
func Hunt(ctx context.Context, o Options) (Result, int, error) {
	for limit, epochs := o.Epochs, 1; ; epochs++ {
		o.Epochs = epochs
		r, err := Check(ctx, o)
		if err != nil || r.Broken != "" || epochs >= limit {
			return r, epochs, err
		}
	}
}
