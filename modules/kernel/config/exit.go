package config

import "banyan/modules/kernel/errs"

// The exit codes of every program of ours.
const (
	ExitOK           = 0
	ExitFailed       = 1
	ExitUsage        = 2 // usage or configuration
	ExitPrecondition = 3
	ExitVerdict      = 4
	ExitUnsafe       = 5
)

// ExitCode is what a program that ends with err tells its caller.
func ExitCode(err error) int {
	switch errs.CodeOf(err) { //nolint:exhaustive // every other code is a plain failure
	case "":
		return ExitOK
	case errs.Invalid, errs.UnknownField:
		return ExitUsage
	case errs.PreconditionFailed, errs.PreconditionRequired:
		return ExitPrecondition
	case errs.VerdictFailed:
		return ExitVerdict
	case errs.Unsafe:
		return ExitUnsafe
	}
	return ExitFailed
}
