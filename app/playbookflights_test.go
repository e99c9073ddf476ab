package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/proxy/playbook"
)

// TestPlaybookExtractFlights runs docs/playbooks/extract-flights.md against real programs
// on MariaDB, both stages of it, and its way back, while customers search. Not one request
// may fail, and every search finds what it found before.
func TestPlaybookExtractFlights(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the programs")
	}
	addr, dsn, own := freeAddr(t), dbtest.MySQLDSN(t), dbtest.MySQLDSN(t)
	a := newAccounts(t)
	home, away := a.schema(dsn, "flights"), a.schema(own, "flights")
	monolith := a.user("m", home, a.schema(dsn, "reservations"), a.schema(dsn, "proxy"), away) // one right too many
	flights := a.user("f", home, away)
	routes := filepath.Join(t.TempDir(), "routes.yaml")
	writeRoutes(t, routes, addr, freeAddr(t), 0)
	s := serveIn(t, "--mysql-dsn", a.as(monolith, dsn), "--sample-data", "--routes", routes, "--log-level", "error")
	service := buildService(t, "flights")
	service.start(t, "--listen", addr, "--mysql-dsn", a.as(flights, dsn))
	o := newOperator(t, s)
	l := startLooking(t, s.url)
	run, said := o.playbook(t, 3, "run", page("extract-flights"), "--set", "SQL_COMMAND="+a.client(), "--set", "ACCOUNT="+flights,
		"--set", "HOME_SCHEMA="+home, "--set", "MONOLITH_ACCOUNT="+monolith, "--set", "OWN_SCHEMA="+away)
	if !run.Has("4") || !strings.Contains(said, "--home-url") {
		t.Errorf("it stops at %+v", run)
	}
	service.stop(t) // what the page asks of a person
	service.start(t, "--listen", addr, "--mysql-dsn", a.as(flights, own), "--home-url", s.url)
	if err := os.WriteFile(routes+".new", fmt.Appendf(nil, movableFlights, freeAddr(t), addr), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(routes+".new", routes); err != nil {
		t.Fatal(err)
	}
	l.await(t, 3)
	run, _ = o.playbook(t, 0, "resume", run.ID, "--yes")
	l.await(t, 3)
	l.bothAnswer(t)
	if run.State != playbook.Done || run.Attempt != 2 {
		t.Errorf("the run is %+v", run)
	}
	if a.reaches(flights, dsn, "flights") || a.reaches(monolith, own, "flights") || !a.reaches(flights, own, "flights") || !a.reaches(monolith, dsn, "flights") {
		t.Error("a side may use the other's schema, or not its own")
	}
	o.playbook(t, 0, "resume", run.ID, "--way-back")
	l.await(t, 3)
	l.finish(t)
	isHome(t, s)
}

// isHome wants no flight to be away.
func isHome(t *testing.T, s served) {
	t.Helper()
	v := want(t, 200, "GET", s.admin+"/admin/v1/routes/flights", "")
	if actual, _ := v["actual"].(map[string]any); actual["monolith"] != "100%" {
		t.Errorf("the flights are at %v", v["actual"])
	}
}
