package model

// deliveries: whatever was sent in an epoch may arrive now, for the first time or again.
func (s *scene) deliveries(i uint8) {
	a := &s.attempts[i]
	if a.kind == abort {
		s.deliver(i, opReactivate, a.from, 0, reactivateSent, reactivated)
		return
	}
	to := a.from.other()
	frozen := exportFirst
	first, second, third, fourth := seatSent, exportSecond, recordSent, digestSource
	if a.warm {
		frozen = digestSource
		first, second, third, fourth = warmSeatSent, warmSecond, warmRecordSent, warmDigest
	}
	s.deliver(i, opSeal, to, 0, sealSent, freezeSent)
	if a.stage >= freezeSent {
		s.deliver(i, opFreeze, a.from, 0, freezeSent, frozen)
	}
	if a.stage >= first && a.sent.seat != free {
		s.copyPart(i, 1, data{seat: a.sent.seat}, first, second)
	}
	if a.stage >= third && a.sent.record {
		s.copyPart(i, a.sent.parts(), data{record: true}, third, fourth)
	}
	if a.stage >= sealSourceSent {
		s.deliver(i, opSealSource, a.from, 0, sealSourceSent, activateSent)
		if a.stage == forgotten {
			s.deliver(i, opSealSource, a.from, 0, forgotten, activateSent)
		}
	}
	if a.stage >= forgotten {
		s.deliver(i, opActivate, to, a.sent.parts(), activateSent, activated)
	}
	if a.stage < sealSourceSent && i+1 < s.used {
		s.deliver(i, opPurge, to, 0, notBegun, finished) // what a given up move left there
	}
	if a.stage >= finished {
		s.deliver(i, opPurge, a.from, 0, notBegun, finished)
	}
}

// deliver carries out an order of attempt i at a store. If a coordinator waits for its
// answer, the answer may come, which leads to the next stage, or be lost. An answer that
// comes late is no step of its own, for a coordinator may rest before whatever it does
// next.
func (s *scene) deliver(i uint8, o order, at side, seq uint8, waits, next stage) {
	to := s.state
	if s.busy(at) {
		return
	}
	if !s.carryOut(&to, o, at, firstEpoch+1+i, seq) {
		s.refuse(i, o, at, waits, next)
		return
	}
	l := label{act: didOrder, side: at, epoch: firstEpoch + 1 + i, arg: uint8(o), willed: resendable(o)}
	s.emit(l, &to, "")
	if s.attempts[i].stage == waits {
		to.attempts[i].stage = next
		l.answered = true
		s.emit(l, &to, "")
		if o == opSeal { // or something is copied before the freeze
			to.attempts[i].stage, to.attempts[i].warm = warmFirst, true
			s.emit(l, &to, "")
		}
	}
}

// resendable says whether whoever recovers a move gives the order again. Of the others,
// nobody can rely on the arrival.
func resendable(o order) bool { return o == opReactivate || o == opSealSource || o == opActivate }

// refuse is the answer to an order that was not carried out. Before the commit it teaches
// nothing that a timer would not: the epoch may be given up at any time. After it, a source
// that says it owns nothing, in no later epoch, has nothing to be revoked; and one that
// refuses to be reactivated will not change its mind, so that the move ends all the same.
func (s *scene) refuse(i uint8, o order, at side, waits, next stage) {
	f, epoch := s.stores[at].fence, firstEpoch+1+i
	ends := o == opReactivate || o == opSealSource && !f.readable() && f.epoch <= epoch
	if !ends || s.attempts[i].stage != waits {
		return
	}
	to := s.state
	to.attempts[i].stage = next
	s.emit(label{act: didRefuse, side: at, epoch: epoch, arg: uint8(o), willed: true}, &to, "")
}

// busy: at the home store every order and every part takes the fence's row for itself,
// and so waits for the writes that share it.
func (s *scene) busy(at side) bool {
	return at == home && s.writing() && s.mutant != NoDrain
}

// carryOut moves a store's fence, or leaves it.
func (s *scene) carryOut(to *state, o order, at side, epoch, seq uint8) bool {
	st := &to.stores[at]
	out := s.table.next(st.fence, o, epoch, seq)
	if !out.ok {
		return false
	}
	st.fence = out.fence
	if out.wipe {
		st.data = data{}
	}
	if s.mutant == SealLost && out.fence.mode != sealed {
		st.disk = out.fence
	}
	return true
}

// copyPart stores a part at the target, if its fence admits it.
func (s *scene) copyPart(i, seq uint8, part data, waits, next stage) {
	at := s.attempts[i].from.other()
	to := s.state
	if s.busy(at) || !s.carryOut(&to, opCopy, at, firstEpoch+1+i, seq) {
		return
	}
	if part.record {
		to.stores[at].data.record = true
	} else {
		to.stores[at].data.seat = part.seat
	}
	l := label{act: didOrder, side: at, epoch: firstEpoch + 1 + i, arg: uint8(opCopy)}
	s.emit(l, &to, "")
	if s.attempts[i].stage == waits {
		to.attempts[i].stage = next
		l.answered = true
		s.emit(l, &to, "")
	}
}
