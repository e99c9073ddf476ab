package model

// Mutant is a protocol that lacks one rule.
type Mutant uint8

// The mutants, and None.
const (
	None            Mutant = iota
	NoDrain                // Freeze does not wait for writes under way
	TimerUnfreezes         // a read-only bucket becomes active again by itself
	CopyNoEpoch            // a part of another epoch is stored
	CopyNoSeq              // a part is stored whatever its number
	AbortNoCAS             // an abort overwrites the journal, whatever has become of it
	ActivateNoEpoch        // Activate of another epoch is carried out
	ReadsSealed            // reads do not look at the fence
	RecordsStay            // idempotency records are neither copied nor compared
	NoIdempotency          // a repeated request is a new one
	SealLost               // a restart forgets Seal and SealSource
	BothActive             // Activate is sent at the commit, not after SealSource's answer
	WarmTrusted            // what was copied before the freeze is not compared after it
	mutants
)

// Mutants lists them all.
func Mutants() []Mutant {
	all := make([]Mutant, 0, mutants)
	for m := NoDrain; m < mutants; m++ {
		all = append(all, m)
	}
	return all
}

// String is the rule that is broken.
func (m Mutant) String() string {
	switch m {
	case NoDrain:
		return "freeze without drain"
	case TimerUnfreezes:
		return "timer unfreezes"
	case CopyNoEpoch:
		return "copy without epoch check"
	case CopyNoSeq:
		return "copy without sequence check"
	case AbortNoCAS:
		return "abort without compare-and-set"
	case ActivateNoEpoch:
		return "activate without epoch check"
	case ReadsSealed:
		return "reads served while sealed"
	case RecordsStay:
		return "idempotency records not copied"
	case NoIdempotency:
		return "no idempotency at all"
	case SealLost:
		return "seal lost after a restart"
	case BothActive:
		return "both sides active"
	case WarmTrusted:
		return "warm copy trusted"
	case None, mutants:
	}
	return "none"
}
