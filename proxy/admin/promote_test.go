package admin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	migrations "banyan/migrations/proxy"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/admin"
	"banyan/proxy/promotion"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

const climbing = `version: 1
backends:
  monolith: { kind: inproc, store: shared }
  flights:  { kind: http, url: "http://127.0.0.1:1", store: shared }
  third:    { kind: http, url: "http://127.0.0.1:2", store: shared }
  apart:    { kind: http, url: "http://127.0.0.1:3" }
routes:
  - { id: plain, match: { paths: [/p] }, backends: { monolith: 95%, flights: 5% } }
  - { id: one, match: { paths: [/1] }, backends: { monolith: 95%, flights: 5% }, analysis: { steps: [5%, 50%], metrics: [{name: p99, max: 1s}] } }
  - { id: two, match: { paths: [/2] }, backends: { monolith: 100%, flights: 0%, third: 0% }, analysis: { steps: [5%], metrics: [{name: p99, max: 1s}] } }
  - { id: unsafe, match: { paths: [/3] }, backends: { monolith: 100%, apart: 0% }, analysis: { steps: [5%], metrics: [{name: p99, max: 1s}] } }
`

// TestPromote begins promotions of a router whose loops do not run, so that nothing goes
// on by itself.
func TestPromote(t *testing.T) {
	s := newClimbing(t)
	for _, c := range []struct {
		name, path, body string
		header           []string
		status           int
		at, want         string
	}{
		{"no reason", "one:promote", `{}`, nil, 400, "field", "reason"},
		{"blank reason", "one:promote?dryRun=true", `{"reason":" "}`, nil, 400, "field", "reason"},
		{"unknown field", "one:promote", `{"reason":"r","weights":{}}`, nil, 400, "code", "unknown_field"},
		{"unknown parameter", "one:promote?dry=true", `{"reason":"r"}`, nil, 400, "code", "unknown_field"},
		{"no analysis", "plain:promote", `{"reason":"r"}`, nil, 400, "code", "invalid"},
		{"no route", "nothing:promote", `{"reason":"r"}`, nil, 404, "code", "not_found"},
		{"which backend", "two:promote", `{"reason":"r"}`, nil, 400, "field", "backend"},
		{"not the home", "two:promote", `{"reason":"r","backend":"monolith"}`, nil, 400, "field", "backend"},
		{"named", "two:promote?dryRun=true", `{"backend":"third"}`, nil, 200, "promotion.backend", "third"},
		{"data stays behind", "unsafe:promote", `{"reason":"r"}`, nil, 409, "code", "refused_unsafe"},
		{"stale", "one:promote", `{"reason":"r"}`, []string{"If-Match", `"9-aaaaaaaa"`}, 412, "code", "precondition_failed"},
		{"only asked", "one:promote?dryRun=true", ``, nil, 200, "promotion.state", "planned"},
		{"begun", "one:promote", `{"reason":"r"}`, []string{admin.ActorHeader, "anna"}, 202, "promotion.weight", "50%"},
		{"twice", "one:promote", `{"reason":"r"}`, nil, 412, "code", "precondition_failed"},
	} {
		status, _, f := call(t, s, "POST", "/admin/v1/routes/"+c.path, c.body, append(c.header, "Content-Type", "application/json")...)
		if status != c.status || at(f, c.at) != c.want {
			t.Errorf("%s: %d, %s is %s: %v", c.name, status, c.at, at(f, c.at), f)
		}
	}
	status, head, f := call(t, s, "GET", "/admin/v1/routes/one", "")
	if status != 200 || at(f, "promotion.state") != "running" || at(f, "promotion.step") != "2" || at(f, "promotion.actor") != "anna@127.0.0.1" {
		t.Errorf("the route shows %v", f)
	}
	// It changes without the route's version.
	if status, _, _ := call(t, s, "GET", "/admin/v1/routes/one", "", "If-None-Match", head.Get("ETag")); status != 200 {
		t.Errorf("a promotion that goes on is not shown again: %d", status)
	}
	_, _, f = call(t, s, "GET", "/admin/v1/audit?route=one", "")
	if entries, _ := f["entries"].([]any); len(entries) != 1 {
		t.Errorf("the audit log has %v", f)
	}
}

func newClimbing(t *testing.T) *httptest.Server {
	t.Helper()
	db := dbtest.SQLite(t)
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err == nil {
		_, err = m.Up(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := routes.Parse("routes.yaml", []byte(climbing))
	if err != nil {
		t.Fatal(err)
	}
	p, err := proxy.New(t.Context(), proxy.Options{
		Config: c, Modules: map[string]http.Handler{"monolith": http.NotFoundHandler()}, Weights: weights.New(db), Promotions: promotion.New(db),
	})
	if err != nil {
		t.Fatal(err)
	}
	h, err := admin.New(admin.Options{Router: p, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(web.RequestIDs(h))
	t.Cleanup(s.Close)
	return s
}
