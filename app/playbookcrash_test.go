package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banyan/proxy/playbook"
)

// halting is a page whose second step waits until it is let go; %s marks its process.
const halting = "# Halt\n```sh\nexport LOG=${LOG:?a file}\nexport MARK=mark-$RANDOM\n```\n" +
	"## 1. One\n```sh\necho one $MARK >>$LOG\n```\n" +
	"## 2. Two\n```sh\n: %s\necho begin >>$LOG\nfor i in $(seq 600); do [ -e $LOG.go ] && break; sleep 0.1; done\necho two $MARK >>$LOG\n```\n" +
	"## 3. Three\n```sh\necho three $MARK >>$LOG\n```\n"

// TestPlaybookSurvivesKill: a runner is killed in mid-step. Its block dies with it, and
// somebody else does exactly what remained.
func TestPlaybookSurvivesKill(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program")
	}
	s := serveIn(t, "--data-dir", t.TempDir(), "--log-level", "error")
	o := newOperator(t, s)
	dir, token := t.TempDir(), fmt.Sprintf("halting-%d-%d", os.Getpid(), time.Now().UnixNano())
	text := fmt.Sprintf(halting, token)
	file, log := filepath.Join(dir, "halt.md"), filepath.Join(dir, "log")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	victim := exec.CommandContext(t.Context(), o.program, "playbook", "run", file, "--set", "LOG="+log)
	victim.Env = o.env
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	wrote := func(text string) func() bool {
		return func() bool {
			got, _ := os.ReadFile(log)
			return strings.HasSuffix(string(got), text)
		}
	}
	until(t, "the second step begins", wrote("begin\n"))
	if _, said := o.playbook(t, 3, "resume"); !strings.Contains(said, "just now") {
		t.Errorf("while it runs, resume says %s", said)
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()
	until(t, "the block is gone", func() bool {
		return exec.CommandContext(t.Context(), "pgrep", "-f", token).Run() != nil
	})
	run, _ := o.playbook(t, 0, "status")
	if run.State != playbook.Running || !run.Has("1") || run.Has("2") {
		t.Errorf("after the kill the journal has %+v", run)
	}
	if err := os.WriteFile(file, []byte(text+"\nMore.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.playbook(t, 5, "resume", run.ID)
	if err := os.WriteFile(log+".go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run, _ = o.playbook(t, 0, "resume", "--accept-changed")
	mark := run.Variables["MARK"]
	wanted := fmt.Sprintf("one %s\nbegin\nbegin\ntwo %[1]s\nthree %[1]s\n", mark)
	if got, _ := os.ReadFile(log); string(got) != wanted || run.State != playbook.Done || run.Attempt != 2 {
		t.Errorf("it is done as %q, not %q; %+v", got, wanted, run)
	}
	o.playbook(t, 3, "resume", run.ID)
}

// until waits for something that must come.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come that %s", what)
		}
	}
}
