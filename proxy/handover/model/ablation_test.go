package model

import (
	"testing"

	"banyan/proxy/handover/model/explore"
)

// rule is what a store would do with an order if the table lacked a condition.
type rule func(f fence, epoch, seq uint8) outcome

// leads makes a rule: if ok, the fence becomes (epoch, m) with the parts that seq says.
func leads(m mode, wipe bool, seq func(f fence, seq uint8) uint8, ok func(f fence, e, seq uint8) bool) rule {
	return func(f fence, e, asked uint8) outcome {
		return outcome{fence: fence{epoch: e, mode: m, seq: seq(f, asked)}, wipe: wipe, ok: ok(f, e, asked)}
	}
}

func zero(fence, uint8) uint8     { return 0 }
func kept(f fence, _ uint8) uint8 { return f.seq }
func sealing(ok func(f fence, e, seq uint8) bool) rule {
	return leads(sealed, true, zero, ok)
}

func activating(ok func(f fence, e, seq uint8) bool) rule {
	return leads(active, false, kept, ok)
}

func freezing(ok func(f fence, e, seq uint8) bool) rule {
	return leads(readOnly, false, zero, ok)
}

func sealingSource(ok func(f fence, e, seq uint8) bool) rule {
	return leads(sealed, false, kept, ok)
}

func reactivating(ok func(f fence, e, seq uint8) bool) rule {
	return leads(active, false, zero, ok)
}

// copying keeps epoch and mode, whatever they are.
func copying(ok func(f fence, e, seq uint8) bool) rule {
	return func(f fence, e, seq uint8) outcome {
		return outcome{fence: fence{epoch: f.epoch, mode: f.mode, seq: seq}, ok: ok(f, e, seq)}
	}
}

func purging(ok func(f fence, e, seq uint8) bool) rule {
	return func(f fence, e, seq uint8) outcome { return outcome{fence: f, wipe: true, ok: ok(f, e, seq)} }
}

// TestEveryConditionOfTheTable drops the conditions of handover.Next and handover.Admit
// one by one. Those without which nothing breaks are a second line: coordinators settle a
// move in spite of a refusal that the two "again" would spare them, and the others refuse what only
// a lying journal or an order sent to the wrong store could ask for.
func TestEveryConditionOfTheTable(t *testing.T) {
	tests := []struct {
		name   string
		op     order
		want   string // what breaks without the condition
		epochs uint8  // in which it does
		hasty  bool
		rule   rule
	}{
		{"seal: not in an older epoch", opSeal, I4, 2, false, sealing(func(f fence, _, _ uint8) bool { return !f.readable() })},
		{"seal: not in the same epoch", opSeal, Stuck, 1, false, sealing(func(f fence, e, _ uint8) bool { return f.epoch <= e && !f.readable() })},
		{"seal: not owned here", opSeal, "", 0, false, sealing(func(f fence, e, _ uint8) bool { return f.epoch < e })},
		{"activate: this epoch", opActivate, I1, 2, false, func(f fence, e, seq uint8) outcome {
			return outcome{fence: fence{epoch: max(e, f.epoch), mode: active, seq: f.seq}, ok: f.seq == seq && (f.mode == sealed || f.mode == active)}
		}},
		{"activate: all parts", opActivate, "", 0, true, activating(func(f fence, e, _ uint8) bool { return f.epoch == e && (f.mode == sealed || f.mode == active) })},
		{"activate: sealed or active", opActivate, "", 0, false, activating(func(f fence, e, seq uint8) bool { return f.epoch == e && f.seq == seq })},
		{"activate: again", opActivate, Stuck, 1, false, activating(func(f fence, e, seq uint8) bool { return f.epoch == e && f.seq == seq && f.mode == sealed })},
		{"freeze: not in an older epoch", opFreeze, I4, 2, false, freezing(func(f fence, _, _ uint8) bool { return f.readable() })},
		{"freeze: not in the same epoch", opFreeze, "", 0, false, freezing(func(f fence, e, _ uint8) bool { return f.epoch <= e && f.readable() })},
		{"freeze: owned", opFreeze, "", 0, false, freezing(func(f fence, e, _ uint8) bool { return f.epoch < e })},
		{"seal-source: this epoch", opSealSource, Stuck, 3, false, func(f fence, e, _ uint8) outcome {
			return outcome{fence: fence{epoch: max(e, f.epoch), mode: sealed, seq: f.seq}, ok: f.mode == readOnly || f.mode == sealed}
		}},
		{"seal-source: read-only or sealed", opSealSource, "", 0, false, sealingSource(func(f fence, e, _ uint8) bool { return f.epoch == e })},
		{"seal-source: again", opSealSource, "", 0, false, sealingSource(func(f fence, e, _ uint8) bool { return f.epoch == e && f.mode == readOnly })},
		{"reactivate: not in an older epoch", opReactivate, I4, 3, false, reactivating(func(f fence, _, _ uint8) bool { return f.readable() })},
		{"reactivate: owned", opReactivate, "", 0, false, reactivating(func(f fence, e, _ uint8) bool { return f.epoch < e || f.epoch == e && f.mode == active })},
		{"reactivate: again", opReactivate, "", 0, false, reactivating(func(f fence, e, _ uint8) bool { return f.epoch < e && f.readable() })},
		{"purge: this epoch", opPurge, I2, 3, false, purging(func(f fence, _, _ uint8) bool { return f.mode == sealed })},
		{"purge: sealed", opPurge, "", 0, false, purging(func(f fence, e, _ uint8) bool { return f.epoch == e })},
		{"copy: sealed", opCopy, "", 0, false, copying(func(f fence, e, seq uint8) bool { return f.epoch == e && f.seq+1 == seq })},
		{"copy: this epoch", opCopy, I2, 3, true, copying(func(f fence, _, seq uint8) bool { return f.mode == sealed && f.seq+1 == seq })},
		{"copy: no part again", opCopy, I2, 1, true, copying(func(f fence, e, _ uint8) bool { return f.mode == sealed && f.epoch == e })},
		{"copy: no part left out", opCopy, I2, 1, true, copying(func(f fence, e, seq uint8) bool { return f.mode == sealed && f.epoch == e && f.seq < seq })},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &world{epochs: test.epochs, hasty: test.hasty, damage: true, table: newTable(None)}
			if test.want == "" {
				if w.epochs = 3; testing.Short() {
					w.epochs = 2
				}
			}
			w.table.replace(test.op, test.rule)
			r, err := explore.Run(t.Context(), w, MaxStates)
			if err != nil {
				t.Fatal(err)
			}
			if r.Broken != test.want {
				t.Errorf("without %q %q breaks, want %q", test.name, r.Broken, test.want)
				for _, line := range w.tell(r.Trace) {
					t.Log(line)
				}
			}
		})
	}
}

// replace puts a rule in the place of the table's for one order.
func (t *table) replace(o order, next rule) {
	for i := range epochs * modes * seqs {
		f := fence{epoch: uint8(i / modes / seqs), mode: mode(i / seqs % modes), seq: uint8(i % seqs)}
		for j := range epochs * seqs {
			epoch, seq := uint8(j/seqs), uint8(j%seqs)
			t.outcomes[at(f, o, epoch, seq)] = next(f, epoch, seq)
		}
	}
}
