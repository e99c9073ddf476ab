package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSightsOnATerminal: usage, diff and export as a person sees them, of a running banyan.
func TestSightsOnATerminal(t *testing.T) {
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"airports":[]}`)
	}))
	t.Cleanup(away.Close)
	s := serveIn(t, "--data-dir", t.TempDir(), "--sample-data", "--routes", shadowingFile(t, away.URL))
	for range 3 {
		want(t, 200, "GET", s.url+"/v1/airports", "")
	}
	for i := range 3 {
		want(t, 404, "GET", fmt.Sprintf("%s/nothing%d", s.url, i), "")
	}
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"diff", "top"}, []string{"route airports: 100% copied to flights", "$.airports.length()", "→ 0", "old and new: 3 of 3 differ"}},
		{[]string{"diff", "top", "--route", "airports", "-o", "json"}, []string{`"path": "$.airports.length()"`}},
		{[]string{"usage"}, []string{"EXTRACT", "/v1/airports", "routes.yaml", "only ever answered with 4xx", "too few to tell"}},
		{[]string{"usage", "--window", "hour", "-o", "yaml"}, []string{"template: /v1/airports", "refused: 3"}},
		{[]string{"export", "gateway-api", "--namespace", "shop"}, []string{"kind: HTTPRoute", "namespace: shop", "value: /v1/airports", "name: banyan-airports"}},
		{[]string{"diff", "reset", "airports"}, []string{"none yet"}},
	} {
		var out, stderr string
		code := -1
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if code, out, stderr = command(t, nil, append(c.args, "--admin", s.admin)...); code == 0 && has(out, c.says) {
				break
			}
		}
		if code != 0 || !has(out, c.says) {
			t.Errorf("banyan %s: %d %s\n%s", strings.Join(c.args, " "), code, stderr, out)
		}
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"usage", "--window", "week"}, 2},
		{[]string{"diff", "top", "--route", "nope"}, 1},
		{[]string{"diff", "reset", "a:b"}, 2},
		{[]string{"export", "gateway-api", "--router-service", "banyan"}, 2},
	} {
		if code, out, stderr := command(t, nil, append(c.args, "--admin", s.admin)...); code != c.code {
			t.Errorf("banyan %s: exit code %d, not %d: %s%s", strings.Join(c.args, " "), code, c.code, out, stderr)
		}
	}
}

// shadowingFile writes a routes.yaml whose route of airports is shadowed, all of it.
func shadowingFile(t *testing.T, away string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "routes.yaml")
	text := fmt.Sprintf(`version: 1
backends:
  monolith: { kind: inproc, store: monolith }
  flights: { kind: http, url: "%s", store: monolith }
routes:
  - id: airports
    match: { methods: [GET], paths: [/v1/airports] }
    backends: { monolith: 100%%, flights: 0%% }
    shadow: { backend: flights, percent: 100%% }
`, away)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func has(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
