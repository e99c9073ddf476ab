package web_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/web"
)

// start serves h on a free port until the test ends or stop is called; stopped gives
// what Serve returned.
func start(t *testing.T, h http.Handler, o web.ServerOptions) (addr string, stop func(), stopped <-chan error) {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() { done <- web.Serve(ctx, l, h, o) }()
	return l.Addr().String(), cancel, done
}

// raw sends bytes as they are and gives the answer's status and body.
func raw(t *testing.T, addr, text string) (int, string) {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func echo(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if err := web.Decode(w, r, 0, &body); err != nil {
		web.Fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, body)
}

func TestHeaderBomb(t *testing.T) {
	addr, _, _ := start(t, web.RequestIDs(http.HandlerFunc(web.NotFound)), web.ServerOptions{})
	for _, c := range []struct {
		name   string
		header string
		want   int
	}{
		{"as much as is allowed", "X-Fill: " + strings.Repeat("a", 15<<10) + "\r\n", 404},
		{"one long line", "X-Fill: " + strings.Repeat("a", 17<<10) + "\r\n", 431},
		{"many short lines", strings.Repeat("X-Fill: a\r\n", 2000), 431},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, _ := raw(t, addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+c.header+"\r\n")
			if status != c.want {
				t.Errorf("%d bytes of header are answered with %d, not %d", len(c.header), status, c.want)
			}
		})
	}
}

func TestSlowClientIsToldSo(t *testing.T) {
	edge := web.Edge{MaxBody: 1 << 20, Timeout: 10 * time.Second}
	addr, _, _ := start(t, edge.Wrap(http.HandlerFunc(echo)), web.ServerOptions{ReadTimeout: 200 * time.Millisecond})
	begun := time.Now()
	status, body := raw(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"a\":")
	if status != http.StatusRequestTimeout || !strings.Contains(body, `"code":"request_timeout"`) {
		t.Errorf("a body that stops coming is answered with %d %s", status, body)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the answer took %s", took)
	}
}

func TestTornBodyIsInvalid(t *testing.T) {
	addr, _, _ := start(t, web.RequestIDs(http.HandlerFunc(echo)), web.ServerOptions{})
	status, body := raw(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
	if status != http.StatusBadRequest || !strings.Contains(body, `"code":"invalid"`) {
		t.Errorf("a broken chunk is answered with %d %s", status, body)
	}
}

func TestDrainFinishesWhatRuns(t *testing.T) {
	begun, failing := make(chan struct{}), make(chan struct{})
	slow := func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-failing // readiness fails before the request ends
		time.Sleep(100 * time.Millisecond)
		_, _ = io.WriteString(w, "done")
	}
	addr, stop, stopped := start(t, web.RequestIDs(http.HandlerFunc(slow)), web.ServerOptions{
		OnDrain: func() { close(failing) }, DrainDelay: 20 * time.Millisecond,
	})
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + addr)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		answered <- string(body)
	}()
	<-begun
	stop()
	if got := <-answered; got != "done" {
		t.Errorf("a request that ran when the server stopped got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("the drain failed: %v", err)
	}
	var d net.Dialer
	if c, err := d.DialContext(t.Context(), "tcp", addr); err == nil {
		_ = c.Close()
		t.Error("the server still listens after its stop")
	}
}

func TestDrainIsBounded(t *testing.T) {
	begun := make(chan struct{})
	stuck := func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	}
	addr, stop, stopped := start(t, http.HandlerFunc(stuck), web.ServerOptions{DrainTimeout: 50 * time.Millisecond})
	go func() {
		if resp, err := http.Get("http://" + addr); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-begun
	stop()
	select {
	case err := <-stopped:
		if err == nil || !strings.Contains(fmt.Sprint(err), "still running") {
			t.Errorf("the drain says %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("a request that does not end holds up the stop for ever")
	}
}
