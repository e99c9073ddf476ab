package model

// clients: any of them may have any request delivered to any store now. That covers every
// stale map, every delay and every repetition, and needs no memory: what a client knows
// does not limit what it may send.
func (s *scene) clients() {
	s.reads()
	if s.stores[extracted].fence.mode == active {
		s.writesAt(extracted, didWrite)
	}
	// A write at the home store passes the fence first and commits later. That it has
	// passed is one bit: who writes is not looked at before the commit, and of two writes
	// that are under way at once, the later to commit might as well have passed the fence
	// just after the other's commit, for a fence does not change while it is shared.
	switch {
	case s.open:
		s.writesAt(home, didCommit)
	case s.stores[home].fence.mode == active:
		to := s.state
		to.open = true
		s.emit(label{act: didPass}, &to, "")
	}
}

// writesAt lets every write be decided at a store, and compares with the object.
func (s *scene) writesAt(at side, act action) {
	for w := range writes {
		to := s.state
		var got, want answer
		to.stores[at].data, got = s.stores[at].data.apply(w, s.mutant != NoIdempotency)
		to.object, want = s.object.apply(w, true)
		to.open = s.open && at != home
		broken := ""
		if got != want {
			broken = I3
		}
		s.emit(label{act: act, side: at, arg: uint8(w)}, &to, broken)
	}
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
	if s.open {
		to := s.state
		to.open = false
		s.emit(label{act: didRestart, side: home}, &to, "")
	}
	if s.mutant != SealLost {
		return
	}
	for _, at := range []side{home, extracted} {
		to := s.state
		to.stores[at].fence = to.stores[at].disk
		s.each(label{act: didRestart, side: at}.pack(), to.pack(), "")
	}
}
