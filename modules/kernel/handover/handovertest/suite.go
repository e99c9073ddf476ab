// Package handovertest says in tests how a participant of a handover behaves: Memory is
// the model, and Run and Check compare any other participant with it, in whatever
// language it is written and wherever it runs.
package handovertest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"

	"banyan/modules/kernel/handover"
)

// Options say what the suite may use of a participant.
type Options struct {
	// Buckets are at least eight spare buckets, Absent or Sealed in the participant. What
	// they hold is forgotten, they are left sealed and empty, and their fences keep the
	// epochs of the suite: in a store that is in use, only name buckets that no route uses.
	Buckets []int
	// Records gives canonical records of a bucket, in the order of their bytes: at least
	// three of each bucket, and of at least one of them more than fit in a part. They are
	// copied from the first on, so that a bucket that has only the first few must make
	// sense too. It is called once for each bucket.
	Records func(bucket int) [][]byte
	// Epoch is the first to use, above all that the participant has seen. Some hundreds
	// after it are used.
	Epoch int64
}

// Result is what came of one check.
type Result struct {
	Name    string
	Rule    string // what the participant must do
	Problem error  // nil: it does
	Skipped string // why it was not checked, "" if it was
}

// Report is what came of all checks, in the order in which they ran.
type Report []Result

// Passed tells whether no check found a problem.
func (r Report) Passed() bool {
	return !slices.ContainsFunc(r, func(one Result) bool { return one.Problem != nil })
}

// Write gives the report to a person, a line for each check.
func (r Report) Write(w io.Writer) error {
	for _, one := range r {
		line := "pass  " + one.Name + ": " + one.Rule
		switch {
		case one.Problem != nil:
			line = "FAIL  " + one.Name + ": " + one.Rule + "\n      " + one.Problem.Error()
		case one.Skipped != "":
			line = "skip  " + one.Name + ": " + one.Skipped
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// Run is Check as a test.
func Run(t *testing.T, p handover.Participant, o Options) {
	t.Helper()
	for _, one := range Check(t.Context(), p, o) {
		t.Run(one.Name, func(t *testing.T) {
			switch {
			case one.Problem != nil:
				t.Errorf("%s: %v", one.Rule, one.Problem)
			case one.Skipped != "":
				t.Log("not checked: ", one.Skipped)
			}
		})
	}
}

// check is one of the suite's checks.
type check struct {
	name, rule string
	run        func(*script)
}

func checks() []check {
	return slices.Concat(fenceChecks(), dataChecks(), edgeChecks())
}

// Check compares a participant with the model. It touches nothing if the options are
// wrong or a bucket is in use, and leaves the buckets sealed and empty otherwise. Nothing
// else may give orders to these buckets meanwhile.
func Check(ctx context.Context, p handover.Participant, o Options) Report {
	const name, rule = "options", "the buckets are spare and the records are such as are sent"
	s, err := newSuite(ctx, p, o)
	if err != nil {
		return Report{{Name: name, Rule: rule, Problem: err}}
	}
	report := Report{{Name: name, Rule: rule}}
	for _, c := range checks() {
		script := s.begin(ctx)
		if script.problem == nil {
			c.run(script)
		}
		report = append(report, Result{Name: c.name, Rule: c.rule, Problem: script.problem, Skipped: script.skipped})
		if ctx.Err() != nil {
			break
		}
	}
	last := Result{Name: "leave", Rule: "the buckets can be sealed and purged in the end"}
	last.Problem = s.leave(context.WithoutCancel(ctx))
	return append(report, last)
}
