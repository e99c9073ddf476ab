package model_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/proxy/handover/model"
)

func TestTheProtocolIsClean(t *testing.T) {
	sizes := map[string]int{ // states; a change of the model changes them, and the page in docs/proofs
		"1 false": 1_503, "2 false": 39_771, "3 false": 876_094,
		"1 true": 2_072, "2 true": 59_522, "3 true": 1_481_024,
	}
	most := 3
	if testing.Short() {
		most = 2
	}
	for epochs := 1; epochs <= most; epochs++ {
		for _, hasty := range []bool{false, true} {
			name := fmt.Sprint(epochs, hasty)
			t.Run(name, func(t *testing.T) {
				r, err := model.Check(t.Context(), model.Options{Epochs: epochs, Hasty: hasty})
				if err != nil {
					t.Fatal(err)
				}
				if r.Broken != "" {
					t.Fatalf("%s is broken:\n%s", r.Broken, strings.Join(r.Trace, "\n"))
				}
				if r.States != sizes[name] {
					t.Errorf("%d states, want %d", r.States, sizes[name])
				}
			})
		}
	}
}

func TestMutantsAreCaught(t *testing.T) {
	type found struct {
		broken string
		steps  int
		epochs int
	}
	tests := []struct {
		mutant         model.Mutant
		careful, hasty found
	}{
		{model.NoDrain, found{model.I2, 12, 1}, found{model.I2, 11, 1}},
		{model.TimerUnfreezes, found{model.Stuck, 9, 1}, found{model.Stuck, 8, 1}},
		{model.CopyNoEpoch, found{model.Stuck, 19, 2}, found{model.I2, 18, 2}},
		{model.CopyNoSeq, found{model.Stuck, 13, 1}, found{model.I2, 13, 1}},
		{model.AbortNoCAS, found{model.I5, 12, 2}, found{model.I5, 11, 2}},
		{model.ActivateNoEpoch, found{model.I1, 22, 2}, found{model.I1, 20, 2}},
		{model.ReadsSealed, found{model.I3, 5, 1}, found{model.I3, 5, 1}},
		{model.RecordsStay, found{model.I2, 13, 1}, found{model.I2, 12, 1}},
		{model.NoIdempotency, found{model.I3, 4, 1}, found{model.I3, 4, 1}},
		{model.SealLost, found{model.I1, 11, 1}, found{model.I1, 10, 1}},
		{model.BothActive, found{model.I1, 9, 1}, found{model.I1, 8, 1}},
		{model.WarmTrusted, found{model.I2, 12, 1}, found{model.I2, 12, 1}},
	}
	if len(tests) != len(model.Mutants()) {
		t.Errorf("%d mutants are tested of %d", len(tests), len(model.Mutants()))
	}
	for _, test := range tests {
		for _, hasty := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, hasty %t", test.mutant, hasty), func(t *testing.T) {
				want := test.careful
				if hasty {
					want = test.hasty
				}
				r, epochs, err := model.Hunt(t.Context(), model.Options{Epochs: 3, Mutant: test.mutant, Hasty: hasty})
				if err != nil {
					t.Fatal(err)
				}
				if got := (found{r.Broken, len(r.Trace), epochs}); got != want {
					t.Errorf("%+v, want %+v:\n%s", got, want, strings.Join(r.Trace, "\n"))
				}
			})
		}
	}
}

// TestTraceReads is a whole trace, word for word.
func TestTraceReads(t *testing.T) {
	r, _, err := model.Hunt(t.Context(), model.Options{Epochs: 1, Mutant: model.NoIdempotency})
	if err != nil {
		t.Fatal(err)
	}
	want := ` 1. home: Alice's hold finds the fence active and is under way
 2. home: Alice's hold is answered "done"; seat Alice's
 3. home: Alice's hold finds the fence active and is under way
 4. home: Alice's hold is answered "seat taken"; seat Alice's  <- the right answer is "done"`
	if got := strings.Join(r.Trace, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []model.Options{{}, {Epochs: 5}, {Epochs: 1, Mutant: 200}} {
		if _, err := model.Check(t.Context(), o); errs.CodeOf(err) != errs.Invalid {
			t.Errorf("%+v gave %v", o, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := model.Check(ctx, model.Options{Epochs: 1}); errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("an ended check gave %v", err)
	}
}

// TestRun: with one epoch the protocol is clean and some mutants must get away, which the
// command has to say.
func TestRun(t *testing.T) {
	var out strings.Builder
	err := model.Run(t.Context(), &out, 1)
	if errs.CodeOf(err) != errs.Internal || !strings.Contains(err.Error(), "copy without epoch check (careful)") {
		t.Errorf("Run gave %v", err)
	}
	for _, want := range []string{"all hold", "SURVIVES", "seal lost after a restart: I1", "\n11. extracted: activate(2) arrives"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing from\n%s", want, &out)
		}
	}
	if testing.Short() {
		return
	}
	if err := model.Run(t.Context(), &out, 3); err != nil {
		t.Error(err)
	}
}
