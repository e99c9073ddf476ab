package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
)

// movableRoutes are routes whose reservations have stores of their own. The pauses may be
// long: the machine is busy with other tests.
const movableRoutes = `version: 1
backends:
  monolith:     { kind: inproc, store: monolith }
  reservations: { kind: http, url: "http://%s", store: reservations, timeout: 5s }
routes:
  - id: reservations
    match:
      paths:
        - /v1/flights/{flight_id}/holds
        - /v1/flights/{flight_id}/reservations
        - /v1/flights/{flight_id}/seats
        - /v1/holds/{hold_id}/**
        - /v1/reservations/{reservation_id}/**
        - /reservations
        - /reservations/{reservation_id}
    stateful: { aggregate: [ path:flight_id, id:hold_id, id:reservation_id, json:flight_id ], participant: reservations, pauseBudget: 5s, maxWait: 20s }
    backends: { monolith: 100%%, reservations: 0%% }
`

// TestPlaybookExtractReservations runs docs/playbooks/extract-reservations.md against real
// programs on MariaDB and Redis while customers book. Not one request may fail, and what
// was booked is what is taken.
func TestPlaybookExtractReservations(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the programs")
	}
	addr := freeAddr(t)
	routes := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(routes, fmt.Appendf(nil, movableRoutes, addr), 0o600); err != nil {
		t.Fatal(err)
	}
	redis := dbtest.RedisAddr(t)
	s := serveIn(t, "--mysql-dsn", dbtest.MySQLDSN(t), "--sample-data", "--routes", routes, "--log-level", "error")
	startExtracted(t, "reservations", "--listen", addr, "--redis-addr", redis, "--redis-namespace", dbtest.Namespace(),
		"--flights-url", s.url, "--router", s.url)
	busy := aFlight(t, s)
	page := want(t, 200, "GET", s.url+"/v1/flights?origin=JFK&limit=20", "")["flights"].([]any)
	tried := page[len(page)-1].(map[string]any)["flight_id"].(string)
	program := filepath.Join(t.TempDir(), "banyan")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	env := []string{"API=" + s.url, "FLIGHT=" + tried, "BANYAN_ADMIN=" + s.admin, "PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH")}
	load := startLoad(t, s.url, busy)
	steps := readPlaybook(t, "../docs/playbooks/extract-reservations.md")
	for i, step := range steps {
		if i > 0 { // a reader's shell keeps what the first block exports
			step.commands = "{\n" + steps[0].commands + "} >/dev/null\n" + step.commands
		}
		step.run(t, i, env)
		load.await(t, 20)
	}
	load.finish(t, s.url, busy, "monolith", "reservations")
}

// action is a block of commands of a playbook with what it must show.
type action struct {
	commands string
	expect   []*regexp.Regexp
}

// readPlaybook takes the blocks out of a page. One without an expectation only has to
// succeed.
func readPlaybook(t *testing.T, path string) []action {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []action
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```\n(\\*\\*Expect\\*\\* [^\n]*)?").FindAllStringSubmatch(string(text), -1) {
		a := action{commands: block[1]}
		for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(block[2], -1) {
			a.expect = append(a.expect, regexp.MustCompile(code[1]))
		}
		list = append(list, a)
	}
	if len(list) < 5 {
		t.Fatalf("%s has %d blocks", path, len(list))
	}
	return list
}

func (a action) run(t *testing.T, number int, env []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", a.commands)
	cmd.Env = append(env, "HOME="+os.Getenv("HOME"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("block %d: %v\n%s\n%s", number+1, err, a.commands, out)
	}
	for _, wanted := range a.expect {
		if !wanted.Match(out) {
			t.Fatalf("block %d does not show %q:\n%s\n%s", number+1, wanted, a.commands, out)
		}
	}
	t.Logf("block %d of the page is as it says", number+1)
}
