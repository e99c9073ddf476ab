package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/service"
)

// output collects what a program prints while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// served is a banyan that runs in this process or another.
type served struct {
	url, admin string
	stop       func() int // ends it and gives its exit code
}

// serveIn runs banyan serve in this process.
func serveIn(t *testing.T, args ...string) served {
	t.Helper()
	return runIn(t, "serve", args...)
}

// runIn runs a command that serves, in this process.
func runIn(t *testing.T, name string, args ...string) served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var stdout, stderr output
	ended := make(chan int, 1)
	args = append([]string{name, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, args...)
	go func() {
		ended <- service.Run(ctx, "banyan", service.Process{Args: args, Stdout: &stdout, Stderr: &stderr}, run)
	}()
	code := -1
	stop := sync.OnceValue(func() int {
		cancel()
		if code < 0 {
			code = <-ended
		}
		if code != 0 {
			t.Logf("standard error:\n%s", stderr.String())
		}
		return code
	})
	t.Cleanup(func() { stop() })
	s := greeted(t, &stdout, func() bool {
		select {
		case code = <-ended:
			return true
		default:
			return false
		}
	})
	s.stop = stop
	return s
}

var (
	publicURL = regexp.MustCompile(`(?m)^  (?:API|clients) +(https?://\S+)`)
	adminURL  = regexp.MustCompile(`(?m)^  admin API +(https?://\S+)`)
)

// greeted waits for the greeting, which names the addresses.
func greeted(t *testing.T, stdout *output, ended func() bool) served {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if text := stdout.String(); strings.Contains(text, "Ctrl-C") {
			return served{url: publicURL.FindStringSubmatch(text)[1], admin: adminURL.FindStringSubmatch(text)[1]}
		}
		if ended() {
			t.Fatal("banyan ended before it served")
		}
	}
	t.Fatal("banyan does not start")
	return served{}
}

// call sends a request, with a body as JSON and header as name, value, and gives the
// status, the header and the answer.
func call(ctx context.Context, method, url, body string, header ...string) (int, http.Header, map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, resp.Header, nil, err
	}
	var answer map[string]any
	_ = json.Unmarshal(text, &answer) // not every answer is an object
	return resp.StatusCode, resp.Header, answer, nil
}

// want is call for a status that must come.
func want(t *testing.T, status int, method, url, body string, header ...string) map[string]any {
	t.Helper()
	got, _, answer, err := call(t.Context(), method, url, body, header...)
	if err != nil || got != status {
		t.Fatalf("%s %s: %d %v %v, not %d", method, url, got, answer, err, status)
	}
	return answer
}

// aFlight gives a flight of tomorrow that reservations knows.
func aFlight(t *testing.T, s served) string {
	t.Helper()
	date := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	page := want(t, 200, "GET", s.url+"/v1/flights?origin=JFK&departure_date="+date, "")
	list, _ := page["flights"].([]any)
	if len(list) == 0 {
		t.Fatalf("there is no sample flight from JFK on %s: %v", date, page)
	}
	id := list[0].(map[string]any)["flight_id"].(string)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, _, _, err := call(t.Context(), "GET", s.url+"/v1/flights/"+id+"/seats", "")
		if err == nil && status == 200 {
			return id
		}
		if time.Now().After(deadline) {
			t.Fatalf("reservations does not hear of %s: %d %v", id, status, err)
		}
	}
}

func TestBookingsSurviveARestart(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { survives(t, "--data-dir", t.TempDir(), "--sample-data") })
	t.Run("mysql", func(t *testing.T) { survives(t, "--mysql-dsn", dbtest.MySQLDSN(t), "--sample-data") })
}

func survives(t *testing.T, args ...string) {
	t.Helper()
	s := serveIn(t, args...)
	flight := aFlight(t, s)
	hold := want(t, 201, "POST", s.url+"/v1/flights/"+flight+"/holds",
		`{"seats":["4A","4C"],"customer_id":"ann"}`, "Idempotency-Key", "hold-1")
	confirm := s.url + fmt.Sprintf("/v1/holds/%s/confirm", hold["hold_id"])
	booked := want(t, 200, "POST", confirm, "", "X-Hold-Token", hold["token"].(string), "Idempotency-Key", "confirm-1")
	if code := s.stop(); code != 0 {
		t.Fatalf("the stop gives exit code %d", code)
	}

	s = serveIn(t, args...) // loading the sample again changes nothing
	r := want(t, 200, "GET", s.url+fmt.Sprintf("/v1/reservations/%s", booked["reservation_id"]), "")
	if fmt.Sprint(r["seats"]) != "[4A 4C]" || r["status"] != "CONFIRMED" {
		t.Errorf("after the restart the reservation is %v", r)
	}
	seats := want(t, 200, "GET", s.url+"/v1/flights/"+flight+"/seats", "")["seats"]
	if fmt.Sprint(seats) != "map[4A:RESERVED 4C:RESERVED]" {
		t.Errorf("after the restart the seats are %v", seats)
	}
	status, header, answer, err := call(t.Context(), "POST", s.url+"/v1/flights/"+flight+"/holds",
		`{"seats":["4A","4C"],"customer_id":"ann"}`, "Idempotency-Key", "hold-1")
	if err != nil || status != 201 || answer["hold_id"] != hold["hold_id"] || header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("after the restart the retry gives %d %v %v", status, answer, err)
	}
}

func TestCommonPaths(t *testing.T) {
	s := serveIn(t, "--data-dir", t.TempDir())
	for _, path := range []string{"/ping", "/health", "/metrics", "/openapi.json", "/docs", "/version"} {
		status, header, _, err := call(t.Context(), "GET", s.url+path, "")
		if err != nil || status != 200 || header.Get("X-Request-Id") == "" {
			t.Errorf("GET %s: %d %v %v", path, status, header, err)
		}
	}
	doc := want(t, 200, "GET", s.url+"/openapi.json", "")
	paths, _ := doc["paths"].(map[string]any)
	for _, path := range []string{"/v1/flights", "/v1/flights/{flight_id}/holds", "/health", "/events/{eventType}", "/reservations"} {
		if paths[path] == nil {
			t.Errorf("the description lacks %s", path)
		}
	}
	status, header, answer, _ := call(t.Context(), "GET", s.url+"/v1/flights?nonsense=1", "", "X-Request-Id", "mine")
	if status != 400 || answer["code"] == nil || answer["request_id"] != "mine" || header.Get("X-Banyan-Backend") != "monolith" {
		t.Errorf("an unknown parameter: %d %v %v", status, answer, header)
	}
}

func TestDataDirectoryHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	serveIn(t, "--data-dir", dir)
	code, _, stderr := command(t, nil, "migrate", "status", "--data-dir", dir)
	if code != 3 || !strings.Contains(stderr, "in use by process") || !strings.Contains(stderr, "banyan serve on 127.0.0.1:") {
		t.Errorf("a second process: exit code %d, %s", code, stderr)
	}
}

func TestTakenPortChangesNothing(t *testing.T) {
	s := serveIn(t, "--data-dir", t.TempDir())
	dir := t.TempDir() + "/new"
	code, _, stderr := command(t, nil, "serve", "--listen", strings.TrimPrefix(s.url, "http://"), "--admin-listen", "127.0.0.1:0", "--data-dir", dir)
	if code != 3 || !strings.Contains(stderr, "is another program there?") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if code, out, _ := command(t, nil, "check-config", "--data-dir", dir); code != 0 || !strings.Contains(out, "is good") {
		t.Errorf("check-config: %d %s", code, out)
	}
}
