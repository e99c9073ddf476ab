package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/handover/handovertest"
)

// application answers with its name; it has paths that the router has too.
func application(t *testing.T, name string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s", name, r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// text asks for a path and gives status and body.
func text(t *testing.T, url string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode, readAll(t, resp.Body)
}

// TestProxyRefuses what is wrong with its settings, all with exit code 2.
func TestProxyRefuses(t *testing.T) {
	bad := writeFile(t, "routes.yaml", "version: 1\nrouts: []\n")
	inproc := writeFile(t, "inproc.yaml", "version: 1\nbackends:\n  monolith: { kind: inproc }\n")
	for _, c := range []struct {
		name string
		args []string
		says []string
	}{
		{"proxy without a monolith", []string{}, []string{"there is no monolith", "--monolith"}},
		{"proxy with a bad monolith", []string{"--monolith", "here"}, []string{"http://127.0.0.1:3000"}},
		{"proxy with two answers", []string{"--monolith", "http://127.0.0.1:1", "--routes", bad}, []string{"both given"}},
		{"proxy with a bad file", []string{"--routes", bad}, []string{"routes.yaml:2"}},
		{"proxy with nothing behind it", []string{"--routes", inproc}, []string{"inproc.yaml:3: backend monolith is inproc"}},
		{"proxy that others reach", []string{"--monolith", "http://127.0.0.1:1", "--admin-listen", "0.0.0.0:0"}, []string{"--admin-token-file"}},
	} {
		for _, check := range []string{"--check=false", "--check"} { // both say the same
			code, _, stderr := command(t, nil, append([]string{"proxy", check}, c.args...)...)
			if code != 2 {
				t.Errorf("%s: exit code %d", c.name, code)
			}
			for _, words := range c.says {
				if !strings.Contains(stderr, words) {
					t.Errorf("%s: it does not say %q:\n%s", c.name, words, stderr)
				}
			}
		}
	}
}

// TestProxyCheck: good settings are told about, nothing is started or made, and an unsafe
// file has its own exit code.
func TestProxyCheck(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	good := fmt.Sprintf(twoSides, "http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3")
	unsafe := strings.Replace(good, "monolith: 100%, new: 0%", "monolith: 90%, new: 10%", 1)
	unsafe = strings.Replace(unsafe, ", store: orders }\nroutes", " }\nroutes", 1)
	for _, c := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"a file", []string{"--routes", writeFile(t, "routes.yaml", good)}, 0, []string{"is good", "1 routes, 2 backends", "http://127.0.0.1:1"}},
		{"a monolith", []string{"--monolith", "http://127.0.0.1:7"}, 0, []string{"is good", "http://127.0.0.1:7"}},
		{"as JSON", []string{"--monolith", "http://127.0.0.1:7", "-o", "json"}, 0, []string{`"valid": true`, `"backends": 1`}},
		{"an unsafe shift", []string{"--routes", writeFile(t, "unsafe.yaml", unsafe)}, 5, []string{"unsafe.yaml:8: route orders cannot be shifted", "the data would stay behind"}},
		{"everything at once", []string{"--routes", writeFile(t, "bad.yaml", "version: 2\nrouts: []\n"), "--listen", "here", "--log-level", "loud"}, 2, []string{"bad.yaml:1: version 2", `bad.yaml:2: the file has no key "routs": did you mean "routes"?`, "--listen", "--log-level"}},
	} {
		code, stdout, stderr := command(t, nil, append([]string{"proxy", "--check", "--data-dir", dir}, c.args...)...)
		if code != c.code {
			t.Errorf("%s: exit code %d: %s", c.name, code, stderr)
		}
		for _, words := range c.says {
			if !strings.Contains(stdout+stderr, words) {
				t.Errorf("%s: it does not say %q:\n%s%s", c.name, words, stdout, stderr)
			}
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the data directory was made")
	}
}

// TestProxyOwnPaths: on the public listener every path is the monolith's; the router's
// are beside the admin API, under its token but for /ping.
func TestProxyOwnPaths(t *testing.T) {
	s := runIn(t, "proxy", "--data-dir", t.TempDir(), "--monolith", application(t, "app"), "--admin-token", "s3cret")
	for _, path := range []string{"/", "/health", "/metrics", "/ping", "/version", "/docs", "/admin/v1/routes"} {
		if status, body := text(t, s.url+path); status != 200 || body != "app "+path {
			t.Errorf("%s of the monolith: %d %s", path, status, body)
		}
	}
	for _, path := range []string{"/admin/v1/routes", "/metrics", "/health", "/version"} {
		if status, body := text(t, s.admin+path); status != 401 || strings.Contains(body, "monolith") {
			t.Errorf("%s without the token: %d %s", path, status, body)
		}
		if status, _ := text(t, s.admin+path, "Authorization", "Bearer s3cre"); status != 401 {
			t.Errorf("%s with another token: %d", path, status)
		}
		if status, body := text(t, s.admin+path, "Authorization", "Bearer s3cret"); status != 200 {
			t.Errorf("%s with the token: %d %s", path, status, body)
		}
	}
	if status, _ := text(t, s.admin+"/ping"); status != 200 {
		t.Errorf("/ping: %d", status)
	}
	if status, body := text(t, s.admin+"/admin/v1/nonsense", "Authorization", "Bearer s3cret"); status != 404 || !strings.Contains(body, "not_found") {
		t.Errorf("an unknown path of the API: %d %s", status, body)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("the stop gives exit code %d", code)
	}
}

// TestProxyKeepsWeights over a restart, in the embedded database.
func TestProxyKeepsWeights(t *testing.T) {
	file := writeFile(t, "routes.yaml", fmt.Sprintf(twoSides, application(t, "old"), application(t, "new"), application(t, "new")))
	args := []string{"--data-dir", t.TempDir(), "--routes", file, "--log-level", "error"}
	s := runIn(t, "proxy", args...)
	if _, body := text(t, s.url+"/orders/7"); body != "old /orders/7" {
		t.Errorf("before: %s", body)
	}
	environ := []string{"BANYAN_ADMIN=" + s.admin}
	runSteps(t, environ, []step{
		{"routes flip orders --reason test", 0, "new 100%"},
		{"routes list", 0, "new unchecked (2 of 2)"},
		{"routes get orders", 0, "unchecked, 0 requests under way"},
		{"audit", 0, "test"},
	})
	s.stop()
	s = runIn(t, "proxy", args...)
	if _, body := text(t, s.url+"/orders/7"); body != "new /orders/7" {
		t.Errorf("after the restart: %s", body)
	}
}

const twoSides = `version: 1
backends:
  monolith: { kind: http, url: "%s", store: orders }
  new: { kind: http, urls: ["%s", "%s"], store: orders }
routes:
  - id: orders
    match: { paths: ["/orders/{id}"] }
    backends: { monolith: 100%%, new: 0%% }
    hashOn: [ path:id ]
`

// TestProxyReplicas: two on one MySQL see each other's weights.
func TestProxyReplicas(t *testing.T) {
	dsn := dbtest.MySQLDSN(t)
	file := writeFile(t, "routes.yaml", fmt.Sprintf(twoSides, application(t, "old"), application(t, "new"), application(t, "new")))
	args := []string{"--mysql-dsn", dsn, "--routes", file, "--log-level", "error"}
	one, two := runIn(t, "proxy", args...), runIn(t, "proxy", args...)
	for i, weight := range []string{"100%", "0%", "100%"} {
		from, to := one, two
		if i%2 == 1 {
			from, to = two, one
		}
		runSteps(t, []string{"BANYAN_ADMIN=" + from.admin}, []step{{"routes set-weight orders " + weight + " --reason test", 0, ""}})
		want := map[string]string{"100%": "new", "0%": "old"}[weight] + " /orders/7"
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if _, body := text(t, to.url+"/orders/7"); body == want {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the other replica does not see %s", weight)
			}
		}
	}
}

// TestProxyMovesData: a stateful route whose two sides are both services elsewhere.
func TestProxyMovesData(t *testing.T) {
	home, away := handovertest.NewMemory(), handovertest.NewMemory()
	for b := range bucket.Count {
		home.Own(0, b)
	}
	homeURL, awayURL := participant(t, home).URL, participant(t, away).URL
	file := writeFile(t, "routes.yaml", fmt.Sprintf(`version: 1
backends:
  monolith: { kind: http, url: "%s", timeout: 20s }
  reservations: { kind: http, url: "%s", timeout: 20s }
routes:
  - id: orders
    match: { paths: ["/orders/{id}"] }
    stateful: { aggregate: [ path:id ], participant: reservations }
    backends: { monolith: 100%%, reservations: 0%% }
`, homeURL, awayURL))
	s := runIn(t, "proxy", "--data-dir", t.TempDir(), "--routes", file, "--participant-token", "t0ken", "--log-level", "error")
	runSteps(t, []string{"BANYAN_ADMIN=" + s.admin}, []step{
		{"routes set-weight orders 0.1% --reason test --wait", 0, ""},
		{"moves list", 0, "reservations"},
		{"routes get orders", 0, "0.1%"},
	})
}
