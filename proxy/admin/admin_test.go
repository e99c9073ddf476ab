package admin_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	migrations "banyan/migrations/proxy"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/admin"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

const file = `version: 1
backends:
  monolith: { kind: inproc, store: shared }
  flights:  { kind: http, url: "http://127.0.0.1:1", store: shared }
  apart:    { kind: http, url: "http://127.0.0.1:2" }
routes:
  - { id: flights, match: { paths: [/v1/flights] }, backends: { monolith: 95%, flights: 5% } }
  - { id: bookings, match: { paths: [/v1/holds] }, backends: { monolith: 100%, apart: 0% } }
`

// newAPI serves the API of a router with a database.
func newAPI(t *testing.T, listen, token string) *httptest.Server {
	t.Helper()
	db := dbtest.SQLite(t)
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := routes.Parse("routes.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	p, err := proxy.New(t.Context(), proxy.Options{
		Config: c, Modules: map[string]http.Handler{"monolith": http.NotFoundHandler()}, Weights: weights.New(db),
	})
	if err != nil {
		t.Fatal(err)
	}
	h, err := admin.New(admin.Options{Router: p, Listen: listen, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(web.RequestIDs(h))
	t.Cleanup(s.Close)
	return s
}

// call sends a request and gives status, header and the answer's fields.
func call(t *testing.T, s *httptest.Server, method, path, body string, header ...string) (int, http.Header, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	fields := map[string]any{}
	if len(text) > 0 && json.Unmarshal(text, &fields) != nil {
		t.Fatalf("%s %s answered %q", method, path, text)
	}
	return resp.StatusCode, resp.Header, fields
}

func effective(t *testing.T, s *httptest.Server) string {
	t.Helper()
	_, _, f := call(t, s, http.MethodGet, "/admin/v1/routes/flights", "")
	w, _ := f["weights"].(map[string]any)
	e, _ := w["effective"].(map[string]any)
	return fmt.Sprint(e["flights"])
}

func TestChangeAndAudit(t *testing.T) {
	s := newAPI(t, "127.0.0.1:0", "")
	status, header, f := call(t, s, http.MethodGet, "/admin/v1/routes/flights", "")
	tag := header.Get("ETag")
	if status != http.StatusOK || tag == "" || f["home"] != "monolith" {
		t.Fatalf("got %d, ETag %q, %v", status, tag, f)
	}
	if status, _, _ := call(t, s, http.MethodGet, "/admin/v1/routes/flights", "", "If-None-Match", tag); status != http.StatusNotModified {
		t.Errorf("a second look got %d", status)
	}
	status, header, f = call(t, s, http.MethodPatch, "/admin/v1/routes/flights", `{"weights":{"flights":"25%"},"reason":"try"}`,
		"If-Match", tag, "X-Banyan-Actor", "ada", "X-Request-Id", "id-9")
	if status != http.StatusOK || header.Get("ETag") == tag || effective(t, s) != "25%" {
		t.Fatalf("the change got %d, %v", status, f)
	}
	if change, _ := f["change"].(map[string]any); change["moves"] != "20%" {
		t.Errorf("it tells of the change: %v", f["change"])
	}
	status, _, f = call(t, s, http.MethodPatch, "/admin/v1/routes/flights", `{"weights":{"flights":"30%"},"reason":"late"}`, "If-Match", tag)
	if status != http.StatusPreconditionFailed || f["code"] != string(errs.PreconditionFailed) || effective(t, s) != "25%" {
		t.Errorf("a stale change got %d, %v", status, f)
	}
	status, _, _ = call(t, s, http.MethodPost, "/admin/v1/routes/flights:flip?dryRun=true", "")
	if status != http.StatusOK || effective(t, s) != "25%" {
		t.Errorf("a dry run got %d and left %s", status, effective(t, s))
	}
	for _, step := range []struct{ action, want string }{{"flip", "100%"}, {"flip", "0%"}, {"flip", "100%"}, {"rollback", "0%"}} {
		status, _, f := call(t, s, http.MethodPost, "/admin/v1/routes/flights:"+step.action, `{"reason":"go on"}`)
		if status != http.StatusOK || effective(t, s) != step.want {
			t.Errorf("%s got %d, %v, now %s, want %s", step.action, status, f, effective(t, s), step.want)
		}
	}
	auditPages(t, s)
}

func auditPages(t *testing.T, s *httptest.Server) {
	t.Helper()
	cursor, actions := "", ""
	for range 10 {
		_, _, f := call(t, s, http.MethodGet, "/admin/v1/audit?limit=2&route=flights"+cursor, "")
		entries, _ := f["entries"].([]any)
		for _, e := range entries {
			line, _ := e.(map[string]any)
			actions += fmt.Sprint(line["action"], " ")
			if line["action"] == "set" && (line["actor"] != "ada@127.0.0.1" || line["reason"] != "try" || line["request_id"] != "id-9") {
				t.Errorf("the log has %v", line)
			}
		}
		if f["next_cursor"] == "" {
			break
		}
		cursor = fmt.Sprint("&cursor=", f["next_cursor"])
	}
	if actions != "rollback flip flip flip set " {
		t.Errorf("the log, newest first: %s", actions)
	}
}

// TestRefusals: each is a problem that says what was wrong, and nothing has changed.
func TestRefusals(t *testing.T) {
	s := newAPI(t, "127.0.0.1:0", "")
	const route, reason = "/admin/v1/routes/flights", `,"reason":"r"}`
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code                     errs.Code
	}{
		{"no reason", "PATCH", route, `{"weights":{"flights":"25%"}}`, 400, errs.Invalid},
		{"blank reason", "PATCH", route, `{"weights":{"flights":"25%"},"reason":"  "}`, 400, errs.Invalid},
		{"control character", "PATCH", route, `{"weights":{"flights":"25%"},"reason":"a\nb"}`, 400, errs.Invalid},
		{"no weights", "PATCH", route, `{"weights":{}` + reason, 400, errs.Invalid},
		{"no sign", "PATCH", route, `{"weights":{"flights":"25"}` + reason, 400, errs.Invalid},
		{"number", "PATCH", route, `{"weights":{"flights":25}` + reason, 400, errs.Invalid},
		{"above", "PATCH", route, `{"weights":{"flights":"101%"}` + reason, 400, errs.Invalid},
		{"sum", "PATCH", route, `{"weights":{"flights":"60%","monolith":"60%"}` + reason, 400, errs.Invalid},
		{"unknown backend", "PATCH", route, `{"weights":{"x":"1%"}` + reason, 400, errs.Invalid},
		{"unknown field", "PATCH", route, `{"weight":"1%"` + reason, 400, errs.UnknownField},
		{"unknown parameter", "PATCH", route + "?dry=1", `{"weights":{"flights":"1%"}` + reason, 400, errs.UnknownField},
		{"no JSON", "PATCH", route, `25%`, 400, errs.Invalid},
		{"empty", "POST", route + ":flip", ``, 400, errs.Invalid},
		{"weights of a flip", "POST", route + ":flip", `{"weights":{"flights":"1%"}` + reason, 400, errs.Invalid},
		{"unknown route", "POST", "/admin/v1/routes/x:rollback", `{"reason":"r"}`, 404, errs.NotFound},
		{"unknown action", "POST", route + ":promenade", `{"reason":"r"}`, 404, errs.NotFound},
		{"method", "PUT", route, `{}`, 405, errs.MethodNotAllowed},
		{"unsafe", "PATCH", "/admin/v1/routes/bookings", `{"weights":{"apart":"1%"}` + reason, 409, errs.Unsafe},
		{"unsafe flip", "POST", "/admin/v1/routes/bookings:flip", `{"reason":"r"}`, 409, errs.Unsafe},
		{"unsafe dry run", "POST", "/admin/v1/routes/bookings:flip?dryRun=true", ``, 409, errs.Unsafe},
		{"cursor", "GET", "/admin/v1/audit?cursor=x", ``, 400, errs.Invalid},
		{"limit", "GET", "/admin/v1/audit?limit=1000", ``, 400, errs.Invalid},
	} {
		status, header, f := call(t, s, c.method, c.path, c.body)
		if status != c.status || f["code"] != string(c.code) || header.Get("Content-Type") != web.ProblemType || f["detail"] == "" {
			t.Errorf("%s: %d %v, want %d %s", c.name, status, f, c.status, c.code)
		}
	}
	if got := effective(t, s); got != "5%" {
		t.Errorf("flights has %s", got)
	}
	if _, _, f := call(t, s, http.MethodGet, "/admin/v1/audit", ""); len(f["entries"].([]any)) != 0 {
		t.Errorf("the log has %v", f["entries"])
	}
}

func TestToken(t *testing.T) {
	if _, err := admin.New(admin.Options{Listen: "0.0.0.0:8090"}); errs.CodeOf(err) != errs.Invalid {
		t.Errorf("no token on a public listener: %v", err)
	}
	s := newAPI(t, "0.0.0.0:8090", "s3cret")
	for given, want := range map[string]int{
		"": 401, "Bearer": 401, "Bearer ": 401, "Bearer s3cre": 401, "Bearer s3cret2": 401, "Basic s3cret": 401, "s3cret": 401,
		"Bearer s3cret": 200, "bearer s3cret": 200,
	} {
		for _, path := range []string{"/admin/v1/routes", "/admin/v1/audit"} {
			status, header, f := call(t, s, http.MethodGet, path, "", "Authorization", given)
			if status != want || (status == 401 && (f["code"] != string(errs.Unauthorized) || header.Get("WWW-Authenticate") == "")) {
				t.Errorf("%q got %d %v, want %d", given, status, f, want)
			}
		}
	}
	if status, _, _ := call(t, s, http.MethodGet, "/nothing", ""); status != http.StatusUnauthorized {
		t.Errorf("an unknown path without the token got %d", status)
	}
}

// TestPagesOfOthers: what an operator's browser is made to send has no effect.
func TestPagesOfOthers(t *testing.T) {
	s := newAPI(t, "127.0.0.1:0", "")
	for _, header := range [][]string{
		{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Host", "evil.example"},
	} {
		status, _, f := call(t, s, http.MethodPost, "/admin/v1/routes/flights:flip", `{"reason":"x"}`, header...)
		if status != http.StatusForbidden {
			t.Errorf("%v got %d %v", header, status, f)
		}
	}
	if got := effective(t, s); got != "5%" {
		t.Errorf("flights has %s", got)
	}
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:8090": true, "127.9.9.9:1": true, "[::1]:80": true, "localhost:1": true, "localhost": true, "[::ffff:127.0.0.1]:1": true,
		":8090": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "127.0.0.1.evil.example:1": false, "": false,
	} {
		if got := admin.Loopback(addr); got != want {
			t.Errorf("Loopback(%q) = %t", addr, got)
		}
	}
}
