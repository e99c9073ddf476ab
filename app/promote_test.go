package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const promotable = `version: 1
backends:
  flights: { kind: http, url: "%s", store: monolith }
routes:
  - id: flights-read
    match: { methods: [GET], paths: [/v1/flights] }
    backends: { monolith: 100%%, flights: 0%% }
    hashOn: [ "header:X-Customer-Id" ]
    analysis: { interval: 1s, minSamples: 20, steps: [50%%, 100%%], metrics: [{name: success-rate, min: 90%%}] }
  - { id: plain, match: { paths: [/v1/airports] }, backends: { monolith: 100%%, flights: 0%% } }
`

// TestPromote promotes a service that is as good as the monolith, and one that is not,
// by command: exit codes, what is printed, and what the route then shows.
func TestPromote(t *testing.T) {
	var broken atomic.Bool
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer service.Close()
	file := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, promotable, service.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveIn(t, "--data-dir", t.TempDir(), "--routes", file, "--log-level", "error")
	defer visitors(t, s.url)()
	environ := []string{"BANYAN_ADMIN=" + s.admin}
	for _, c := range []struct {
		line   string
		broken bool
		code   int
		want   []string
	}{
		{"routes promote flights-read", false, 2, []string{"--reason"}},
		{"routes promote plain --reason x", false, 2, []string{"has no analysis"}},
		{"routes promote nothing --reason x", false, 1, []string{"there is no route nothing"}},
		{"routes promote flights-read --dry-run", false, 0, []string{"planned of flights: would begin at 50%, from 0%", "50%"}},
		{"routes promote flights-read --reason try --if-version 7-00000000", false, 3, []string{"look at it again"}},
		{"routes promote flights-read --reason try --wait", false, 0, []string{"promoted of flights: promoted: 100% passed", "pass: success-rate of flights was 100.00%", "monolith 0%, flights 100%", "step 1 of 2"}},
		{"routes promote flights-read --reason again", false, 3, []string{"has 100% of route flights-read already"}},
		{"routes rollback flights-read --reason once-more", false, 0, nil},
		{"routes promote flights-read --reason worse --wait", true, 4, []string{"rolled back at 50%: success-rate of flights was 0.00%", "monolith 100%, flights 0%"}},
		{"routes get flights-read", true, 0, []string{"failed of flights", "verdict success-rate", "lately flights"}},
		{"routes get flights-read -o json", true, 0, []string{`"promotion": {`, `"verdict": "fail"`}},
		{"audit --route flights-read --limit 1", true, 0, []string{"rolled back at 50%"}},
	} {
		broken.Store(c.broken)
		code, stdout, stderr := command(t, environ, strings.Fields(c.line)...)
		if code != c.code {
			t.Errorf("banyan %s: exit code %d, want %d\n%s%s", c.line, code, c.code, stdout, stderr)
		}
		for _, text := range c.want {
			if !strings.Contains(stdout+stderr, text) {
				t.Errorf("banyan %s does not say %q:\n%s%s", c.line, text, stdout, stderr)
			}
		}
	}
	if code := s.stop(); code != 0 {
		t.Errorf("banyan ended with %d", code)
	}
}

// visitors ask for flights, each time as another customer.
func visitors(t *testing.T, url string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Timeout: 10 * time.Second}
	var callers sync.WaitGroup
	for c := range 8 {
		callers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				r, _ := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/flights", nil)
				r.Header.Set("X-Customer-Id", fmt.Sprint(c, "-", i))
				if resp, err := client.Do(r); err == nil {
					_ = resp.Body.Close()
				}
			}
		})
	}
	return func() { cancel(); callers.Wait() }
}
