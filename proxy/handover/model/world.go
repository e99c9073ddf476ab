package model

import "banyan/proxy/handover/model/explore"

// The invariants. Result.Broken names one.
const (
	Stuck = explore.Stuck // L1: whoever recovers can settle the bucket, whatever happened
	I1    = "I1"          // never two stores readable
	I2    = "I2"          // whoever is readable has the sequential object's data
	I3    = "I3"          // every answer is the sequential object's
	I4    = "I4"          // the epoch of a fence only rises
	I5    = "I5"          // whoever is active is the one that the journal names; when idle, that one is active
)

// world is the system to explore: the protocol up to a number of epochs, less what the
// mutant breaks.
type world struct {
	epochs uint8
	mutant Mutant
	hasty  bool // see Options
	damage bool // look for damage rather than for a wrong book: see Broken
	table  *table
}

// Start is a bucket that has never moved.
func (w *world) Start() key {
	s := state{open: [writers]write{none, none}}
	s.stores[home].fence = fence{epoch: firstEpoch, mode: active}
	if w.mutant == SealLost {
		s.stores[home].disk = s.stores[home].fence
	}
	return s.pack()
}

// scene is a state on whose steps somebody waits.
type scene struct {
	*world
	state
	each func(explore.Step[key])
}

// Steps takes every step that anybody can take.
func (w *world) Steps(k key, each func(explore.Step[key])) {
	s := scene{world: w, state: unpack(k), each: each}
	s.clients()
	s.restarts()
	s.journal()
	for i := range s.used {
		s.deliveries(i)
		s.coordinator(i)
	}
}

// emit tells of a step.
func (s *scene) emit(l label, to *state, broken string) {
	for i := range to.stores {
		if to.stores[i].fence.epoch < s.stores[i].fence.epoch && l.act != didRestart {
			broken = I4
		}
	}
	s.each(explore.Step[key]{Label: l.pack(), To: to.pack(), Broken: broken, Willed: l.willed})
}

// Broken checks the invariants of a state. That somebody is active who is not the owner
// is passed over when looking for damage: a trace that goes on to it tells more.
func (w *world) Broken(k key) string {
	s := unpack(k)
	h, x := &s.stores[home], &s.stores[extracted]
	switch {
	case h.fence.readable() && x.fence.readable():
		return I1
	case h.fence.readable() && !w.same(h.data, s.object), x.fence.readable() && !w.same(x.data, s.object):
		return I2
	case s.phase == idle && s.stores[s.owner].fence.mode != active:
		return I5
	case !w.damage && s.stores[s.owner.other()].fence.mode == active:
		return I5
	}
	return ""
}

// same compares a store's data with the object's, as far as the store keeps any.
func (w *world) same(d, object data) bool {
	return d.seat == object.seat && (d.record == object.record || w.mutant == NoIdempotency)
}

// Settled: the journal is idle, its owner active and the other store not in use. Where
// the journal has no epoch left, it may take one more to give up the last move: only the
// exploration has an end, not the numbers.
func (w *world) Settled(k key) bool {
	s := unpack(k)
	if s.phase == prep && s.used == w.epochs {
		from := s.attempts[s.used-1].from
		o := w.table.next(s.stores[from].fence, opReactivate, s.epoch()+1, 0)
		if !o.ok {
			return false
		}
		s.stores[from].fence, s.owner, s.phase = o.fence, from, idle
	}
	other := s.stores[s.owner.other()].fence
	return s.phase == idle && s.stores[s.owner].fence.mode == active && !other.readable()
}
