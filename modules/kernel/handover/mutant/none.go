//go:build !mutants

// Package mutant says which one of the handover's rules the program breaks: none. The
// constants are false and the compiler leaves out what depends on them. A build with the
// tag mutants, which no release is, breaks the rule that BANYAN_MUTANT names, so that one
// can see whether the tests notice; see deploy/mutants.
package mutant

// The rules, by what happens without them. deploy/mutants says what each one means.
const (
	FreezeWithoutDrain        = false
	TimerUnfreezes            = false
	CopyWithoutEpoch          = false
	CopyWithoutSeq            = false
	AbortWithoutCompareAndSet = false
	ActivateWithoutEpoch      = false
	ReadsWhileSealed          = false
	IdempotencyNotCopied      = false
	NoIdempotency             = false
	SealLostAfterRestart      = false
	BothSidesActive           = false
	WarmCopyTrusted           = false
)
