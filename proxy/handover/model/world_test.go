package model

import (
	"math/rand/v2"
	"testing"

	"banyan/modules/kernel/handover"
	"banyan/proxy/handover/model/explore"
)

// TestInvariants breaks each invariant by hand.
func TestInvariants(t *testing.T) {
	held := data{seat: alice, record: true}
	tests := []struct {
		name   string
		change func(s *state)
		want   string
	}{
		{"nothing", func(*state) {}, ""},
		{"two active", func(s *state) { s.stores[extracted].fence.mode = active }, I1},
		{"one read beside the active one", func(s *state) { s.stores[extracted].fence.mode = readOnly }, I1},
		{"sold, and not known", func(s *state) { s.object = held }, I2},
		{"known, and not sold", func(s *state) { s.stores[home].data = held }, I2},
		{"the record is missing", func(s *state) { s.object, s.stores[home].data = held, data{seat: alice} }, I2},
		{"old data where nobody looks", func(s *state) { s.stores[extracted].data = held }, ""},
		{"idle, and nobody active", func(s *state) { s.stores[home].fence.mode = sealed }, I5},
		{"idle, and only read", func(s *state) { s.stores[home].fence.mode = readOnly }, I5},
		{"active, and not the owner", func(s *state) { s.phase, s.owner = committed, extracted }, I5},
	}
	w := &world{epochs: 1, table: newTable(None)}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := unpack(w.Start())
			test.change(&s)
			if got := w.Broken(s.pack()); got != test.want {
				t.Errorf("%q is broken, want %q", got, test.want)
			}
		})
	}
}

// TestEpochFalls looks at a step, for no state shows it.
func TestEpochFalls(t *testing.T) {
	w := &world{epochs: 1, table: newTable(None)}
	var got explore.Step[key]
	s := scene{world: w, state: unpack(w.Start()), each: func(step explore.Step[key]) { got = step }}
	s.stores[home].fence.epoch = 2
	to := s.state
	to.stores[home].fence.epoch = 1
	s.emit(label{act: didOrder}, &to, "")
	if got.Broken != I4 {
		t.Errorf("%q is broken, want %q", got.Broken, I4)
	}
}

// TestSettled says when there is nothing left to do.
func TestSettled(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *state)
		want   bool
	}{
		{"in the beginning", func(*state) {}, true},
		{"owner not active", func(s *state) { s.stores[home].fence.mode = readOnly }, false},
		{"other readable", func(s *state) { s.stores[extracted].fence.mode = readOnly }, false},
		{"committed", func(s *state) { s.phase = committed }, false},
		{"the last epoch can be given up", func(s *state) { s.phase, s.used = prep, 1 }, true},
		{"an epoch before cannot count on it", func(s *state) { s.phase = prep }, false},
		{"the source could not be reactivated", func(s *state) {
			s.phase, s.used, s.stores[home].fence.mode = prep, 1, sealed
		}, false},
	}
	w := &world{epochs: 1, table: newTable(None)}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := unpack(w.Start())
			test.change(&s)
			if got := w.Settled(s.pack()); got != test.want {
				t.Errorf("settled is %t", got)
			}
		})
	}
}

// TestPack: two states with one key would hide each other.
func TestPack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	n := func(below int) uint8 { return uint8(random.IntN(below)) }
	someData := func() data { return data{seat: seat(n(3)), record: n(2) == 1} }
	someFence := func() fence { return fence{epoch: n(epochs), mode: mode(n(modes)), seq: n(seqs)} }
	for range 10_000 {
		s := state{phase: phase(n(4)), owner: side(n(2)), used: n(maxEpochs + 1), object: someData()}
		for i := range s.open {
			s.open[i] = write(n(int(none) + 1))
		}
		for i := range s.stores {
			s.stores[i] = store{fence: someFence(), data: someData(), disk: someFence()}
		}
		for i := range s.attempts {
			s.attempts[i] = attempt{kind: kind(n(3)), from: side(n(2)), stage: stage(n(int(finished) + 1)), warm: n(2) == 1, sent: someData(), digest: someData()}
		}
		if back := unpack(s.pack()); back != s {
			t.Fatalf("%+v became %+v", s, back)
		}
	}
	if highest := firstEpoch + maxEpochs + 1; highest >= epochs {
		t.Errorf("epoch %d does not fit", highest)
	}
}

// TestTableIsTheStores: the table repeats what the stores' own rules say.
func TestTableIsTheStores(t *testing.T) {
	table := newTable(None)
	f := handover.Fence{Epoch: 2, Mode: handover.Sealed}
	for seq := range int64(2) {
		to, ok := handover.Admit(f, 2, seq)
		if got := table.next(fence{epoch: 2, mode: sealed}, opCopy, 2, uint8(seq)); got.ok != ok || got.fence != modelled(to) {
			t.Errorf("part %d: %+v, want %+v, %t", seq, got, to, ok)
		}
	}
	for o := range opCopy {
		for epoch := range int64(4) {
			to, effect, ok := handover.Next(f, o.op(), epoch, 0)
			want := outcome{fence: modelled(to), wipe: bool(effect), ok: ok}
			if got := table.next(fence{epoch: 2, mode: sealed}, o, uint8(epoch), 0); got != want {
				t.Errorf("%s(%d): %+v, want %+v", o.op(), epoch, got, want)
			}
		}
	}
}
