package httpd_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"banyan/modules/kernel/httpd"
)

// memory is a connection whose client has sent everything and gone, given in steps of so
// many bytes. It keeps what is written.
type memory struct {
	mu     sync.Mutex
	in     []byte
	step   int
	out    bytes.Buffer
	closed chan struct{}
	once   sync.Once
}

func (m *memory) Read(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), m.step)], m.in)
	m.in = m.in[n:]
	return n, nil
}

func (m *memory) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.out.Write(p)
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (*memory) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (*memory) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 81} }
func (*memory) SetDeadline(time.Time) error      { return nil }
func (*memory) SetReadDeadline(time.Time) error  { return nil }
func (*memory) SetWriteDeadline(time.Time) error { return nil }

// single is a listener of one connection.
type single struct {
	conn   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (s *single) Accept() (net.Conn, error) {
	select {
	case c := <-s.conn:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *single) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (*single) Addr() net.Addr { return &net.TCPAddr{} }

// server is what net/http's Server and ours have in common.
type server interface {
	Serve(l net.Listener) error
	Close() error
}

// theirs is the oracle: net/http's Server.
func theirs(config *http.Server) server { return config }

func ours(config *http.Server) server { return httpd.New(config) }

// seen is what happened to a script.
type seen struct {
	sent  string // by the server, with its heads in order
	saw   string // by the handler
	ended bool
}

// play gives a script to a server.
func play(t testing.TB, of func(*http.Server) server, script []byte, step int) seen {
	t.Helper()
	var mu sync.Mutex
	var saw strings.Builder
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = fmt.Fprintf(&saw, format+"\n", args...)
	}
	s := of(&http.Server{Handler: behaviour(note), MaxHeaderBytes: 12 << 10, ErrorLog: log.New(io.Discard, "", 0), ReadTimeout: time.Minute})
	c := &memory{in: bytes.Clone(script), step: step, closed: make(chan struct{})}
	l := &single{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.conn <- c
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	ended := true
	select {
	case <-c.closed:
	case <-time.After(30 * time.Second):
		ended = false
	}
	_ = l.Close()
	_ = s.Close()
	<-done
	c.mu.Lock()
	defer c.mu.Unlock()
	mu.Lock()
	defer mu.Unlock()
	return seen{sent: inOrder(c.out.String()), saw: saw.String(), ended: ended}
}

var heads = regexp.MustCompile(`HTTP/1\.[01] \d\d\d [^\n]*\r\n(?:[^\r\n]+\r\n)*\r\n`)

var dates = regexp.MustCompile(`(?m)^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`)

// inOrder sorts the fields of every head and takes the dates out.
func inOrder(sent string) string {
	return heads.ReplaceAllStringFunc(sent, func(head string) string {
		lines := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
		slices.Sort(lines[1:])
		return dates.ReplaceAllString(strings.Join(lines, "\r\n"), "Date: now") + "\r\n\r\n"
	})
}

// compare plays a script on both servers.
func compare(t testing.TB, script []byte, step int) {
	t.Helper()
	want, got := play(t, theirs, script, step), play(t, ours, script, step)
	if want == got {
		return
	}
	t.Errorf("sent in steps of %d (net/http ended %v, ours %v): %.500q", step, want.ended, got.ended, script)
	for what, texts := range map[string][2]string{"the answer": {want.sent, got.sent}, "what the handler saw": {want.saw, got.saw}} {
		if at := same(texts[0], texts[1]); at >= 0 {
			t.Errorf("%s differs at %d\nnet/http %q\nours     %q", what, at, around(texts[0], at), around(texts[1], at))
		}
	}
}

// same gives where two texts differ first, or -1.
func same(a, b string) int {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return -1
}

func around(text string, at int) string {
	return text[max(0, at-300):min(len(text), at+100)]
}
