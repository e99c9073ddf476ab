package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/telemetry"
	"banyan/modules/kernel/web"
)

func newLog(out io.Writer) *logrus.Entry {
	log := logrus.New()
	log.SetOutput(out)
	log.SetFormatter(&logrus.JSONFormatter{})
	return log.WithField("service", "test")
}

func TestRequestIDs(t *testing.T) {
	for _, c := range []struct {
		name  string
		given []string
		kept  bool
	}{
		{"none", nil, false},
		{"sane", []string{"abc-123"}, true},
		{"64 characters", []string{strings.Repeat("a", 64)}, true},
		{"65 characters", []string{strings.Repeat("a", 65)}, false},
		{"empty", []string{""}, false},
		{"space", []string{"a b"}, false},
		{"line break", []string{"a\nb"}, false},
		{"not ASCII", []string{"ä"}, false},
		{"twice", []string{"a", "b"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var inContext, onRequest string
			h := web.RequestIDs(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				inContext, onRequest = web.RequestID(r.Context()), r.Header.Get(web.RequestIDHeader)
			}))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			if c.given != nil {
				r.Header[web.RequestIDHeader] = c.given
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			id := w.Header().Get(web.RequestIDHeader)
			if id == "" || id != inContext || id != onRequest {
				t.Errorf("the answer has %q, the context %q, the request %q", id, inContext, onRequest)
			}
			if kept := len(c.given) == 1 && id == c.given[0]; kept != c.kept {
				t.Errorf("%q became %q", c.given, id)
			}
		})
	}
}

// edge runs one request through everything and gives the answer and the log's lines.
func edge(t *testing.T, r *http.Request, h http.HandlerFunc) (*httptest.ResponseRecorder, []map[string]any) {
	t.Helper()
	var out bytes.Buffer
	w := httptest.NewRecorder()
	web.Edge{Log: newLog(&out), MaxBody: 100, Timeout: time.Second}.Wrap(h).ServeHTTP(w, r)
	var lines []map[string]any
	for text := range strings.Lines(out.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("a log line is not JSON: %s", text)
		}
		lines = append(lines, line)
	}
	return w, lines
}

func TestAccessLogNamesTheCauseButNoSecret(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/holds?token=secret-1", nil)
	r.Header.Set("X-Hold-Token", "secret-2")
	r.Header.Set("Authorization", "Bearer secret-3")
	w, lines := edge(t, r, func(w http.ResponseWriter, r *http.Request) {
		web.SetRoute(r.Context(), "/v1/holds")
		web.Fail(w, r, errs.E(errs.Unavailable, "try again").Because(errors.New("disk full")))
	})
	if len(lines) != 1 {
		t.Fatalf("%d lines for one request", len(lines))
	}
	for key, want := range map[string]any{
		"method": "POST", "path": "/v1/holds", "route": "/v1/holds", "status": 503.0,
		"code": "unavailable", "level": "error", "request_id": w.Header().Get(web.RequestIDHeader),
	} {
		if lines[0][key] != want {
			t.Errorf("%s is %v, not %v", key, lines[0][key], want)
		}
	}
	text, _ := json.Marshal(lines)
	if !bytes.Contains(text, []byte("disk full")) {
		t.Errorf("the cause is not in the log: %s", text)
	}
	if bytes.Contains(text, []byte("secret")) {
		t.Errorf("a secret is in the log: %s", text)
	}
	if strings.Contains(w.Body.String(), "disk full") {
		t.Errorf("the cause is shown to the caller: %s", w.Body)
	}
}

func TestRecover(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	w, lines := edge(t, r, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", "stale")
		panic("oh no")
	})
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"internal"`) || strings.Contains(w.Body.String(), "oh no") {
		t.Errorf("a panic is answered with %d %s", w.Code, w.Body)
	}
	if w.Header().Get("ETag") != "" {
		t.Error("the handler's header survives its panic")
	}
	if len(lines) != 2 || lines[0]["stack"] == nil || lines[1]["status"] != 500.0 {
		t.Errorf("the log has %v", lines)
	}
}

func TestTornAnswerCutsTheConnection(t *testing.T) {
	addr, _, _ := start(t, web.Edge{Log: newLog(io.Discard)}.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic("oh no")
	})), web.ServerOptions{})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr, nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("a torn answer looks whole: %q", body)
	}
}

func TestBodyIsBounded(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(`{"a":"`+strings.Repeat("x", 200)+`"}`))
	w, _ := edge(t, r, echo)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("200 bytes pass a bound of 100: %d %s", w.Code, w.Body)
	}
}

func TestRouterAnswersInProblems(t *testing.T) {
	router := web.NewRouter()
	router.HandleFunc("/a/{id}", func(http.ResponseWriter, *http.Request) {}).Methods("GET", "DELETE")
	for _, c := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"GET", "/a/1", 200, "", ""},
		{"GET", "/b", 404, "not_found", ""},
		{"GET", "//a/1", 404, "not_found", ""},
		{"POST", "/a/1", 405, "method_not_allowed", "GET, HEAD, DELETE"},
		{"BREW", "/a/1", 405, "method_not_allowed", "GET, HEAD, DELETE"},
		{"HEAD", "/a/1", 200, "", ""},
		{"HEAD", "/b", 404, "not_found", ""},
	} {
		w := httptest.NewRecorder()
		router.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.code) || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %s, Allow %q", c.method, c.path, w.Code, w.Body, w.Header().Get("Allow"))
		}
	}
}

func TestMetricLabelsAreBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	router := web.NewRouter()
	router.HandleFunc("/a/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Idempotency-Replayed", "true")
	}).Methods("GET")
	h := web.Edge{Metrics: web.NewMetrics(reg)}.Wrap(router)
	for _, target := range []string{"/a/1", "/a/2", "/x/1", "/x/2"} {
		for _, method := range []string{"GET", "BREW", "MAKE"} {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), method, target, nil))
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			got[f.GetName()+" "+strings.Join(labels, " ")] = m.GetHistogram().GetSampleCount() + uint64(m.GetCounter().GetValue())
		}
	}
	for name, want := range map[string]uint64{
		"http_server_request_duration_seconds GET 200 /a/{id}": 2,
		"http_server_request_duration_seconds _OTHER 405 none": 4,
		"http_server_request_duration_seconds GET 404 none":    2,
		"http_server_request_duration_seconds _OTHER 404 none": 4,
		"banyan_idempotent_replays_total ":                     2,
	} {
		if got[name] != want {
			t.Errorf("%s is %d, not %d; there are %v", name, got[name], want, got)
		}
	}
	if len(got) != 5 {
		t.Errorf("there are %d series: %v", len(got), got)
	}
}

func BenchmarkEdge(b *testing.B) {
	reg := prometheus.NewRegistry()
	log, err := telemetry.NewLog(io.Discard, "test", "info")
	if err != nil {
		b.Fatal(err)
	}
	h := web.Edge{Log: log, Metrics: web.NewMetrics(reg), MaxBody: 100, Timeout: time.Second}.
		Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
