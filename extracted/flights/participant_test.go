package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
)

// start runs the program until the test ends.
func start(t *testing.T, environ ...string) (url string) {
	t.Helper()
	address := freePort(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- service.Run(ctx, name, service.Process{
			Args: []string{"--listen", address}, Environ: environ, Stdout: io.Discard, Stderr: io.Discard,
		}, run)
	}()
	t.Cleanup(func() { stop(); <-ended })
	waitFor(t, "http://"+address+"/health")
	return "http://" + address
}

// TestTakesPart: a schema of its own starts empty, and only who shows the token may hand
// flights over to it. A shared one takes no part.
func TestTakesPart(t *testing.T) {
	shared := dbtest.MySQLDSN(t)
	home := start(t, "BANYAN_MYSQL_DSN="+shared)
	if got := get(t, home+"/participant/v1/flights/status"); got != 404 {
		t.Errorf("the status of a shared store: %d", got)
	}
	if got := get(t, home+"/v1/flights"); got != 200 { // it is made when it is first used
		t.Errorf("a search of a shared store: %d", got)
	}
	url := start(t, "BANYAN_MYSQL_DSN="+dbtest.MySQLDSN(t), "BANYAN_HOME_URL="+home, "BANYAN_PARTICIPANT_TOKEN=hush")
	for path, want := range map[string]int{"/v1/flights/AA1-JFK-20200101": 421, "/side/v1/reference": 200, "/side/v1/flights": 200} {
		if got := get(t, url+path); got != want {
			t.Errorf("GET %s: %d, not %d", path, got, want)
		}
	}
	for token, want := range map[string]errs.Code{"": errs.Unauthorized, "hush": ""} {
		p := handoverhttp.NewClient(url, participant, token, web.NewTransport(web.TransportOptions{}))
		if _, err := p.Status(t.Context(), []int{1}); (err != nil || want != "") && errs.CodeOf(err) != want {
			t.Errorf("token %q: %v", token, err)
		}
	}
	var stderr bytes.Buffer
	code := service.Run(t.Context(), name, service.Process{
		Args: []string{"--listen", "127.0.0.1:0"}, Environ: []string{"BANYAN_MYSQL_DSN=" + shared, "BANYAN_HOME_URL=" + home},
		Stdout: io.Discard, Stderr: &stderr,
	}, run)
	if code != 5 || !strings.Contains(stderr.String(), "--home-url is for a schema of this service's own") {
		t.Errorf("over the monolith's schema: exit code %d, %s", code, stderr.String())
	}
}
