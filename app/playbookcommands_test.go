package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlaybookCommands: what people type, and what they are told.
func TestPlaybookCommands(t *testing.T) {
	s := serveIn(t, "--data-dir", t.TempDir(), "--log-level", "error")
	environ := []string{"BANYAN_ADMIN=" + s.admin, "PATH=" + os.Getenv("PATH")}
	dir := t.TempDir()
	file, bad := filepath.Join(dir, "greet.md"), filepath.Join(dir, "bad.md")
	for name, text := range map[string]string{
		file: "# Greet\n```sh\nexport WHO=${WHO:-you}\n```\n## 1. Say\n```sh\necho hello $WHO\n```\n**Expect** `hello ada`\n## Way back\n```sh\necho bye\n```\n",
		bad:  "# Bad\n## 1. One\n## 3. Two\n```sh\ntrue\n```\n**Expect** `(`\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runSteps(t, environ, []step{
		{"playbook list", 0, "extract-reservations"},
		{"playbook status", 1, "no playbook was run yet"},
		{"playbook resume", 3, "no run waits"},
		{"playbook check " + file, 0, "hello ada"},
		{"playbook check " + bad, 2, "bad.md:3: step 3 comes after step 1"},
		{"playbook check " + bad, 2, "bad.md:7: \"(\" is no regular expression"},
		{"playbook check nothing", 1, "there is no playbook nothing"},
		{"playbook run roll-back --dry-run", 0, "banyan routes rollback"},
		{"playbook run " + file + " --set WHO", 2, "is not KEY=VALUE"},
		{"playbook run " + file + " --set NAME=x", 2, "it has: WHO"},
		{"playbook run " + file, 4, "does not show hello ada"},
		{"playbook run " + file, 3, "has not ended"},
		{"playbook status", 0, "go on with banyan playbook resume greet-1"},
		{"playbook resume greet-1", 4, "the way back:        banyan playbook resume greet-1 --way-back"},
		{"playbook resume --set WHO=ada", 0, "greet-1: done"},
		{"playbook list", 0, "greet-1"},
		{"playbook run " + file + " --way-back", 0, "on the way back"},
		{"playbook status nothing-1", 1, "there is no run nothing-1"},
		{"audit", 0, "playbook resume"},
	})
	code, _, stderr := command(t, []string{"BANYAN_ADMIN=http://127.0.0.1:1"}, "playbook", "run", file)
	if code != 1 || !strings.Contains(stderr, "there is no admin API") {
		t.Errorf("without a server: %d %s", code, stderr)
	}
}
