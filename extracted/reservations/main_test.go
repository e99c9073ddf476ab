package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/service"
)

// events is a flights service that has published one flight.
func events(t *testing.T) string {
	t.Helper()
	const all = `[{"seq":1,"eventId":"flights-1","type":"configuration.published","time":"2026-11-21T00:00:00Z",
		"data":{"configuration":"TEST-2.1","seats":["1A","1B"]}},
		{"seq":2,"eventId":"flights-2","type":"flight.scheduled","time":"2026-11-21T00:00:00Z",
		"data":{"flights":[{"flight_id":"AA34-JFK-20261121","designator":"AA34","date":"2026-11-21","configuration":"TEST-2.1","status":"SCHEDULED"}]}}]`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("since") == "" {
			_, _ = io.WriteString(w, all)
			return
		}
		_, _ = io.WriteString(w, "[]")
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestServes(t *testing.T) {
	for _, c := range []struct {
		name    string
		environ func(*testing.T) []string
		holds   int // the status of a hold
	}{
		{"on a schema of its own", func(t *testing.T) []string {
			return []string{"BANYAN_MYSQL_DSN=" + dbtest.MySQLDSN(t), "BANYAN_FLIGHTS_URL=" + events(t), "BANYAN_OWN=true"}
		}, 201},
		{"on a shared schema, whose flights are the monolith's", func(t *testing.T) []string {
			return []string{"BANYAN_MYSQL_DSN=" + dbtest.MySQLDSN(t)}
		}, 421},
		{"on Redis", func(t *testing.T) []string {
			return []string{"BANYAN_REDIS_ADDR=" + dbtest.StartRedis(t).Addr, "BANYAN_FLIGHTS_URL=" + events(t), "BANYAN_OWN=true"}
		}, 201},
		{"on Redis by TLS", func(t *testing.T) []string {
			addr, cert, key := dbtest.SecureRedis(t)
			return []string{
				"BANYAN_REDIS_ADDR=" + addr, "BANYAN_REDIS_TLS=true", "BANYAN_REDIS_CA=" + cert, "BANYAN_REDIS_CERT=" + cert, "BANYAN_REDIS_KEY=" + key,
				"BANYAN_FLIGHTS_URL=" + events(t), "BANYAN_OWN=true",
			}
		}, 201},
		{"on a Redis to which nothing was handed over yet", func(t *testing.T) []string {
			return []string{"BANYAN_REDIS_ADDR=" + dbtest.StartRedis(t).Addr, "BANYAN_FLIGHTS_URL=" + events(t)}
		}, 421},
	} {
		t.Run(c.name, func(t *testing.T) { serves(t, c.environ(t), c.holds) })
	}
}

// start runs the program until the test ends, or until the function it gives is called.
func start(t *testing.T, environ []string) (url string, stop func()) {
	t.Helper()
	address := freePort(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		ended <- service.Run(ctx, name, service.Process{
			Args: []string{"--listen", address}, Environ: environ, Stdout: io.Discard, Stderr: &stderr,
		}, run)
	}()
	url = "http://" + address
	waitFor(t, url+"/health", 200)
	return url, func() {
		cancel()
		if code := <-ended; code != 0 || strings.Contains(stderr.String(), "hush") {
			t.Errorf("the stop gives exit code %d: %s", code, stderr.String())
		}
	}
}

func serves(t *testing.T, environ []string, holds int) {
	t.Helper()
	url, stop := start(t, environ)
	defer stop()
	if holds == 201 {
		waitFor(t, url+"/v1/flights/AA34-JFK-20261121/seats", 200)
	}
	for range 2 {
		if got := hold(t, url); got != holds {
			t.Errorf("a hold gives %d, not %d", got, holds)
		}
	}
	for path, want := range map[string]int{
		"/ping": 200, "/metrics": 200, "/version": 200, "/openapi.json": 200, "/docs": 200, "/v1/airports": 404,
	} {
		if got := get(t, url+path); got != want {
			t.Errorf("GET %s: %d, not %d", path, got, want)
		}
	}
}

func hold(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/flights/AA34-JFK-20261121/holds",
		strings.NewReader(`{"seats":["1A"],"customer_id":"ann"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "k")
	return do(t, req)
}

func TestBadSettings(t *testing.T) {
	for _, c := range []struct {
		name    string
		environ []string
		code    int
		says    string
	}{
		{"no store", nil, 2, "there is no store"},
		{"two stores", []string{"BANYAN_MYSQL_DSN=u:hush@tcp(h:1)/b", "BANYAN_REDIS_ADDR=h:1"}, 2, "keep one"},
		{"files for a Redis without TLS", []string{"BANYAN_REDIS_ADDR=h:1", "BANYAN_REDIS_CA=ca.pem"}, 2, "without --redis-tls"},
		{"authorities that are not there", []string{"BANYAN_REDIS_ADDR=h:1", "BANYAN_REDIS_TLS=true", "BANYAN_REDIS_CA=none.pem"}, 2, "none.pem"},
		{"half a pair for Redis", []string{"BANYAN_REDIS_ADDR=h:1", "BANYAN_REDIS_TLS=true", "BANYAN_REDIS_CERT=c.pem"}, 2, "belong together"},
		{"Redis alone", []string{"BANYAN_REDIS_ADDR=h:1"}, 2, "--flights-url is missing"},
		{"not a DSN", []string{"BANYAN_MYSQL_DSN=u:hush@h"}, 2, service.DSNForm},
		{"not an address", []string{"BANYAN_MYSQL_DSN=u:hush@tcp(h:1)/b", "BANYAN_FLIGHTS_URL=127.0.0.1:8081"}, 2, "--flights-url"},
		{"not a router", []string{"BANYAN_MYSQL_DSN=u:hush@tcp(h:1)/b", "BANYAN_ROUTER=127.0.0.1:8080"}, 2, "--router"},
		{"not a token", []string{"BANYAN_MYSQL_DSN=u:hush@tcp(h:1)/b", "BANYAN_PARTICIPANT_TOKEN=hush hush"}, 2, "--participant-token"},
	} {
		var stderr bytes.Buffer
		code := service.Run(t.Context(), name, service.Process{Environ: c.environ, Stdout: io.Discard, Stderr: &stderr}, run)
		if code != c.code || !strings.Contains(stderr.String(), c.says) || strings.Contains(stderr.String(), "hush") {
			t.Errorf("%s: exit code %d, %s", c.name, code, stderr.String())
		}
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

func waitFor(t *testing.T, url string, status int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if get(t, url) == status {
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
	return do(t, req)
}

func do(t *testing.T, req *http.Request) int {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode
}
