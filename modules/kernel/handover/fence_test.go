package handover_test

import (
	"math/rand/v2"
	"testing"

	"banyan/modules/kernel/handover"
)

// row is what an order demands and leads to, written down a second time and in another
// way: cell by cell.
type row struct {
	from   handover.Mode
	epoch  int64 // of the fence, when the order's is 5
	to     handover.Mode
	wipes  bool
	resets bool // the number of parts becomes 0
}

const ordered = 5

// table has every cell that is accepted, all others are refused. For Activate the number
// of parts is told rightly.
func table() map[handover.Op][]row {
	const sealed, ro, active = handover.Sealed, handover.ReadOnly, handover.Active
	return map[handover.Op][]row{
		handover.Seal:       {{handover.Absent, 0, sealed, true, true}, {sealed, 4, sealed, true, true}},
		handover.Activate:   {{sealed, 5, active, false, false}, {active, 5, active, false, false}},
		handover.Freeze:     {{active, 4, ro, false, true}, {ro, 4, ro, false, true}},
		handover.SealSource: {{ro, 5, sealed, false, false}, {sealed, 5, sealed, false, false}},
		handover.Reactivate: {{active, 4, active, false, true}, {ro, 4, active, false, true}, {active, 5, active, false, true}},
		handover.Purge:      {{sealed, 5, sealed, true, false}},
		handover.Recover:    {{sealed, 4, active, false, false}, {active, 5, active, false, false}},
	}
}

// fences are all of a small world; those of epochs 1 to 3 are as 4 is, those above 5 as 6.
func fences() []handover.Fence {
	list := []handover.Fence{{Bucket: 7}}
	for _, mode := range []handover.Mode{handover.Sealed, handover.ReadOnly, handover.Active} {
		for _, epoch := range []int64{1, 4, 5, 6, 9} {
			for _, seq := range []int64{0, 1, 3} {
				list = append(list, handover.Fence{Bucket: 7, Epoch: epoch, Mode: mode, Seq: seq})
			}
		}
	}
	return list
}

func TestNextIsItsTable(t *testing.T) {
	for _, op := range append(handover.Ops(), "forget", "") {
		for _, f := range fences() {
			for told := range int64(5) {
				want, wipes, accepted := expected(op, f, told)
				got, effect, ok := handover.Next(f, op, ordered, told)
				if ok != accepted || ok && (got != want || effect != handover.Effect(wipes)) {
					t.Errorf("%s(%d, %d) on %+v: %+v wipe %v accepted %v, want %+v wipe %v accepted %v",
						op, ordered, told, f, got, effect, ok, want, wipes, accepted)
				}
			}
		}
	}
}

func expected(op handover.Op, f handover.Fence, told int64) (handover.Fence, bool, bool) {
	if op == handover.Activate && told != f.Seq {
		return f, false, false
	}
	like := f.Epoch
	if f.Mode != handover.Absent && like < ordered {
		like = 4
	}
	for _, r := range table()[op] {
		if r.from != f.Mode || r.epoch != like {
			continue
		}
		f.Mode, f.Epoch = r.to, ordered
		if r.resets {
			f.Seq = 0
		}
		return f, r.wipes, true
	}
	return f, false, false
}

func TestAdmit(t *testing.T) {
	for _, f := range fences() {
		for epoch := range int64(8) {
			for seq := int64(-1); seq < 6; seq++ {
				got, ok := handover.Admit(f, epoch, seq)
				want := f
				want.Seq++
				if accepted := f.Mode == handover.Sealed && f.Epoch == epoch && want.Seq == seq; ok != accepted || ok && got != want {
					t.Errorf("part %d of epoch %d on %+v: %+v, %v", seq, epoch, f, got, ok)
				}
			}
		}
	}
}

// TestRepeatedOrderChangesNothing gives each accepted order once more.
func TestRepeatedOrderChangesNothing(t *testing.T) {
	for _, op := range handover.Ops() {
		for _, f := range fences() {
			once, _, ok := handover.Next(f, op, ordered, f.Seq)
			if !ok {
				continue
			}
			twice, effect, ok := handover.Next(once, op, ordered, f.Seq)
			only := op == handover.Seal || op == handover.Freeze
			if ok == only || ok && twice != once {
				t.Errorf("%s on %+v, then again on %+v: %+v, %v", op, f, once, twice, ok)
			}
			if ok && effect == handover.Wipe && op != handover.Purge {
				t.Errorf("%s, given again, wipes", op)
			}
		}
	}
}

// TestOldOrdersHaveNoEffect walks at random: epochs never fall, an order or part of an
// epoch that was passed is refused, and nothing leads back to Absent.
func TestOldOrdersHaveNoEffect(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	ops := handover.Ops()
	f := handover.Fence{Bucket: 7}
	accepted := map[handover.Op]int{}
	for range 20000 {
		op, epoch, seq := ops[random.IntN(len(ops))], f.Epoch+random.Int64N(4)-2, random.Int64N(3)
		to, _, ok := handover.Next(f, op, epoch, seq)
		if random.IntN(4) == 0 {
			op = "copy"
			to, ok = handover.Admit(f, epoch, seq)
		}
		if !ok {
			continue
		}
		accepted[op]++
		if epoch < f.Epoch || to.Epoch != epoch || to.Bucket != f.Bucket || to.Mode == handover.Absent || to.Seq < 0 {
			t.Fatalf("%s in epoch %d takes %+v to %+v", op, epoch, f, to)
		}
		f = to
	}
	for _, op := range append(ops, "copy") {
		if accepted[op] == 0 {
			t.Errorf("%s was never accepted: the walk shows nothing", op)
		}
	}
}
