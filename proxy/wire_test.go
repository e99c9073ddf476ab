package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire is a backend that sees bytes and answers with bytes.
type wire struct {
	t        *testing.T
	l        net.Listener
	mu       sync.Mutex
	got      []string
	accepted int                                                     // connections
	answer   func(c net.Conn, br *bufio.Reader, request string) bool // false: the connection ends
}

const fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"

// startWire serves raw bytes until the test ends; nil answers are fine ones.
func startWire(t *testing.T, answer func(c net.Conn, br *bufio.Reader, request string) bool) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveWire(t, l, answer)
}

// serveWire is startWire on a listener.
func serveWire(t *testing.T, l net.Listener, answer func(c net.Conn, br *bufio.Reader, request string) bool) *wire {
	t.Helper()
	b := &wire{t: t, l: l, answer: answer}
	if answer == nil {
		b.answer = func(c net.Conn, _ *bufio.Reader, _ string) bool {
			_, err := io.WriteString(c, fine)
			return err == nil
		}
	}
	var open sync.WaitGroup
	var conns []net.Conn
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			conns = append(conns, c)
			b.accepted++
			b.mu.Unlock()
			open.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		b.mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		b.mu.Unlock()
		open.Wait()
	})
	return b
}

func (b *wire) url() string { return "http://" + b.l.Addr().String() }

func (b *wire) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	br := bufio.NewReader(c)
	for {
		request, err := readRaw(br)
		if request != "" {
			b.mu.Lock()
			b.got = append(b.got, request)
			b.mu.Unlock()
		}
		if err != nil || !b.answer(c, br, request) {
			return
		}
	}
}

// requests gives what arrived so far.
func (b *wire) requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

// connections counts those accepted so far.
func (b *wire) connections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.accepted
}

// readRaw reads one request as its framing says; what follows would be the next one.
// With Expect: 100-continue it stops after the head.
func readRaw(br *bufio.Reader) (string, error) {
	var all strings.Builder
	length, chunked, expect := 0, false, false
	for {
		line, err := br.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			return all.String(), err
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "Content-Length":
			length, _ = strconv.Atoi(value)
		case "Transfer-Encoding":
			chunked = true
		case "Expect":
			expect = true
		}
		if line == "\r\n" {
			break
		}
	}
	if expect {
		return all.String(), nil
	}
	for chunked {
		line, err := br.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			return all.String(), err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			return all.String(), err
		}
		if chunked = size > 0; chunked {
			length = int(size) + 2
			part := make([]byte, length)
			_, err = io.ReadFull(br, part)
			all.Write(part)
		} else {
			for line != "\r\n" && err == nil {
				line, err = br.ReadString('\n')
				all.WriteString(line)
			}
		}
		if length = 0; err != nil {
			return all.String(), err
		}
	}
	rest := make([]byte, length)
	n, err := io.ReadFull(br, rest)
	all.Write(rest[:n])
	return all.String(), err
}

// before puts a router before a backend that gets everything.
func before(t *testing.T, url, more string) *world {
	t.Helper()
	return start(t, fmt.Sprintf("version: 1\n%sbackends:\n  monolith: { kind: http, url: %q, timeout: 700ms }\n", more, url), nil)
}

// client is a client that sends bytes.
type client struct {
	t *testing.T
	net.Conn
	br *bufio.Reader
}

func (w *world) dial(t *testing.T) *client {
	t.Helper()
	c, err := net.Dial("tcp", w.front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(15 * time.Second))
	return &client{t: t, Conn: c, br: bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// response reads an answer; its body is read by the caller.
func (c *client) response(method string) *http.Response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	return resp
}

// sorted gives a request with its header lines in order.
func sorted(request string) string {
	head, body, _ := strings.Cut(request, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	slices.Sort(lines[1:])
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}
