package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/service"
)

func TestServes(t *testing.T) {
	address := freePort(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		ended <- service.Run(ctx, name, service.Process{
			Args: []string{"--listen", address}, Environ: []string{"BANYAN_MYSQL_DSN=" + dbtest.MySQLDSN(t)},
			Stdout: io.Discard, Stderr: &stderr,
		}, run)
	}()
	waitFor(t, "http://"+address+"/health")
	for path, want := range map[string]int{
		"/ping": 200, "/metrics": 200, "/version": 200, "/openapi.json": 200, "/docs": 200,
		"/v1/flights": 200, "/v1/flights/AA1-JFK-20200101": 404, "/events/flights": 200, "/v1/holds/h": 404,
	} {
		if got := get(t, "http://"+address+path); got != want {
			t.Errorf("GET %s: %d, not %d", path, got, want)
		}
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("the stop gives exit code %d: %s", code, stderr.String())
	}
}

func TestBadSettingsAreReportedTogether(t *testing.T) {
	var stderr bytes.Buffer
	code := service.Run(t.Context(), name, service.Process{
		Args: []string{"--listen", "8081", "--nope", "--drain-delay", "x", "more"}, Environ: []string{"BANYAN_MYSQL=root:hush@x"},
		Stdout: io.Discard, Stderr: &stderr,
	}, run)
	for _, want := range []string{"--listen", "--nope", "--drain-delay", `"more"`, "BANYAN_MYSQL:", "--mysql-dsn: it is missing"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("the report lacks %s:\n%s", want, stderr.String())
		}
	}
	if code != 2 || strings.Contains(stderr.String(), "hush") {
		t.Errorf("exit code %d:\n%s", code, stderr.String())
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func waitFor(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if get(t, url) == 200 {
			return
		}
	}
	t.Fatalf("%s does not become ready", url)
}

func get(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode
}
