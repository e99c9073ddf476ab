package admin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	migrations "banyan/migrations/proxy"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/admin"
	"banyan/proxy/playbook"
)

const greeting = "# Greet\n```sh\nexport WHO=${WHO:-you}\nexport RUN_COMMAND=${RUN_COMMAND:-true}\nexport API=${API:-http://nowhere}\n```\n" +
	"## 1. Say\n```sh\necho \"hello $WHO from ${SECRET_OF_SERVER:-nobody} at $API\"\n```\n"

// newPages serves the API with a page that greets and one that needs a person.
func newPages(t *testing.T, allow bool) *httptest.Server {
	t.Helper()
	db := dbtest.SQLite(t)
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	library, err := playbook.NewLibrary(fstest.MapFS{
		"greet.md":  {Data: []byte(greeting)},
		"person.md": {Data: []byte("# P\n## 1. One\n**By hand**: go there.\n")},
		"README.md": {Data: []byte("no page")},
	})
	if err != nil {
		t.Fatal(err)
	}
	host := playbook.NewHost(playbook.HostOptions{
		Library: library, Journal: playbook.NewStore(db), Allow: allow, Environ: []string{"PATH=" + os.Getenv("PATH"), "API=http://here"},
	})
	done := make(chan struct{})
	go func() { defer close(done); host.Run(t.Context()) }()
	t.Cleanup(func() { <-done }) // the test's context has ended by then
	router, err := proxy.New(t.Context(), proxy.Options{Modules: map[string]http.Handler{"monolith": http.NotFoundHandler()}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := admin.New(admin.Options{Router: router, Listen: "127.0.0.1:0", Playbooks: host})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(web.RequestIDs(h))
	t.Cleanup(s.Close)
	return s
}

// TestHostedRun: a page runs on the server, with the server's variables and no others.
func TestHostedRun(t *testing.T) {
	t.Setenv("SECRET_OF_SERVER", "hush")
	s := newPages(t, true)
	status, _, f := call(t, s, "POST", "/admin/v1/playbooks/greet:run", `{"reason":"try","set":{"WHO":"ada"}}`, "X-Banyan-Actor", "ada")
	if status != http.StatusAccepted || f["actor"] != "ada@127.0.0.1" {
		t.Fatalf("got %d %v", status, f)
	}
	path := fmt.Sprint("/admin/v1/playbooks/runs/", f["id"])
	for deadline := time.Now().Add(30 * time.Second); f["state"] == "running"; time.Sleep(20 * time.Millisecond) {
		if _, _, f = call(t, s, "GET", path, ""); time.Now().After(deadline) {
			t.Fatal("it does not end")
		}
	}
	steps, _ := f["steps"].([]any)
	if f["state"] != "done" || len(steps) != 2 || steps[1].(map[string]any)["output"] != "hello ada from nobody at http://here" {
		t.Errorf("the run is %v", f)
	}
	_, _, f = call(t, s, "GET", "/admin/v1/playbooks", "")
	if list, _ := f["playbooks"].([]any); len(list) != 2 || f["runs_allowed"] != true {
		t.Errorf("the list is %v", f)
	}
	_, _, f = call(t, s, "GET", "/admin/v1/playbooks/runs?name=greet&limit=5", "")
	if list, _ := f["runs"].([]any); len(list) != 1 {
		t.Errorf("the runs are %v", f)
	}
}

// TestHostedRefusals: nothing that a caller sends is executed.
func TestHostedRefusals(t *testing.T) {
	off, on := newPages(t, false), newPages(t, true)
	for name, c := range map[string]struct {
		server     *httptest.Server
		page, body string
		status     int
		code       errs.Code
	}{
		"not allowed":      {off, "greet", `{"reason":"r"}`, 403, errs.Forbidden},
		"no reason":        {on, "greet", `{}`, 400, errs.Invalid},
		"unknown page":     {on, "other", `{"reason":"r"}`, 404, errs.NotFound},
		"not a page":       {on, "README", `{"reason":"r"}`, 404, errs.NotFound},
		"a path":           {on, "..%2Fgreet", `{"reason":"r"}`, 404, errs.NotFound},
		"text of its own":  {on, "greet", `{"reason":"r","commands":"id"}`, 400, errs.UnknownField},
		"by hand":          {on, "person", `{"reason":"r"}`, 409, errs.Unsafe},
		"substitution":     {on, "greet", `{"reason":"r","set":{"WHO":"$(id)"}}`, 400, errs.Invalid},
		"quote":            {on, "greet", `{"reason":"r","set":{"WHO":"a\";id;\""}}`, 400, errs.Invalid},
		"option":           {on, "greet", `{"reason":"r","set":{"WHO":"--help"}}`, 400, errs.Invalid},
		"address":          {on, "greet", `{"reason":"r","set":{"WHO":"file:///etc/passwd"}}`, 400, errs.Invalid},
		"line":             {on, "greet", `{"reason":"r","set":{"WHO":"a\nb"}}`, 400, errs.Invalid},
		"variable of its":  {on, "greet", `{"reason":"r","set":{"API":"elsewhere"}}`, 403, errs.Forbidden},
		"path of programs": {on, "greet", `{"reason":"r","set":{"PATH":"x"}}`, 403, errs.Forbidden},
		"a command":        {on, "greet", `{"reason":"r","set":{"RUN_COMMAND":"id"}}`, 403, errs.Forbidden},
		"undeclared":       {on, "greet", `{"reason":"r","set":{"LD_PRELOAD":"x"}}`, 400, errs.Invalid},
		"unknown step":     {on, "greet", `{"reason":"r","from":"7"}`, 400, errs.Invalid},
	} {
		status, _, f := call(t, c.server, "POST", "/admin/v1/playbooks/"+c.page+":run", c.body)
		if status != c.status || f["code"] != string(c.code) {
			t.Errorf("%s: %d %v, not %d %s", name, status, f, c.status, c.code)
		}
	}
	for _, s := range []*httptest.Server{off, on} {
		if _, _, f := call(t, s, "GET", "/admin/v1/playbooks/runs", ""); len(f["runs"].([]any)) != 0 {
			t.Errorf("something was begun: %v", f)
		}
	}
}

// TestJournalOfOthers: the journal's own endpoints, as the command uses them.
func TestJournalOfOthers(t *testing.T) {
	s := newPages(t, false)
	_, _, f := call(t, s, "POST", "/admin/v1/playbooks/runs", `{"name":"greet","file":"greet.md","title":"T","digest":"d","total":2}`)
	path := fmt.Sprint("/admin/v1/playbooks/runs/", f["id"])
	for i, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/admin/v1/playbooks/runs", `{"name":"greet"}`, 412},
		{"POST", "/admin/v1/playbooks/runs", `{"name":"../x"}`, 400},
		{"PATCH", path, `{"attempt":1,"step":"1","state":"running"}`, 204},
		{"PATCH", path, `{"attempt":1,"step":"1","state":"nonsense"}`, 400},
		{"PATCH", path, `{"attempt":1,"step":"1","state":"done","variables":{"A":"` + strings.Repeat("x", playbook.MaxVariables) + `"}}`, 400},
		{"PATCH", path, `{"attempt":2,"step":"1","state":"done"}`, 412},
		{"POST", path + ":take", `{"attempt":1}`, 200},
		{"POST", path + ":take", `{"attempt":1}`, 412},
		{"PATCH", path, `{"attempt":2,"state":"done"}`, 204},
		{"GET", path + "?x=1", ``, 400},
		{"GET", "/admin/v1/playbooks/runs/greet-999", ``, 404},
		{"GET", "/admin/v1/playbooks/runs?limit=1000", ``, 400},
		{"POST", "/admin/v1/playbooks/greet:run", `{"reason":"r"}`, 403},
	} {
		if status, _, f := call(t, s, c.method, c.path, c.body); status != c.status {
			t.Errorf("%d: %s %s got %d %v, not %d", i, c.method, c.path, status, f, c.status)
		}
	}
}
