package model

// clients: any of them may have any request delivered to any store now. That covers every
// stale map, every delay and every repetition, and needs no memory: what a client knows
// does not limit what it may send.
func (s *scene) clients() {
	s.reads()
	if s.stores[extracted].fence.mode == active {
		for w := range none {
			s.write(extracted, w, didWrite, nil)
		}
	}
	// A write at the home store passes the fence first and commits later, or never.
	for i, w := range s.open {
		switch {
		case w != none:
			s.write(home, w, didCommit, func(to *state) { to.open[i] = none })
		case s.stores[home].fence.mode == active:
			for w := range none {
				to := s.state
				to.open[i] = w
				s.emit(label{act: didPass, arg: uint8(w)}, &to, "")
			}
		}
	}
}

// write is decided at a store now, and compared with the object.
func (s *scene) write(at side, w write, act action, also func(to *state)) {
	to := s.state
	var got, want answer
	to.stores[at].data, got = s.stores[at].data.apply(w, s.mutant != NoIdempotency)
	to.object, want = s.object.apply(w, true)
	broken := ""
	if got != want {
		broken = I3
	}
	if also != nil {
		also(&to)
	}
	s.emit(label{act: act, side: at, arg: uint8(w), willed: true}, &to, broken)
}

// reads change nothing, but each must be right. A read is one step at both stores: it
// answers from one snapshot, taken after its request came and before its answer went.
func (s *scene) reads() {
	for _, at := range []side{home, extracted} {
		st := &s.stores[at]
		served := st.fence.readable() || s.mutant == ReadsSealed && st.fence.mode == sealed
		if served && st.data.seat != s.object.seat {
			to := s.state
			s.emit(label{act: didRead, side: at}, &to, I3)
		}
	}
}

// restarts: a store loses what was in memory only. Redis has nothing there; the home
// store its open writes. A client that gives up has the same effect.
func (s *scene) restarts() {
	if s.writing() {
		to := s.state
		to.open = [writers]write{none, none}
		s.emit(label{act: didRestart, side: home, willed: true}, &to, "")
	}
	if s.mutant != SealLost {
		return
	}
	for _, at := range []side{home, extracted} {
		to := s.state
		to.stores[at].fence = to.stores[at].disk
		s.emit(label{act: didRestart, side: at}, &to, "")
	}
}
