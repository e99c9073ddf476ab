package httpd_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"banyan/modules/kernel/httpd"
)

// long is what a test waits for at most.
const long = 20 * time.Second

// started is a server at work on a port of its own.
type started struct {
	*httpd.Server
	addr string
	log  *lockedText
	stop func(context.Context) error
}

type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start serves h until the test ends or stop is called.
func start(t *testing.T, h http.HandlerFunc, configure ...func(*http.Server)) *started {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &started{addr: l.Addr().String(), log: &lockedText{}}
	config := &http.Server{Handler: h, ErrorLog: log.New(s.log, "", 0), ReadHeaderTimeout: long, IdleTimeout: long}
	for _, c := range configure {
		c(config)
	}
	s.Server = httpd.New(config)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	s.stop = func(ctx context.Context) error {
		_ = l.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve ended with %v", err)
		}
		ended <- net.ErrClosed // for another stop
		return s.Shutdown(ctx)
	}
	t.Cleanup(func() {
		_ = s.Close()
		_ = l.Close()
	})
	return s
}

// client is a raw client.
type client struct {
	t *testing.T
	*net.TCPConn
	in *bufio.Reader
}

func (s *started) dial(t *testing.T) *client {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(long))
	return &client{t: t, TCPConn: c.(*net.TCPConn), in: bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads an answer whole.
func (c *client) answer() (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(body)
}

// ends fails the test unless the connection ends without another byte.
func (c *client) ends() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		c.t.Errorf("the connection goes on with %q %v", rest, err)
	}
}

const get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

// await waits for a bounded time.
func await[T any](t *testing.T, what string, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(long):
		t.Fatalf("never happened: %s", what)
	}
	return got
}

// TestExpectContinue: the client is told to go on when the body is read, and only then.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			body, err := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "%s %v", body, err)
			return
		}
		w.WriteHeader(http.StatusForbidden)
	})
	head := " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
	c := s.dial(t)
	for range 2 {
		c.send("POST /read" + head)
		if resp, _ := c.answer(); resp.StatusCode != http.StatusContinue {
			t.Fatalf("told %s", resp.Status)
		}
		c.send("abc")
		if resp, body := c.answer(); resp.StatusCode != http.StatusOK || body != "abc <nil>" {
			t.Errorf("%s %s", resp.Status, body)
		}
	}
	c.send("POST /refuse" + head)
	if resp, _ := c.answer(); resp.StatusCode != http.StatusForbidden || !resp.Close {
		t.Errorf("%s, close %v", resp.Status, resp.Close)
	}
	c.ends()
}

// TestBodyBesideAnswer: a body is read beside the handler, which answers meanwhile and
// returns while the read waits.
func TestBodyBesideAnswer(t *testing.T) {
	t.Parallel()
	over := make(chan error, 1)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		go func() {
			_, err := io.ReadAll(r.Body)
			over <- err
		}()
		if r.URL.Path == "/reading" {
			time.Sleep(20 * time.Millisecond)
		}
		_, _ = io.WriteString(w, "early")
	}, func(c *http.Server) { c.ReadTimeout = long })
	c := s.dial(t)
	for _, path := range slices.Repeat([]string{"/", "/reading"}, 10) {
		c = s.dial(t)
		c.send("POST " + path + " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
		for resp, body := c.answer(); ; resp, body = c.answer() {
			if resp.StatusCode == http.StatusOK {
				if body != "early" {
					t.Errorf("got %q", body)
				}
				break
			}
		}
		if err := await(t, "the read ends", over); err == nil {
			t.Error("a body without its end was read whole")
		}
	}
	_ = c.CloseWrite()
}

// TestUnreadBody: a client that sends more than anybody reads gets its answer all the same.
func TestUnreadBody(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	})
	for range 5 {
		c := s.dial(t)
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n")
		c.send(strings.Repeat("x", 1_900_000))
		if resp, body := c.answer(); resp.StatusCode != http.StatusRequestEntityTooLarge || body != "too much\n" || !resp.Close {
			t.Errorf("%s %q close %v", resp.Status, body, resp.Close)
		}
		c.ends()
	}
}

// TestPanic: a panic cuts the connection and is logged, unless it is meant to do just that.
func TestPanic(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(fmt.Errorf("wrapped: %w", http.ErrAbortHandler))
		}
		panic("an accident")
	})
	for _, path := range []string{"/abort", "/accident"} {
		if s.log.String() != "" {
			t.Errorf("logged %s", s.log)
		}
		c := s.dial(t)
		c.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
		c.ends()
	}
	if got := s.log.String(); !strings.Contains(got, "an accident") || !strings.Contains(got, "serve_test.go") {
		t.Errorf("the log says %q", got)
	}
}

// TestReadFrom: an answer is copied from a reader.
func TestReadFrom(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 100_000)
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		n, err := io.Copy(w, struct{ io.Reader }{strings.NewReader(text)})
		if n != int64(len(text)) || err != nil {
			t.Errorf("copied %d, %v", n, err)
		}
	})
	c := s.dial(t)
	c.send(get)
	if _, body := c.answer(); body != text {
		t.Errorf("%d bytes arrived", len(body))
	}
}

// TestContext: handlers find the address and the configuration of their server.
func TestContext(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		config, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
		_, _ = fmt.Fprint(w, r.Context().Value(http.LocalAddrContextKey), " ", config.IdleTimeout)
	})
	c := s.dial(t)
	c.send(get)
	if _, body := c.answer(); body != s.addr+" "+long.String() {
		t.Errorf("got %s", body)
	}
}

// running counts the goroutines of the package.
func running() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "banyan/modules/kernel/httpd.")
}
