package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const shiftable = `version: 1
backends:
  flights: { kind: http, url: http://127.0.0.1:1, store: monolith }
  apart:   { kind: http, url: http://127.0.0.1:2 }
routes:
  - { id: flights-read, match: { methods: [GET], paths: [/v1/flights] }, backends: { monolith: 100%, flights: 0% } }
  - { id: bookings, match: { paths: ["/v1/holds/{hold_id}/**"] }, backends: { monolith: 100%, apart: 0% } }
`

// TestRoutesCommands goes through the commands against a running banyan: exit codes,
// what they print, and what the log keeps.
func TestRoutesCommands(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(file, []byte(shiftable), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveIn(t, "--data-dir", t.TempDir(), "--routes", file, "--admin-token", "s3cret")
	environ := []string{"BANYAN_ADMIN=" + s.admin, "BANYAN_ADMIN_TOKEN=s3cret"}
	for _, c := range []struct {
		line string
		code int
		want string // on standard output, or on standard error after a failure
	}{
		{"routes list", 0, "flights-read"},
		{"routes get flights-read -o json", 0, `"effective": {`},
		{"routes set-weight flights-read 25% --reason try --wait", 0, "25% of its callers moved"},
		{"routes get flights-read -o yaml", 0, "flights: 25%"},
		{"routes flip flights-read --dry-run", 0, "75% of its callers would move"},
		{"routes flip flights-read --reason on", 0, "monolith 0%, flights 100%"},
		{"routes rollback flights-read --reason back", 0, "monolith 100%, flights 0%"},
		{"audit --route flights-read --limit 1", 0, "rollback"},
		{"routes set-weight flights-read 25%", 2, "--reason"},
		{"routes set-weight flights-read 25 --reason x", 2, "write it with its sign"},
		{"routes set-weight flights-read 25% --backend nobody --reason x", 2, "has no backend nobody"},
		{"routes get", 2, "takes ROUTE"},
		{"routes get flights-read -o xml", 2, "xml"},
		{"audit --limit 0", 2, "is not 1 to 200"},
		{"routes rollback flights-read --reason x --if-version 0-00000000", 3, "look at it again"},
		{"routes set-weight bookings 1% --reason x", 5, "the data would stay behind"},
		{"routes flip bookings --reason x", 5, "the data would stay behind"},
		{"routes get nothing", 1, "there is no route nothing"},
		{"routes list --admin http://127.0.0.1:1", 1, "there is no admin API at"},
		{"routes list --admin-token wrong", 1, "needs its token"},
	} {
		code, stdout, stderr := command(t, environ, strings.Fields(c.line)...)
		shown := stdout
		if c.code != 0 {
			shown = stderr
		}
		if code != c.code || !strings.Contains(shown, c.want) {
			t.Errorf("banyan %s: exit code %d, want %d\n%s%s\nwant …%s…", c.line, code, c.code, stdout, stderr, c.want)
		}
		if strings.Contains(stdout+stderr, "s3cret") {
			t.Errorf("banyan %s shows the token", c.line)
		}
	}
	if code := s.stop(); code != 0 {
		t.Errorf("banyan ended with %d", code)
	}
}
