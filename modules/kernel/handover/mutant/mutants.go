//go:build mutants

// Package mutant says which one of the handover's rules the program breaks, for tests: the
// one that BANYAN_MUTANT names. Without the tag mutants it is none.
package mutant

import (
	"os"
	"slices"
)

// Names gives the mutants.
func Names() []string {
	return []string{
		"freeze-without-drain", "timer-unfreezes", "copy-without-epoch-check", "copy-without-sequence-check",
		"abort-without-compare-and-set", "activate-without-epoch-check", "reads-served-while-sealed",
		"idempotency-records-not-copied", "no-idempotency", "seal-lost-after-restart", "both-sides-active", "warm-copy-trusted",
	}
}

// The rules, by what happens without them. They are read once, as constants would be.
//
//nolint:gochecknoglobals // nothing changes them
var (
	FreezeWithoutDrain        = is("freeze-without-drain")
	TimerUnfreezes            = is("timer-unfreezes")
	CopyWithoutEpoch          = is("copy-without-epoch-check")
	CopyWithoutSeq            = is("copy-without-sequence-check")
	AbortWithoutCompareAndSet = is("abort-without-compare-and-set")
	ActivateWithoutEpoch      = is("activate-without-epoch-check")
	ReadsWhileSealed          = is("reads-served-while-sealed")
	IdempotencyNotCopied      = is("idempotency-records-not-copied")
	NoIdempotency             = is("no-idempotency")
	SealLostAfterRestart      = is("seal-lost-after-restart")
	BothSidesActive           = is("both-sides-active")
	WarmCopyTrusted           = is("warm-copy-trusted")
)

// is tells whether a mutant was asked for. A name that nobody knows would be a mutant that
// always survives.
func is(name string) bool {
	asked := os.Getenv("BANYAN_MUTANT")
	if asked != "" && !slices.Contains(Names(), asked) {
		panic("BANYAN_MUTANT: there is no mutant " + asked)
	}
	return asked == name
}
