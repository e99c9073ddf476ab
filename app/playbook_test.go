package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/proxy/playbook"
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

// operator runs playbooks with the program that is built, as a person does.
type operator struct {
	program string
	env     []string
}

// newOperator builds the program; vars are added to its environment.
func newOperator(t *testing.T, s served, vars ...string) operator {
	t.Helper()
	program := filepath.Join(t.TempDir(), "banyan")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	env := []string{"API=" + s.url, "BANYAN_ADMIN=" + s.admin, "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	return operator{program, append(env, vars...)}
}

// page names a page of the folder.
func page(name string) string { return "../docs/playbooks/" + name + ".md" }

// playbook runs banyan playbook and gives the run and what was shown meanwhile. A page
// that ends with another code fails the test.
func (o operator) playbook(t *testing.T, code int, args ...string) (playbook.Run, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.program, append([]string{"playbook"}, append(args, "-o", "json")...)...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = o.env, &stdout, &stderr
	begun, got := time.Now(), 0
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != code {
		t.Fatalf("playbook %s: exit code %d, not %d\n%s", strings.Join(args, " "), got, code, stderr.String())
	}
	var run playbook.Run
	_ = json.Unmarshal(stdout.Bytes(), &run) // a refusal prints none
	t.Logf("playbook %s: %s %s, %d blocks in %s", strings.Join(args, " "), run.ID, run.State, len(run.Steps), time.Since(begun).Round(100*time.Millisecond))
	return run, stderr.String()
}

// TestPlaybookExtractReservations runs docs/playbooks/extract-reservations.md against real
// programs on MariaDB and Redis while customers book, and then its way back. Not one
// request may fail, and what was booked is what is taken.
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
	a, dsn := newAccounts(t), dbtest.MySQLDSN(t)
	schema := a.schema(dsn, "reservations")
	former := a.user("r", schema) // of a service over the monolith's schema
	s := serveIn(t, "--mysql-dsn", dsn, "--sample-data", "--routes", routes, "--log-level", "error")
	startExtracted(t, "reservations", "--listen", addr, "--redis-addr", redis, "--redis-namespace", dbtest.Namespace(),
		"--flights-url", s.url, "--router", s.url)
	busy := aFlight(t, s)
	list := want(t, 200, "GET", s.url+"/v1/flights?origin=JFK&limit=20", "")["flights"].([]any)
	tried := list[len(list)-1].(map[string]any)["flight_id"].(string)
	o := newOperator(t, s)
	load := startLoad(t, s.url, busy)
	load.await(t, 20)
	before := a.reaches(former, dsn, "reservations")
	run, _ := o.playbook(t, 0, "run", page("extract-reservations"), "--set", "FLIGHT="+tried,
		"--set", "SQL_COMMAND="+a.client(), "--set", "ACCOUNT="+former, "--set", "HOME_SCHEMA="+schema)
	load.await(t, 20)
	if !before || a.reaches(former, dsn, "reservations") {
		t.Error("the service's former user may still use the monolith's schema, or never did")
	}
	if run.Variables["FLIGHT"] != tried || run.State != playbook.Done {
		t.Errorf("the run is %+v", run)
	}
	o.playbook(t, 0, "resume", run.ID, "--way-back")
	load.await(t, 20)
	load.finish(t, s.url, busy, "monolith", "reservations")
}
