package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/admin"
	"banyan/proxy/routes"
	"banyan/proxy/usage"
)

const sightsFile = `version: 1
backends:
  monolith: { kind: inproc, store: shared }
  flights:  { kind: http, url: "%s", store: shared }
routes:
  - id: flights
    match: { methods: [GET], paths: ["/v1/flights/{flight_id}"] }
    backends: { monolith: 100%%, flights: 0%% }
    shadow: { backend: flights, percent: 100%% }
`

// newSights serves the API of a router that counts and shadows.
func newSights(t *testing.T) (*proxy.Router, *httptest.Server) {
	t.Helper()
	says := func(price string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"price":"`+price+`","token":"hush"}`)
		})
	}
	away := httptest.NewServer(says("2"))
	t.Cleanup(away.Close)
	c, err := routes.Parse("routes.yaml", fmt.Appendf(nil, sightsFile, away.URL))
	if err != nil {
		t.Fatal(err)
	}
	u := usage.New(nil)
	p, err := proxy.New(t.Context(), proxy.Options{
		Config: c, Modules: map[string]http.Handler{"monolith": says("1")}, Observers: []proxy.Observer{u},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	h, err := admin.New(admin.Options{Router: p, Usage: u, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(web.RequestIDs(h))
	t.Cleanup(s.Close)
	return p, s
}

// TestSights: usage, differences and the export, as the API answers them.
func TestSights(t *testing.T) {
	p, s := newSights(t)
	for i := range 5 {
		p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("/v1/flights/%d?q=hush", i), nil))
	}
	text := waitFor(t, s, "/admin/v1/diffs?route=flights", `"different":5`)
	for _, part := range []string{`"path":"$.price"`, `"old":"\"1\""`, `"new":"\"2\""`} {
		if !strings.Contains(text, part) {
			t.Errorf("the differences lack %s: %s", part, text)
		}
	}
	if text := waitFor(t, s, "/admin/v1/usage?window=hour", `"requests":5`); !strings.Contains(text, `"template":"/v1/flights/{flight_id}"`) || strings.Contains(text, "hush") {
		t.Errorf("usage: %s", text)
	}
	waitFor(t, s, "/admin/v1/export/gateway-api?namespace=shop&gateway=edge&service=router&port=80", `"namespace":"shop"`)
	if status, _, f := call(t, s, http.MethodPost, "/admin/v1/diffs/flights:reset", ""); status != http.StatusOK || strings.Contains(fmt.Sprint(f), "different") {
		t.Errorf("a reset: %d %v", status, f)
	}
	for path, want := range map[string]int{
		"/admin/v1/usage?window=week":                       http.StatusBadRequest,
		"/admin/v1/usage?limit=0":                           http.StatusBadRequest,
		"/admin/v1/diffs?route=nope":                        http.StatusNotFound,
		"/admin/v1/diffs?nope=1":                            http.StatusBadRequest,
		"/admin/v1/export/gateway-api?namespace=No":         http.StatusBadRequest,
		"/admin/v1/export/gateway-api?gateway=":             http.StatusBadRequest,
		"/admin/v1/export/gateway-api?service=a&port=70000": http.StatusBadRequest,
	} {
		if status, _, f := call(t, s, http.MethodGet, path, ""); status != want {
			t.Errorf("%s: %d %v, want %d", path, status, f, want)
		}
	}
	if status, _, _ := call(t, s, http.MethodPost, "/admin/v1/diffs/nope:reset", ""); status != http.StatusNotFound {
		t.Errorf("resetting no route: %d", status)
	}
}

// waitFor polls until an answer has a text, and gives it.
func waitFor(t *testing.T, s *httptest.Server, path, text string) string {
	t.Helper()
	var last []byte
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		status, _, f := call(t, s, http.MethodGet, path, "")
		last, _ = json.Marshal(f)
		if status == http.StatusOK && strings.Contains(string(last), text) {
			return string(last)
		}
	}
	t.Fatalf("%s never has %s: %s", path, text, last)
	return ""
}
