package model_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banyan/proxy/handover/model"
)

// spinEpochs is enough for every mutant, and small enough for a second each.
const spinEpochs = 3

// TestSpin runs the other formulation of the protocol: it is clean, and every mutant of
// it breaks an assertion.
func TestSpin(t *testing.T) {
	for _, tool := range []string{"spin", "cc"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" && os.Getenv("BANYAN_REQUIRE_SPIN") != "" {
			t.Fatalf("BANYAN_REQUIRE_SPIN is set and there is no %s: apt-get install spin gcc", tool)
		}
		t.Skipf("THE SECOND FORMULATION OF THE HANDOVER IS NOT CHECKED: there is no %s; apt-get install spin gcc", tool)
	}
	pml, err := filepath.Abs("handover.pml")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		mutant model.Mutant
		flag   string
		want   string // the assertion that fails, as it begins
	}{
		{model.None, "", ""},
		{model.NoDrain, "NO_DRAIN", "(winner==0)"},
		{model.TimerUnfreezes, "TIMER_UNFREEZES", "(store[(1-owner)].mode!="},
		{model.CopyNoEpoch, "COPY_NO_EPOCH", "(winner==0)"},
		{model.CopyNoSeq, "COPY_NO_SEQ", "(winner==0)"},
		{model.AbortNoCAS, "ABORT_NO_CAS", "(store[(1-owner)].mode!="},
		{model.ActivateNoEpoch, "ACTIVATE_NO_EPOCH", " !((((store[0].mode=="},
		{model.ReadsSealed, "READS_SEALED", "(store["},
		{model.RecordsStay, "RECORDS_STAY", "((winner!=0)&&"},
		{model.NoIdempotency, "NO_IDEMPOTENCY", "((winner!=0)&&"},
		{model.SealLost, "SEAL_LOST", " !((((store[0].mode=="},
		{model.BothActive, "BOTH_ACTIVE", " !((((store[0].mode=="},
		{model.WarmTrusted, "WARM_TRUSTED", "(winner==0)"},
	}
	if len(tests) != len(model.Mutants())+1 {
		t.Errorf("%d of %d mutants are tested", len(tests)-1, len(model.Mutants()))
	}
	for _, test := range tests {
		t.Run(test.mutant.String(), func(t *testing.T) { spin(t, pml, test.flag, test.want) })
	}
}

// spin makes a verifier and runs it. That it was cut short by one of its bounds, or left
// a part of the protocol out, is a failure too.
func spin(t *testing.T, pml, flag, want string) {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-a", fmt.Sprintf("-DEPOCHS=%d", spinEpochs)}
	if flag != "" {
		args = append(args, "-D"+flag)
	}
	command(t, dir, "spin", append(args, pml)...)
	command(t, dir, "cc", "-O1", "-w", "-DSAFETY", "-DMEMLIM=1024", "-o", "pan", "pan.c")
	out := command(t, dir, "./pan", "-m400000")
	for _, bad := range []string{"max search depth too small", "out of memory", "Search not completed"} {
		if strings.Contains(out, bad) && (want == "" || bad != "Search not completed") {
			t.Errorf("the verifier says %q:\n%s", bad, out)
		}
	}
	if want != "" {
		if !strings.Contains(out, "assertion violated "+want) {
			t.Errorf("assertion %q was not violated:\n%s", want, out)
		}
		return
	}
	if !strings.Contains(out, "errors: 0") {
		t.Errorf("the protocol is not clean:\n%s", out)
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "handover.pml:") && !strings.Contains(line, `"-end-"`) {
			t.Errorf("never reached: %s", line)
		}
	}
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
