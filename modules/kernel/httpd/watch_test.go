package httpd_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// TestClientLeaves: a handler is told, whether or not there was a body; and not before.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	begun, left := make(chan error, 1), make(chan error, 1)
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		time.Sleep(100 * time.Millisecond) // the watch has looked by then
		begun <- r.Context().Err()
		<-r.Context().Done()
		left <- nil
	})
	for _, request := range []string{get, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"} {
		c := s.dial(t)
		c.send(request)
		if err := await(t, "the handler begins", begun); err != nil {
			t.Errorf("cancelled while the client was there: %v", err)
		}
		_ = c.Close()
		_ = await(t, "the handler is told", left)
	}
}

// TestWatchKeepsBytes: what comes while the watch reads, or after it, is the next request,
// whole.
func TestWatchKeepsBytes(t *testing.T) {
	t.Parallel()
	enter, leave := make(chan string, 1), make(chan struct{})
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		enter <- r.Method + r.URL.Path
		<-leave
		_, _ = io.WriteString(w, r.URL.Path)
	})
	c := s.dial(t)
	for i := range 8 {
		path := fmt.Sprint("/", i)
		if i == 0 {
			c.send("GET /0 HTTP/1.1\r\nHost: h\r\n\r\n")
		}
		if got := await(t, "the handler begins", enter); got != "GET"+path {
			t.Fatalf("%s arrived as %s", path, got)
		}
		time.Sleep(60 * time.Millisecond) // so that the watch reads; without it the test is only easier
		next := fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i+1)
		early := []int{1, 2, 0, len(next)}[i%4]
		c.send(next[:early])
		time.Sleep(20 * time.Millisecond)
		leave <- struct{}{}
		if _, got := c.answer(); got != path {
			t.Errorf("%s is answered with %s", path, got)
		}
		c.send(next[early:])
	}
	await(t, "the last handler begins", enter)
	close(leave)
}

// TestHijackDuringWatch: a hijacker gets the byte that the watch has read, and nothing
// touches its connection any more.
func TestHijackDuringWatch(t *testing.T) {
	t.Parallel()
	begun, sent := make(chan struct{}), make(chan struct{})
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-sent
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if rw.Reader.Buffered() == 0 {
			t.Error("the byte that was read is not in the hijacker's buffer")
		}
		go func() {
			defer func() { _ = c.Close() }()
			time.Sleep(100 * time.Millisecond) // the handler has returned
			line, err := rw.ReadString('\n')
			_, _ = fmt.Fprintf(c, "%s%v", line, err)
		}()
	})
	c := s.dial(t)
	c.send(get)
	await(t, "the handler begins", begun)
	time.Sleep(60 * time.Millisecond)
	c.send("he")
	time.Sleep(60 * time.Millisecond)
	close(sent)
	c.send("llo\n")
	if got, err := io.ReadAll(c); string(got) != "hello\n<nil>" || err != nil {
		t.Errorf("the hijacker got %q %v", got, err)
	}
}
