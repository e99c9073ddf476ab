package model

// journal: anybody may begin a move, and may at any time before the commit take over or
// give up what another has begun. Each takes a new epoch by compare-and-set.
func (s *scene) journal() {
	if s.mutant == TimerUnfreezes {
		s.timers()
	}
	if s.used == s.epochs {
		return
	}
	switch s.phase {
	case idle:
		s.take(move, s.owner, prep)
	case prep:
		from := s.attempts[s.used-1].from
		s.take(move, from, prep)
		s.take(abort, from, aborting)
	case aborting:
		s.take(abort, s.attempts[s.used-1].from, aborting)
	case committed:
		if s.mutant == AbortNoCAS {
			s.take(abort, s.attempts[s.used-1].from, aborting)
		}
	}
}

// take hands out the next epoch. The first order is on its way at once: that nobody ever
// sends it is the same as that it never arrives.
func (s *scene) take(k kind, from side, p phase) {
	to := s.state
	to.attempts[s.used] = attempt{kind: k, from: from, stage: sealSent}
	to.used, to.phase, to.owner = s.used+1, p, from
	s.emit(label{act: didTake, side: from, epoch: to.epoch(), arg: uint8(k), willed: true}, &to, "")
}

// timers is a source that loses its patience.
func (s *scene) timers() {
	for _, at := range []side{home, extracted} {
		if s.stores[at].fence.mode == readOnly {
			to := s.state
			to.stores[at].fence.mode = active
			s.emit(label{act: didTimeOut, side: at}, &to, "")
		}
	}
}

// coordinator takes the next step of an epoch's work that is not the arrival of an order.
// Whoever does it may have been replaced long ago and not know.
func (s *scene) coordinator(i uint8) {
	a := &s.attempts[i]
	current := i+1 == s.used // the journal is still in this epoch
	source, target := &s.stores[a.from], &s.stores[a.from.other()]
	mine := func(st *store) bool { return st.fence.epoch == firstEpoch+1+i && st.fence.mode != absent }
	if a.kind == abort {
		s.aborter(i, current)
		return
	}
	if s.hasty {
		s.hurry(i)
	}
	if a.warm {
		s.warm(i, mine(source), mine(target))
	}
	switch a.stage {
	case exportFirst:
		if mine(source) {
			s.export(i, source.data.seat != free, seatSent, func(sent *data) { sent.seat = source.data.seat })
		}
	case exportSecond:
		if mine(source) {
			s.export(i, source.data.record && s.mutant != RecordsStay, recordSent, func(sent *data) { sent.record = true })
		}
	case digestSource:
		if mine(source) && !a.warm {
			s.step(i, digestTarget, func(to *state) { to.attempts[i].digest = s.digest(source) })
		}
	case digestTarget:
		if mine(target) && s.digest(target) == a.digest {
			s.step(i, verified, func(to *state) { to.attempts[i].digest = data{} })
		}
	case verified:
		if current && s.phase == prep {
			s.commit(i)
		}
	case activated:
		if current && s.phase == committed {
			s.step(i, finished, func(to *state) { to.phase = idle })
		}
		s.step(i, forgotten, nil)
	case activateSent:
		s.step(i, forgotten, nil)
	default: // waits for an answer, or is done
	}
}

// warm is what a coordinator does who copies before the freeze. What it exports may be of
// any time, and the two records of different ones. Whether anything changed is asked when
// the source is frozen; the target, which nobody else fills, was asked before.
func (s *scene) warm(i uint8, source, target bool) {
	a := &s.attempts[i]
	at := &s.stores[a.from]
	switch a.stage {
	case warmFirst:
		s.export(i, at.data.seat != free, warmSeatSent, func(sent *data) { sent.seat = at.data.seat })
	case warmSecond:
		s.export(i, at.data.record && s.mutant != RecordsStay, warmRecordSent, func(sent *data) { sent.record = true })
	case warmDigest:
		if target && s.digest(&s.stores[a.from.other()]) == a.sent {
			s.step(i, freezeSent, nil)
		}
	case digestSource:
		if source && (s.digest(at) == a.sent || s.mutant == WarmTrusted) && (!s.hasty || s.counted(i)) {
			s.step(i, verified, func(to *state) { to.attempts[i].warm = false }) // it is over
		}
	default: // as any other
	}
}

// counted: the target's fence has all parts.
func (s *scene) counted(i uint8) bool {
	a := &s.attempts[i]
	return s.stores[a.from.other()].fence == (fence{epoch: firstEpoch + 1 + i, mode: sealed, seq: a.sent.parts()})
}

// hurry is what a hasty coordinator does instead of waiting for answers and digests.
func (s *scene) hurry(i uint8) {
	a := &s.attempts[i]
	switch a.stage {
	case seatSent:
		s.step(i, exportSecond, nil)
	case recordSent:
		s.step(i, digestSource, nil)
	case warmSeatSent:
		s.step(i, warmSecond, nil)
	case warmRecordSent:
		s.step(i, warmDigest, nil)
	case warmDigest:
		s.step(i, freezeSent, nil)
	case digestSource:
		if !a.warm && s.counted(i) {
			s.step(i, verified, nil)
		}
	default: // is as careful as any
	}
}

func (s *scene) aborter(i uint8, current bool) {
	if s.attempts[i].stage != reactivated {
		return
	}
	if current && s.phase == aborting {
		s.step(i, abortFinished, func(to *state) { to.phase = idle })
	}
	s.step(i, reactivateSent, nil)
}

// step moves an attempt to a stage and does something else with the state.
func (s *scene) step(i uint8, next stage, change func(to *state)) {
	to := s.state
	to.attempts[i].stage = next
	if change != nil {
		change(&to)
	}
	s.emit(label{act: didStep, epoch: firstEpoch + 1 + i, arg: uint8(next), willed: true}, &to, "")
}

// export reads a record at the source and sends it, or goes on if there is none. The two
// records are read at different times: that the data stays still meanwhile is for the
// fence to see to, not for the model to assume.
func (s *scene) export(i uint8, there bool, next stage, set func(sent *data)) {
	if !there {
		next++
	}
	s.step(i, next, func(to *state) {
		if there {
			set(&to.attempts[i].sent)
		}
	})
}

// digest is what a store says of its data.
func (s *scene) digest(st *store) data {
	d := st.data
	if s.mutant == RecordsStay {
		d.record = false
	}
	return d
}

// commit is the compare-and-set that decides.
func (s *scene) commit(i uint8) {
	next := sealSourceSent
	if s.mutant == BothActive {
		next = activateSent
	}
	s.step(i, next, func(to *state) {
		to.phase, to.owner = committed, s.attempts[i].from.other()
	})
}
