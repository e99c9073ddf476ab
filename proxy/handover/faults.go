package handover

import (
	"context"
	"errors"
)

// Step of a move, in the order in which they come. Buckets that are copied only when they
// are frozen have their copy and digest steps behind the verify step.
type Step string

// The steps. Those of the journal are named by the phase that they lead to.
const (
	StepBegin      Step = "begin"
	StepSeal       Step = "seal"
	StepCopy       Step = "copy"   // most of it before the source is frozen
	StepDigest     Step = "digest" // the target has what was copied
	StepFreeze     Step = "freeze"
	StepFollow     Step = "follow" // the target's knowledge of others' data is compared
	StepVerify     Step = "verify" // the source, now frozen, still has what was copied
	StepLeave      Step = "leave"  // buckets that were written meanwhile stay at the source
	StepCommit     Step = "commit"
	StepSealSource Step = "seal-source"
	StepActivate   Step = "activate"
	StepFinish     Step = "finish"
	StepAbort      Step = "abort"
	StepReactivate Step = "reactivate"
	StepAborted    Step = "aborted"
	StepRecover    Step = "recover" // the disaster's way back, instead of seal-source and activate
)

// Point in a step.
type Point string

// The points.
const (
	Before Point = "before" // nothing was sent
	Sent   Point = "sent"   // it was sent, and its answer never comes
	After  Point = "after"  // it was acknowledged
)

// Faults stops a coordinator dead, as a crash would: after an error it does nothing more
// about the move. At Sent the fault decides itself whether and when send is called, the
// order being on its way; at the other points send is nil.
type Faults interface {
	At(step Step, point Point, send func()) error
}

// crash is the error of a coordinator that was stopped dead.
type crash struct{ cause error }

func (c crash) Error() string { return "stopped dead: " + c.cause.Error() }
func (c crash) Unwrap() error { return c.cause }

func crashed(err error) bool { return errors.As(err, new(crash)) }

// do carries a step out: in production it is nothing but a call.
func (c *Coordinator) do(ctx context.Context, s Step, call func(context.Context) error) error {
	if c.o.Faults == nil {
		return call(ctx)
	}
	if err := c.o.Faults.At(s, Before, nil); err != nil {
		return crash{err}
	}
	if err := c.o.Faults.At(s, Sent, func() { _ = call(context.WithoutCancel(ctx)) }); err != nil {
		return crash{err}
	}
	if err := call(ctx); err != nil {
		return err
	}
	if err := c.o.Faults.At(s, After, nil); err != nil {
		return crash{err}
	}
	return nil
}
