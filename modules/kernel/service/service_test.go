package service_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-sql-driver/mysql"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/openapi"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
)

func TestContextDSN(t *testing.T) {
	for _, c := range []struct{ base, want string }{
		{"u:p@tcp(h:1)/banyan", "u:p@tcp(h:1)/banyan_flights"},
		{"u:p@tcp(h:1)/banyan?tls=true", "u:p@tcp(h:1)/banyan_flights?tls=true"},
		{"u:p@tcp(h:1)/", ""},
		{"u:p@tcp(h:1)/a`b", ""},
		{"u:p@tcp(h:1)", ""},
		{"hush", ""},
	} {
		got, err := service.ContextDSN(c.base, "flights")
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s becomes %s, %v", c.base, got, err)
		}
		if err != nil && (errs.CodeOf(err) != errs.Invalid || strings.Contains(err.Error(), "hush")) {
			t.Errorf("%s: %v", c.base, err)
		}
	}
}

func TestSchemaIsCreatedAndMigrated(t *testing.T) {
	base := dbtest.MySQLDSN(t)
	files := fstest.MapFS{"00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (id BIGINT);\n-- +goose Down\nDROP TABLE a;\n")}}
	const replicas = 4 // that start at once
	opened := make(chan error, replicas)
	for range replicas {
		go func() {
			db, err := service.OpenContext(t.Context(), base, "flights", files, true)
			if err == nil {
				_, err = db.Writer().ExecContext(t.Context(), "INSERT INTO a (id) VALUES (1)")
				err = errors.Join(err, db.Close())
			}
			opened <- err
		}()
	}
	for range replicas {
		if err := <-opened; err != nil {
			t.Error(err)
		}
	}
}

func TestAccountThatMayNotCreateIsToldWhatToDo(t *testing.T) {
	base := dbtest.MySQLDSN(t)
	cfg, err := mysql.ParseDSN(base)
	if err != nil {
		t.Fatal(err)
	}
	root, err := sql.Open("mysql", base)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	user := "u" + cfg.DBName[len(cfg.DBName)-16:]
	if _, err := root.ExecContext(t.Context(), "CREATE USER "+user+" IDENTIFIED BY 'hush'"); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: the test's account may not make users: %v", err)
	}
	defer func() { _, _ = root.ExecContext(context.WithoutCancel(t.Context()), "DROP USER "+user) }()
	cfg.User, cfg.Passwd = user, "hush"
	_, err = service.OpenContext(t.Context(), cfg.FormatDSN(), "flights", fstest.MapFS{}, false)
	if errs.CodeOf(err) != errs.PreconditionFailed || !strings.Contains(service.Explain(err), "grant it to "+user) || strings.Contains(service.Explain(err), "hush") {
		t.Errorf("it says %v", err)
	}
	cfg.Addr = "127.0.0.1:1"
	if _, err := service.OpenContext(t.Context(), cfg.FormatDSN(), "flights", fstest.MapFS{}, false); errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("a server that is not there: %v", err)
	}
}

func TestCommonPathsAreDescribed(t *testing.T) {
	svc, err := service.New("test", "info", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	late := errors.New("late")
	svc.Follows("flights", func() (float64, error) { return 1.5, late })
	r := web.NewRouter()
	if err := svc.MountCommon(r, "Test", "A test."); err != nil {
		t.Fatal(err)
	}
	openapi.CheckRouter(t, openapi.Common, r)
	for path, want := range map[string]string{
		"/health": `"status":"warn"`, "/metrics": `banyan_feed_lag_seconds{source="flights"} 1.5`, "/version": `"service":"test"`,
	} {
		w := httptest.NewRecorder()
		svc.Edge().Wrap(r).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d, without %s", path, w.Code, want)
		}
	}
}

func TestExitCodeOfRun(t *testing.T) {
	var stderr strings.Builder
	code := service.Run(t.Context(), "test", service.Process{Stderr: &stderr}, func(context.Context, service.Process) error {
		return errs.E(errs.Unsafe, "it would lose data").Because(errors.New("why"))
	})
	if code != 5 || stderr.String() != "test: it would lose data\n  cause: why\n" {
		t.Errorf("%d %q", code, stderr.String())
	}
}
