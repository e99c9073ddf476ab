package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/handover/handovertest"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
	"banyan/proxy/admin"
)

const stateful = `version: 1
backends:
  monolith:     { kind: inproc, store: monolith }
  reservations: { kind: http, url: "%s", timeout: 2s }
  flights:      { kind: http, url: "%s", store: monolith }
routes:
  - id: reservations
    match: { paths: ["/v1/flights/{flight_id}/holds", "/v1/flights/{flight_id}/seats"] }
    stateful: { aggregate: [ path:flight_id ], participant: reservations, pauseBudget: 1m }
    backends: { monolith: 100%%, reservations: 0%% }
  - { id: flights-read, match: { methods: [GET], paths: [/v1/flights] }, backends: { monolith: 100%%, flights: 0%% } }
`

// participant serves a store in memory.
func participant(t *testing.T, m handover.Participant) *httptest.Server {
	t.Helper()
	r := web.NewRouter()
	handoverhttp.Mount(r, reservationsData, m, "t0ken")
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return s
}

// step is a command line, its exit code, and what it says.
type step struct {
	line string
	code int
	want string // on standard output, or on standard error after a failure
}

func runSteps(t *testing.T, environ []string, steps []step) {
	t.Helper()
	for _, c := range steps {
		code, stdout, stderr := command(t, environ, strings.Fields(c.line)...)
		shown := stdout
		if c.code != 0 {
			shown = stdout + stderr
		}
		if code != c.code || !strings.Contains(shown, c.want) {
			t.Errorf("banyan %s: exit code %d, want %d\n%s%s\nwant …%s…", c.line, code, c.code, stdout, stderr, c.want)
		}
	}
}

// movingBanyan runs banyan with a stateful route to a participant in memory.
func movingBanyan(t *testing.T) (environ []string, away *handovertest.Memory, remote *httptest.Server) {
	t.Helper()
	away = handovertest.NewMemory()
	remote = participant(t, away)
	file := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, stateful, remote.URL, remote.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveIn(t, "--data-dir", t.TempDir(), "--routes", file, "--participant-token", "t0ken", "--log-level", "error")
	return []string{"BANYAN_ADMIN=" + s.admin}, away, remote
}

const pinned = "Zz1-JFK-20261121"

// TestMovesCommands moves data there and back by command.
func TestMovesCommands(t *testing.T) {
	environ, away, _ := movingBanyan(t)
	runSteps(t, environ, []step{
		{"routes set-weight reservations 2% --dry-run", 0, "200 to move: 200 out, 0 home"},
		{"routes get reservations", 0, "monolith 100%, reservations 0%"},
		{"moves list", 0, "MOVE"},
		{"routes set-weight reservations 2% --reason try --wait", 0, "monolith 98%, reservations 2%"},
		{"routes get reservations -o json", 0, `"settled": true`},
		{"moves list --route reservations --limit 1", 0, "moved"},
		{"moves verify --route reservations", 0, "200 buckets compared, 0 differ"},
		{"routes pause reservations --reason lunch", 0, "paused"},
		{"routes set-weight flights-read 5% --reason other --wait", 0, "5% of its callers moved"},
		{"routes resume reservations --reason back", 0, "settled"},
		{"routes pin reservations " + pinned + " --to away --reason smoke", 0, fmt.Sprint("bucket ", bucket.Of(pinned))},
		{"moves watch reservations", 0, "reservations 2.01%"},
		{"routes get reservations", 0, fmt.Sprint("bucket ", bucket.Of(pinned), " to reservations")},
	})
	move := latestMove(t, environ)
	if err := away.Write(bucket.Of(pinned), []byte(`{"planted":1}`)); err != nil {
		t.Fatal(err)
	}
	runSteps(t, environ, []step{
		{"moves verify " + move, 4, fmt.Sprint("bucket ", bucket.Of(pinned))},
		{"moves verify " + move, 4, "1 records"},
		{"moves verify --route reservations -o yaml", 4, "ok: false"},
		{"moves abort " + move + " --reason late", 3, "too late"},
		{"routes set-weight reservations 100% --reason all --if-version 0-00000000", 3, "look at it again"},
	})
	refusedCommands(t, environ)
	// What was planted is nothing that the monolith's store could take over.
	code, _, stderr := command(t, environ, "routes", "unpin", "reservations", pinned, "--reason", "done")
	if code != 0 {
		t.Fatalf("unpin: %d %s", code, stderr)
	}
	runSteps(t, environ, []step{
		{"moves watch reservations", 1, "moves failed one after the other"},
		{"routes get reservations", 0, "last error"},
		{"routes pause reservations --reason stop", 0, "paused"},
		{"moves watch reservations", 1, "it is paused"},
		{"audit --route reservations --limit 2", 0, "unpin"},
	})
}

func refusedCommands(t *testing.T, environ []string) {
	t.Helper()
	runSteps(t, environ, []step{
		{"moves abort reservations-999 --reason x", 1, "has no move 999"},
		{"moves abort reservations-999", 2, "--reason"},
		{"moves abort nothing --reason x", 2, "is no move"},
		{"moves verify", 2, "name a move"},
		{"moves verify --route nothing", 1, "there is no route nothing"},
		{"moves watch flights-read", 2, "has no data that moves"},
		{"moves list --limit 0", 2, "is not 1 to 200"},
		{"routes pin reservations " + pinned + " --reason x", 2, "--to"},
		{"routes pin reservations " + pinned + " --to away", 2, "--reason"},
		{"routes pin reservations " + pinned + " --to mars --reason x", 2, "neither home"},
		{"routes unpin reservations other --reason x", 1, "is not pinned"},
		{"routes pause flights-read --reason x", 2, "neither data that moves"},
		{"routes rescue reservations --gone reservations --reason x", 5, "answers and owns buckets"},
		{"routes rescue reservations --gone monolith --reason x", 2, "confirm by naming it"},
		{"routes rescue reservations --gone reservations", 2, "--reason"},
	})
}

func latestMove(t *testing.T, environ []string) string {
	t.Helper()
	code, stdout, stderr := command(t, environ, "moves", "list", "--limit", "1", "-o", "json")
	var page admin.MovePage
	if err := json.Unmarshal([]byte(stdout), &page); code != 0 || err != nil || len(page.Moves) != 1 {
		t.Fatalf("moves list: %d %v %s", code, err, stderr)
	}
	return page.Moves[0].ID
}

// TestRescueCommand: the service is gone, and the monolith takes what it had.
func TestRescueCommand(t *testing.T) {
	environ, _, remote := movingBanyan(t)
	runSteps(t, environ, []step{{"routes set-weight reservations 1% --reason try --wait", 0, "reservations 1%"}})
	remote.Close()
	runSteps(t, environ, []step{
		{"routes rescue reservations --gone reservations --dry-run", 0, "100 buckets would be rescued, 0 of them without"},
		{"routes rescue reservations --gone reservations --reason burnt", 0, "100 buckets were rescued"},
		{"routes get reservations", 0, "monolith 100%, reservations 0%"},
		{"moves list", 0, "recovered"},
	})
}

// TestWaitEndsEarly: whoever stops waiting is told that the moves go on.
func TestWaitEndsEarly(t *testing.T) {
	away := handovertest.NewMemory()
	stuck := &stuckParticipant{Participant: away, asked: make(chan struct{}, 1), release: make(chan struct{})}
	remote := participant(t, stuck)
	defer close(stuck.release) // before banyan is stopped
	file := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, stateful, remote.URL, remote.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveIn(t, "--data-dir", t.TempDir(), "--routes", file, "--participant-token", "t0ken", "--log-level", "error")
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr output
	ended := make(chan int, 1)
	go func() {
		args := strings.Fields("routes set-weight reservations 1% --reason try --wait --admin " + s.admin)
		ended <- service.Run(ctx, "banyan", service.Process{Args: args, Stdout: &stdout, Stderr: &stderr}, run)
	}()
	stuck.waitUntilAsked(t)
	cancel()
	if code := <-ended; code != 1 || !strings.Contains(stderr.String(), "the moves go on") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
	environ := []string{"BANYAN_ADMIN=" + s.admin}
	runSteps(t, environ, []step{
		{"routes get reservations", 0, "data                  moving"},
		{"routes pause reservations --reason stop", 0, "paused"},
	})
	var page admin.MovePage
	_, list, _ := command(t, environ, "moves", "list", "-o", "json")
	if err := json.Unmarshal([]byte(list), &page); err != nil || len(page.Moves) == 0 {
		t.Fatalf("moves list: %v %s", err, list)
	}
	for _, m := range page.Moves {
		runSteps(t, environ, []step{{"moves abort " + m.ID + " --reason stuck", 0, "aborted"}})
	}
	runSteps(t, environ, []step{{"moves watch reservations", 1, "it is paused"}})
}
