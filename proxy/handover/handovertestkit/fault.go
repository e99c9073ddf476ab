package handovertestkit

import (
	"context"
	"errors"
	"fmt"
	"sync"

	kernel "banyan/modules/kernel/handover"
	"banyan/proxy/handover"
)

// Arrival says when an order whose sender has died arrives.
type Arrival string

// The arrivals.
const (
	Never  Arrival = "never"
	AtOnce Arrival = "at-once"
	Late   Arrival = "late" // when somebody else has settled the move
)

// Fault makes a coordinator die at one point of one step.
type Fault struct {
	Step    handover.Step
	Point   handover.Point
	Arrival Arrival // at Sent

	mu         sync.Mutex
	copyFrozen bool
	stir       func() // called once between the warm copy and the freeze; may be nil
	hit        bool
	send       func()
}

var errDead = errors.New("as the test wants")

// String names the fault in a test's name.
func (f *Fault) String() string {
	if f.Point == handover.Sent {
		return fmt.Sprintf("%s-%s-%s", f.Step, f.Point, f.Arrival)
	}
	return fmt.Sprintf("%s-%s", f.Step, f.Point)
}

// At implements handover.Faults.
func (f *Fault) At(step handover.Step, point handover.Point, send func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hit {
		return errDead // the dead do nothing more
	}
	if step == handover.StepFreeze && point == handover.Before && f.stir != nil {
		f.stir()
		f.stir = nil
	}
	if step != f.Step || point != f.Point {
		return nil
	}
	f.hit, f.send = true, send
	if f.Arrival == AtOnce {
		f.send()
	}
	return errDead
}

// deliver lets the order arrive that was on its way.
func (f *Fault) deliver() {
	if f.Arrival == Late && f.Point == handover.Sent && f.send != nil {
		f.send()
	}
}

// aborting tells whether the step comes only when a move is given up.
func (f *Fault) aborting() bool {
	return f.Step == handover.StepAbort || f.Step == handover.StepReactivate || f.Step == handover.StepAborted
}

// faults gives every step of a move at every point.
func faults() []*Fault {
	var list []*Fault
	for _, step := range []handover.Step{
		handover.StepBegin, handover.StepSeal, handover.StepCopy, handover.StepDigest, handover.StepFreeze, handover.StepFollow, handover.StepVerify,
		handover.StepCommit, handover.StepSealSource, handover.StepActivate, handover.StepFinish,
		handover.StepAbort, handover.StepReactivate, handover.StepAborted,
	} {
		list = append(list, at(step)...)
	}
	return list
}

// at gives a step at every point.
func at(step handover.Step) []*Fault {
	list := []*Fault{{Step: step, Point: handover.Before}, {Step: step, Point: handover.After}}
	for _, a := range []Arrival{Never, AtOnce, Late} {
		list = append(list, &Fault{Step: step, Point: handover.Sent, Arrival: a})
	}
	return list
}

// leaving gives the steps around the moment in which buckets are left out of a move.
func leaving() []*Fault {
	var list []*Fault
	for _, f := range append(faults(), at(handover.StepLeave)...) {
		switch f.Step {
		case handover.StepVerify, handover.StepLeave, handover.StepCommit, handover.StepReactivate, handover.StepAborted:
			f.stir = func() {} // the scenario knows its buckets
			list = append(list, f)
		default: // nothing is different there
		}
	}
	return list
}

// frozen gives the steps of a copy that is made when the source is frozen.
func frozen() []*Fault {
	list := append(at(handover.StepCopy), at(handover.StepDigest)...)
	for _, f := range list {
		f.copyFrozen = true
	}
	return list
}

// spoilt is a participant whose digests are wrong.
type spoilt struct{ kernel.Participant }

// Digest implements handover.Participant.
func (s spoilt) Digest(ctx context.Context, epoch int64, buckets []int) ([]kernel.Digest, error) {
	list, err := s.Participant.Digest(ctx, epoch, buckets)
	for i := range list {
		list[i].Records++
	}
	return list, err
}
