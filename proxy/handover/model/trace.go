package model

import (
	"fmt"

	"banyan/proxy/handover/model/explore"
)

// action is a kind of step.
type action uint8

const (
	didPass    action = iota // a write passed the home store's fence
	didCommit                // and was committed
	didWrite                 // a write at the extracted store
	didRead                  // a read that is wrong
	didRestart               // of a store
	didTake                  // of an epoch
	didOrder                 // an order, or a part, was carried out
	didRefuse                // an order whose refusal settles something
	didStep                  // of a coordinator
	didTimeOut               // of a source
)

// label says which step it was.
type label struct {
	act      action
	side     side
	epoch    uint8
	arg      uint8
	answered bool
	willed   bool // see explore.Step; not kept
}

func (l label) pack() uint32 {
	var answered uint32
	if l.answered {
		answered = 1
	}
	return uint32(l.act) | uint32(l.side)<<8 | uint32(l.epoch)<<9 | uint32(l.arg)<<16 | answered<<24
}

func unpackLabel(v uint32) label {
	return label{act: action(v), side: side(v >> 8 & 1), epoch: uint8(v >> 9 & 0x7f), arg: uint8(v >> 16), answered: v>>24 == 1}
}

func (s side) String() string {
	if s == home {
		return "home"
	}
	return "extracted"
}

func (f fence) String() string {
	if f.mode == absent {
		return "no fence"
	}
	text := fmt.Sprintf("%s(%d)", f.mode.real(), f.epoch)
	if f.seq > 0 {
		text += fmt.Sprintf(" with %d parts", f.seq)
	}
	return text
}

func (d data) String() string {
	text := [...]string{free: "seat free", alice: "seat Alice's", bob: "seat Bob's"}[d.seat]
	if d.record {
		text += " + Alice's record"
	}
	return text
}

func (w write) String() string {
	return [...]string{aliceHolds: "Alice's hold", bobHolds: "Bob's hold", aliceReleases: "Alice's release", none: ""}[w]
}

func (a answer) String() string {
	return [...]string{done: "done", taken: "seat taken", notHeld: "not held"}[a]
}

// tell makes lines of a trace, numbered, each with what it led to.
func (w *world) tell(steps []explore.Step[key]) []string {
	lines := make([]string, 0, len(steps))
	was := unpack(w.Start())
	for i, step := range steps {
		now := unpack(step.To)
		lines = append(lines, fmt.Sprintf("%2d. %s", i+1, w.line(unpackLabel(step.Label), &was, &now)))
		was = now
	}
	return lines
}

func (w *world) line(l label, was, now *state) string {
	st := &now.stores[l.side]
	switch l.act {
	case didPass:
		return fmt.Sprintf("home: %s finds the fence active and is under way", write(l.arg))
	case didCommit, didWrite:
		_, got := was.stores[l.side].data.apply(write(l.arg), w.mutant != NoIdempotency)
		_, want := was.object.apply(write(l.arg), true)
		text := fmt.Sprintf("%s: %s is answered %q; %s", l.side, write(l.arg), got, st.data)
		if got != want {
			text += fmt.Sprintf("  <- the right answer is %q", want)
		}
		return text
	case didRead:
		return fmt.Sprintf("%s: a read answers %q  <- the right answer is %q", l.side, data{seat: st.data.seat}, data{seat: now.object.seat})
	case didRestart:
		if was.stores[l.side].fence == st.fence {
			return fmt.Sprintf("%s: restarts; the writes under way are lost", l.side)
		}
		return fmt.Sprintf("%s: restarts, and is %s again", l.side, st.fence)
	case didTake:
		return w.tookLine(l, was)
	case didOrder:
		text := fmt.Sprintf("%s: %s(%d) arrives: %s, %s", l.side, order(l.arg).op(), l.epoch, st.fence, st.data)
		if l.answered {
			return text
		}
		return text + " (the answer is lost, or nobody waits for it)"
	case didRefuse:
		return fmt.Sprintf("%s: %s(%d) is refused: %s", l.side, order(l.arg).op(), l.epoch, st.fence)
	case didTimeOut:
		return fmt.Sprintf("%s: a timer unfreezes: %s", l.side, st.fence)
	case didStep:
	}
	return w.stepLine(l, was, now)
}

func (w *world) tookLine(l label, was *state) string {
	from, to := l.side, l.side.other()
	switch {
	case kind(l.arg) == abort:
		return fmt.Sprintf("journal: aborting(%d), owner %s; Reactivate(%d) is sent to %s", l.epoch, from, l.epoch, from)
	case was.phase == prep:
		return fmt.Sprintf("journal: taken over, prep(%d); Seal(%d) is sent to %s", l.epoch, l.epoch, to)
	}
	return fmt.Sprintf("journal: prep(%d) of a move from %s to %s; Seal(%d) is sent to %s", l.epoch, from, to, l.epoch, to)
}

func (w *world) stepLine(l label, was, now *state) string {
	a, before := &now.attempts[l.epoch-firstEpoch-1], was.attempts[l.epoch-firstEpoch-1].stage
	who := fmt.Sprintf("coordinator %d: ", l.epoch)
	if a.kind == abort {
		if stage(l.arg) == abortFinished {
			return who + "Reactivate was answered; journal idle"
		}
		return who + "dies; another must ask again"
	}
	if before == seatSent || before == recordSent || before == warmSeatSent || before == warmRecordSent {
		return who + "does not wait for the answer"
	}
	switch stage(l.arg) {
	case seatSent, warmSeatSent:
		return fmt.Sprintf("%sexports from %s and sends part 1: %s", who, a.from, data{seat: a.sent.seat})
	case exportSecond, warmSecond:
		return fmt.Sprintf("%sexports from %s: no seat is held", who, a.from)
	case recordSent, warmRecordSent:
		return fmt.Sprintf("%sexports from %s and sends part %d: Alice's record", who, a.from, a.sent.parts())
	case digestSource, warmDigest:
		return fmt.Sprintf("%sexports from %s: no further part", who, a.from)
	case digestTarget:
		return fmt.Sprintf("%sasks %s for its digest: %s", who, a.from, a.digest)
	case verified:
		if before == digestSource && was.attempts[l.epoch-firstEpoch-1].warm {
			return fmt.Sprintf("%slets what was copied before the freeze stand for what %s has", who, a.from)
		}
		if before == digestSource {
			return fmt.Sprintf("%sasks %s for its fence: all parts", who, a.from.other())
		}
		return fmt.Sprintf("%sasks %s for its digest: the same", who, a.from.other())
	case sealSourceSent:
		return fmt.Sprintf("%sjournal committed(%d), owner %s; SealSource(%d) is sent to %s", who, l.epoch, now.owner, l.epoch, a.from)
	case activateSent:
		return fmt.Sprintf("%sjournal committed(%d), owner %s; SealSource and Activate are sent at once", who, l.epoch, now.owner)
	case finished:
		return fmt.Sprintf("%sActivate was acknowledged; journal idle, owner %s; Purge(%d) is sent to %s", who, now.owner, l.epoch, a.from)
	case forgotten:
		return who + "dies; another must ask again"
	case freezeSent:
		return fmt.Sprintf("%scopied before the freeze, %s; Freeze is sent to %s", who, a.sent, a.from)
	case notBegun, sealSent, warmFirst, exportFirst, activated:
	}
	return fmt.Sprintf("%sstage %d", who, l.arg)
}
