package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/health"
	"banyan/modules/kernel/sqldb"
)

type answer struct {
	Status string
	Output *string
	Checks map[string][]struct {
		ComponentType, ObservedUnit, Status, Time string
		ObservedValue                             any
		Output                                    *string
	}
}

func ask(t *testing.T, h *health.Health) (int, answer, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/health", nil))
	if got := w.Header().Get("Content-Type"); got != "application/health+json" {
		t.Errorf("the type is %q", got)
	}
	if got := w.Header().Get("Cache-Control"); !strings.HasPrefix(got, "max-age=") {
		t.Errorf("Cache-Control is %q", got)
	}
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return w.Code, a, w.Body.String()
}

func is(s health.Status) health.Check {
	return health.Check{Name: string(s) + ":is", ComponentType: "component", Run: func(context.Context) health.Result {
		return health.Result{Status: s, Output: "so"}
	}}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		checks []health.Check
		code   int
		status string
	}{
		{nil, 200, "pass"},
		{[]health.Check{is(health.Pass)}, 200, "pass"},
		{[]health.Check{is(health.Pass), is(health.Warn)}, 200, "warn"},
		{[]health.Check{is(health.Fail), is(health.Warn)}, 503, "fail"},
	} {
		code, a, _ := ask(t, health.New("test", "v", c.checks...))
		if code != c.code || a.Status != c.status || len(a.Checks) != len(c.checks) || a.Output == nil {
			t.Errorf("%d checks: %d %+v", len(c.checks), code, a)
		}
	}
}

func TestDatabaseIsReallyTouched(t *testing.T) {
	db := dbtest.SQLite(t)
	ping := health.Database(db)
	if err := ping(t.Context()); err == nil {
		t.Error("a database without a schema is ready")
	}
	m, err := sqldb.NewMigrator(db, fstest.MapFS{"00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (id BIGINT);\n-- +goose Down\nDROP TABLE a;\n")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := health.New("test", "v", health.Responds("db", "datastore", ping, nil))
	code, a, _ := ask(t, h)
	if code != 200 || len(a.Checks["db:responseTime"]) != 1 {
		t.Fatalf("%d %+v", code, a)
	}
	c := a.Checks["db:responseTime"][0]
	if _, err := time.Parse(time.RFC3339, c.Time); err != nil || c.ObservedUnit != "ms" || c.ObservedValue == nil || c.ComponentType != "datastore" || c.Output == nil {
		t.Errorf("the check is %+v", c)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	h.Add(is(health.Pass)) // forgets the fresh answer
	if code, _, _ := ask(t, h); code != 503 {
		t.Errorf("with its database closed the service answers %d", code)
	}
}

func TestFailureTellsNoAddress(t *testing.T) {
	var logged error
	ping := func(context.Context) error { return errors.New("dial tcp 10.1.2.3:3306: refused") }
	_, _, body := ask(t, health.New("test", "v", health.Responds("db", "datastore", ping, func(err error) { logged = err })))
	if strings.Contains(body, "10.1.2.3") {
		t.Errorf("an address is shown: %s", body)
	}
	if logged == nil {
		t.Error("the failure is not logged")
	}
}

func TestDrainFailsAtOnce(t *testing.T) {
	h := health.New("test", "v", is(health.Pass))
	ask(t, h)
	h.Drain()
	if code, _, _ := ask(t, h); code != 503 {
		t.Errorf("a service that stops answers %d", code)
	}
}

func TestChecksAreBoundedAndShared(t *testing.T) {
	var runs atomic.Int32
	h := health.New("test", "v", health.Check{Name: "stuck:is", Run: func(context.Context) health.Result {
		runs.Add(1)
		<-t.Context().Done() // whatever its own context says
		return health.Result{Status: health.Pass}
	}})
	begun := time.Now()
	answers := make(chan int, 20)
	for range cap(answers) {
		go func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/health", nil))
			answers <- w.Code
		}()
	}
	for range cap(answers) {
		if code := <-answers; code != 503 {
			t.Errorf("a check that hangs gives %d", code)
		}
	}
	if took := time.Since(begun); took > 5*time.Second || runs.Load() != 1 {
		t.Errorf("20 callers waited %s for %d runs", took, runs.Load())
	}
}
