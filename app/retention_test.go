package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"banyan/proxy/playbook"
)

// TestRetention: what is told to go goes by itself, at a start at the latest.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	page := writeFile(t, "greet.md", "# Greet\n## 1. Say\n```sh\necho hello\n```\n")
	s := serveIn(t, "--data-dir", dir, "--log-level", "error")
	environ := []string{"BANYAN_ADMIN=" + s.admin, "PATH=" + os.Getenv("PATH")}
	runs := make([]playbook.Run, 2)
	for i := range runs {
		_, stdout, stderr := command(t, environ, "playbook", "run", page, "-o", "json")
		if err := json.Unmarshal([]byte(stdout), &runs[i]); err != nil || runs[i].State != playbook.Done {
			t.Fatalf("%v: %s%s", err, stdout, stderr)
		}
	}
	for _, id := range []string{"e1", "e2"} {
		want(t, 200, "POST", s.url+"/events/weather", `[{"eventId":"`+id+`","data":{}}]`)
	}
	s.stop()
	s = serveIn(t, "--data-dir", dir, "--log-level", "error", "--keep-events", "1ns", "--keep-playbook-runs", "1ns")
	environ[0] = "BANYAN_ADMIN=" + s.admin
	until(t, "the old ones are gone", func() bool {
		_, left, _ := command(t, environ, "playbook", "list", "-o", "json")
		_, events := text(t, s.url+"/events/weather")
		var list []any
		return json.Unmarshal([]byte(events), &list) == nil && len(list) == 1 && strings.Contains(events, "e2") &&
			strings.Contains(left, `"`+runs[1].ID+`"`) && !strings.Contains(left, `"`+runs[0].ID+`"`)
	})
	code, _, stderr := command(t, nil, "check-config", "--keep-events", "-1h", "--keep-playbook-runs", "-1h")
	if code != 2 || !strings.Contains(stderr, "--keep-events") || !strings.Contains(stderr, "--keep-playbook-runs") {
		t.Errorf("negative: exit code %d: %s", code, stderr)
	}
}
