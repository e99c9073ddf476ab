package model_test

import (
	"testing"
	"time"

	"banyan/proxy/handover/model"
)

func TestClean(t *testing.T) {
	for epochs := 1; epochs <= 4; epochs++ {
		if epochs > 2 && testing.Short() {
			break
		}
		began := time.Now()
		r, err := model.Check(t.Context(), model.Options{Epochs: epochs})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d epochs: %d states, %d transitions, depth %d, %s", epochs, r.States, r.Transitions, r.Depth, time.Since(began))
		if r.Broken != "" {
			t.Fatalf("%d epochs: %s", epochs, r.Broken)
			for _, l := range r.Trace {
				t.Log(l)
			}
		}
	}
}

func TestMutants(t *testing.T) {
	for _, m := range model.Mutants() {
		t.Run(m.String(), func(t *testing.T) {
			for epochs := 1; epochs <= 4; epochs++ {
				r, err := model.Check(t.Context(), model.Options{Epochs: epochs, Mutant: m})
				if err != nil {
					t.Fatal(err)
				}
				if r.Broken != "" {
					t.Logf("%s at %d epochs, %d steps", r.Broken, epochs, len(r.Trace))
					for _, l := range r.Trace {
						t.Log(l)
					}
					return
				}
			}
			t.Error("not caught")
		})
	}
}
