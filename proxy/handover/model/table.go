package model

import "banyan/modules/kernel/handover"

// order is handover.Op as a number, and the storing of a part.
type order uint8

const (
	opSeal order = iota
	opActivate
	opFreeze
	opSealSource
	opReactivate
	opPurge
	opCopy
	orders
)

func (o order) op() handover.Op {
	switch o {
	case opSeal:
		return handover.Seal
	case opActivate:
		return handover.Activate
	case opFreeze:
		return handover.Freeze
	case opSealSource:
		return handover.SealSource
	case opReactivate:
		return handover.Reactivate
	case opPurge:
		return handover.Purge
	case opCopy, orders:
	}
	return "copy"
}

// outcome of an order for a fence.
type outcome struct {
	fence fence
	wipe  bool
	ok    bool
}

// The numbers of epochs and of parts that fit in a table's index.
const (
	epochs = 8
	seqs   = 4
	modes  = 4
)

// table is handover.Next and handover.Admit, asked once for every fence and every order
// that the model can form: the rules that the stores follow, as the mutant leaves them.
type table struct {
	mutant   Mutant
	outcomes [int(orders) * epochs * modes * seqs * epochs * seqs]outcome
}

func newTable(m Mutant) *table {
	t := &table{mutant: m}
	for o := range orders {
		for i := range epochs * modes * seqs {
			f := fence{epoch: uint8(i / modes / seqs), mode: mode(i / seqs % modes), seq: uint8(i % seqs)}
			for j := range epochs * seqs {
				epoch, seq := uint8(j/seqs), uint8(j%seqs)
				t.outcomes[at(f, o, epoch, seq)] = t.ask(f, o, epoch, seq)
			}
		}
	}
	return t
}

func at(f fence, o order, epoch, seq uint8) int {
	i := int(o)*epochs + int(f.epoch)
	i = i*modes + int(f.mode)
	i = i*seqs + int(f.seq)
	i = i*epochs + int(epoch)
	return i*seqs + int(seq)
}

// next is what the order makes of the fence.
func (t *table) next(f fence, o order, epoch, seq uint8) outcome {
	return t.outcomes[at(f, o, epoch, seq)]
}

// ask puts the question to the package that the stores use.
func (t *table) ask(f fence, o order, epoch, seq uint8) outcome {
	asked := handover.Fence{Epoch: int64(f.epoch), Mode: f.mode.real(), Seq: int64(f.seq)}
	if o != opCopy {
		if o == opActivate && t.mutant == ActivateNoEpoch {
			epoch = f.epoch
		}
		to, effect, ok := handover.Next(asked, o.op(), int64(epoch), int64(seq))
		return outcome{fence: modelled(to), wipe: effect == handover.Wipe, ok: ok}
	}
	if t.mutant == CopyNoEpoch {
		epoch = f.epoch
	}
	if t.mutant == CopyNoSeq && seq > 0 {
		asked.Seq = int64(seq) - 1
	}
	to, ok := handover.Admit(asked, int64(epoch), int64(seq))
	return outcome{fence: modelled(to), ok: ok}
}

func (m mode) real() handover.Mode {
	switch m {
	case sealed:
		return handover.Sealed
	case readOnly:
		return handover.ReadOnly
	case active:
		return handover.Active
	case absent:
	}
	return handover.Absent
}

func modelled(f handover.Fence) fence {
	to := fence{epoch: uint8(f.Epoch), seq: uint8(f.Seq)}
	switch f.Mode {
	case handover.Sealed:
		to.mode = sealed
	case handover.ReadOnly:
		to.mode = readOnly
	case handover.Active:
		to.mode = active
	case handover.Absent:
		to.mode = absent
	}
	return to
}
