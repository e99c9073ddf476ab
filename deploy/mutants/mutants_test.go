package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReleasesHaveNoMutants builds the programs as they are released: nothing of a mutant
// must be in them, and all of it must be in the build that is made for it, or this test
// would prove nothing.
func TestReleasesHaveNoMutants(t *testing.T) {
	for name, pack := range map[string]string{"banyan": "app", "banyan-reservations": "extracted/reservations"} {
		t.Run(name, func(t *testing.T) {
			release, broken := build(t, pack), build(t, pack, "-tags", "mutants")
			for _, trace := range traces() {
				if bytes.Contains(release, []byte(trace)) {
					t.Errorf("the release has %q", trace)
				}
				if !bytes.Contains(broken, []byte(trace)) {
					t.Errorf("the build with mutants has no %q", trace)
				}
			}
		})
	}
}

// traces are what a mutant leaves in a binary.
func traces() []string {
	list := []string{"BANYAN_MUTANT", "handover/mutant"}
	for _, m := range mutants() {
		list = append(list, m.name)
	}
	return list
}

// build gives the bytes of a program.
func build(t *testing.T, pack string, flags ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	args := append([]string{"build", "-trimpath", "-o", path}, flags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./"+pack)...)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestFirst(t *testing.T) {
	for output, want := range map[string]string{
		"--- FAIL: TestA (0.1s)\n    --- PASS: TestA/x (0s)\n    --- FAIL: TestA/y (0s)\n        --- FAIL: TestA/y/z (0s)\n--- FAIL: TestB (0s)\n": "TestA/y/z",
		"--- PASS: TestA (0.1s)\npanic: BANYAN_MUTANT: there is no mutant x\n":                                                                     "",
		"=== RUN TestA\n--- FAIL: TestA (0s)\n": "TestA",
	} {
		if got := first(output); got != want {
			t.Errorf("first(%q) is %q, want %q", output, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	write(&out, []verdict{{mutant: "m", check: check{"SQL", "a/b", "TestX"}, killer: "TestX/y"}, {mutant: "n", check: check{"Redis", "a/b", "TestX"}}})
	for _, line := range []string{"| m | SQL | b TestX/y | 0.0 s |", "| n | Redis | b **survived** TestX | 0.0 s |"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no line %q in %s", line, out.String())
		}
	}
}
