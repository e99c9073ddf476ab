package httpd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/httpd"
)

const soon = 200 * time.Millisecond

// TestSlowHead: a head that does not come whole ends the connection. As from net/http,
// there is an answer if a line of it has begun.
func TestSlowHead(t *testing.T) {
	t.Parallel()
	s := start(t, func(http.ResponseWriter, *http.Request) {}, func(c *http.Server) { c.ReadHeaderTimeout = soon })
	for _, begun := range []string{"", "G", "GET / HTTP/1.1\r\nHo", get + "GET / HTTP/1.1\r\n", get + "G", "PRI * HT"} {
		c := s.dial(t)
		if rest, kept := strings.CutPrefix(begun, get); kept {
			c.send(get)
			c.answer()
			begun = rest
		}
		c.send(begun)
		if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 && !strings.HasPrefix(string(rest), "HTTP/1.1 400 Bad Request\r\n") {
			t.Errorf("%q goes on with %q %v", begun, rest, err)
		}
	}
}

// TestIdle: a kept connection ends when it is idle for too long, and is kept before.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := start(t, func(http.ResponseWriter, *http.Request) {}, func(c *http.Server) { c.IdleTimeout = 10 * soon })
	c := s.dial(t)
	for range 10 {
		c.send(get)
		c.answer()
		time.Sleep(soon / 10)
	}
	c.ends()
}

// TestSlowBody: a handler's read ends with ReadTimeout, and it can still answer.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprint(w, errors.Is(err, os.ErrDeadlineExceeded), r.Context().Err())
	}, func(c *http.Server) { c.ReadTimeout = soon })
	c := s.dial(t)
	c.send(get)
	if _, body := c.answer(); body != "false <nil>" {
		t.Errorf("without a body: %s", body)
	}
	time.Sleep(2 * soon / 3)
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc")
	if resp, body := c.answer(); body != "true context canceled" || !resp.Close {
		t.Errorf("half a body: %s, close %v", body, resp.Close)
	}
	c.ends()
}

// TestUnreadSlowBody: what a handler left is not waited for without a bound.
func TestUnreadSlowBody(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "no") })
	c := s.dial(t)
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc")
	if resp, body := c.answer(); body != "no" || !resp.Close {
		t.Errorf("%s, close %v", body, resp.Close)
	}
	c.ends()
}

// TestOwnDeadlines: a handler's deadlines are its own, and end with its request.
func TestOwnDeadlines(t *testing.T) {
	t.Parallel()
	const enough = 3 * time.Second // for an answer, on a busy machine
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		switch r.URL.Path {
		case "/read":
			_ = control.SetReadDeadline(time.Now().Add(soon))
		case "/write":
			_ = control.SetWriteDeadline(time.Now().Add(enough))
		}
		_, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprint(w, errors.Is(err, os.ErrDeadlineExceeded))
	}, func(c *http.Server) { c.ReadTimeout, c.WriteTimeout = -1, -1 })
	c := s.dial(t)
	for path, wait := range map[string]time.Duration{"/read": 2 * soon, "/write": enough} {
		c.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
		c.answer()
		time.Sleep(wait)
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
		time.Sleep(soon)
		c.send("b")
		if _, body := c.answer(); body != "false" {
			t.Errorf("the deadline of %s ends the next body", path)
		}
	}
	c.send("POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
	if _, body := c.answer(); body != "true" {
		t.Error("the handler's deadline does not end its body")
	}
}

// TestDeadlineAfterBody: a deadline that a handler sets once nothing is left to read bounds
// how long the client's silence is taken for its being there, as with net/http.
func TestDeadlineAfterBody(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(soon))
		<-r.Context().Done()
		close(left)
	})
	s.dial(t).send(get)
	await(t, "the handler is told", left)
}

// TestStuckReader: an answer that nobody takes ends with WriteTimeout, and so does one
// whose handler took that long.
func TestStuckReader(t *testing.T) {
	t.Parallel()
	wrote, left := make(chan error, 1), make(chan error, 1)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		var err error
		for block := make([]byte, 1<<20); err == nil; {
			_, err = w.Write(block)
		}
		wrote <- err
		left <- r.Context().Err()
	}, func(c *http.Server) { c.WriteTimeout = soon })
	c := s.dial(t)
	c.send(get)
	if err := await(t, "the write fails", wrote); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it fails with %v", err)
	}
	if err := await(t, "the handler is told", left); err == nil {
		t.Error("a client that is gone is not told to the handler")
	}
}

// TestShutdown: idle connections end at once, requests under way get their answer with
// Connection: close, and nothing is left.
func TestShutdown(t *testing.T) {
	begun, leave := make(chan struct{}), make(chan struct{})
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-leave
		}
		_, _ = io.WriteString(w, "done")
	})
	idle, busy, fresh := s.dial(t), s.dial(t), s.dial(t)
	idle.send(get)
	idle.answer()
	busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	await(t, "the request begins", begun)
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop(context.Background()) }()
	idle.ends()
	fresh.ends()
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a request under way: %v", err)
	default:
	}
	close(leave)
	if resp, body := busy.answer(); body != "done" || !resp.Close {
		t.Errorf("%q, close %v", body, resp.Close)
	}
	busy.ends()
	if err := await(t, "the stop", stopped); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", s.addr); err == nil {
		_ = c.Close()
		t.Error("it still listens")
	}
	for deadline := time.Now().Add(long); running() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d frames of the server are left", running())
		}
	}
}

// TestShutdownAnswersWhatBegan: a request whose head is half there when the stop begins is
// answered, on a new connection and on a kept one.
func TestShutdownAnswersWhatBegan(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "done") })
	fresh, kept := s.dial(t), s.dial(t)
	kept.send(get)
	kept.answer()
	for _, c := range []*client{fresh, kept} {
		c.send(get[:10])
	}
	time.Sleep(soon) // for the server to see them
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop(context.Background()) }()
	time.Sleep(soon)
	for _, c := range []*client{fresh, kept} {
		c.send(get[10:])
		if resp, body := c.answer(); body != "done" || !resp.Close {
			t.Errorf("%q, close %v", body, resp.Close)
		}
		c.ends()
	}
	if err := await(t, "the stop", stopped); err != nil {
		t.Error(err)
	}
}

// TestShutdownIsBounded: a request that does not end is told as such, and cut by Close.
func TestShutdownIsBounded(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})
	c := s.dial(t)
	c.send(get)
	await(t, "the request begins", begun)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.stop(ctx); !errors.Is(err, httpd.ErrShutdown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the stop says %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	c.ends()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("after the cut: %v", err)
	}
}
