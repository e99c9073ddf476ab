package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// answered is what a backend sends, and what the client gets of it.
type answered struct {
	name, answer string
	status       int
	body         string
	torn         bool // the client sees that the body is not whole
	method       string
}

func answers() []answered {
	ok := "HTTP/1.1 200 OK\r\n"
	early := strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 3)
	return []answered{
		{name: "length", answer: ok + "Content-Length: 3\r\n\r\nabc", status: 200, body: "abc"},
		{name: "chunked", answer: ok + "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", status: 200, body: "abc0123456789"},
		{name: "until the end", answer: ok + "\r\nabc", status: 200, body: "abc"},
		{name: "HTTP/1.0", answer: "HTTP/1.0 200 OK\r\n\r\nabc", status: 200, body: "abc"},
		{name: "no reason", answer: "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", status: 404},
		{name: "204 with a length", answer: "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", status: 204},
		{name: "304", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", status: 304},
		{name: "HEAD", answer: ok + "Content-Length: 3\r\n\r\n", status: 200, method: http.MethodHead},
		{name: "hints first", answer: early + ok + "Content-Length: 3\r\n\r\nabc", status: 200, body: "abc"},
		{name: "100 unasked", answer: "HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 3\r\n\r\nabc", status: 200, body: "abc"},
		{name: "lengths that agree", answer: ok + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", status: 200, body: "abc"},
		{name: "lengths that differ", answer: ok + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", status: 502},
		{name: "a list of lengths", answer: ok + "Content-Length: 3, 3\r\n\r\nabc", status: 502},
		{name: "a length that is none", answer: ok + "Content-Length: -1\r\n\r\n", status: 502},
		{name: "a length with a sign", answer: ok + "Content-Length: +3\r\n\r\nabc", status: 502},
		{name: "a length that overflows", answer: ok + "Content-Length: 99999999999999999999\r\n\r\n", status: 502},
		{name: "CL and TE", answer: ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 502},
		{name: "TE unknown", answer: ok + "Transfer-Encoding: gzip\r\n\r\n", status: 502},
		{name: "TE twice", answer: ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 502},
		{name: "TE in HTTP/1.0", answer: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 502},
		{name: "folded", answer: ok + "X-A: 1\r\n  2\r\nContent-Length: 0\r\n\r\n", status: 502},
		{name: "a bare CR", answer: ok + "X-A: 1\rSet-Cookie: x\r\nContent-Length: 0\r\n\r\n", status: 502},
		{name: "a bare LF", answer: ok + "X-A: 1\nSet-Cookie: x\r\nContent-Length: 0\r\n\r\n", status: 502},
		{name: "NUL", answer: ok + "X-A: \x00\r\nContent-Length: 0\r\n\r\n", status: 502},
		{name: "a space before the colon", answer: ok + "Content-Length : 0\r\n\r\n", status: 502},
		{name: "not HTTP", answer: "SSH-2.0-OpenSSH\r\n\r\n", status: 502},
		{name: "another version", answer: "HTTP/2.0 200 OK\r\n\r\n", status: 502},
		{name: "a status of two digits", answer: "HTTP/1.1 20 OK\r\n\r\n", status: 502},
		{name: "nothing", answer: "", status: 502},
		{name: "half a head", answer: ok + "Content-Le", status: 502},
		{name: "a head that is too large", answer: ok + "X-A: " + strings.Repeat("a", 70<<10) + "\r\n\r\n", status: 502},
		{name: "too many fields", answer: ok + strings.Repeat("X-A: 1\r\n", 300) + "\r\n", status: 502},
		{name: "1xx without end", answer: strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100) + fine, status: 502},
		{name: "101 unasked", answer: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", status: 502},
		{name: "a body cut short", answer: ok + "Content-Length: 10\r\n\r\nabc", status: 200, body: "abc", torn: true},
		{name: "a long body cut short", answer: ok + "Content-Length: 100000\r\n\r\n" + strings.Repeat("a", 50000), status: 200, torn: true},
		{name: "chunks cut short", answer: ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", status: 200, body: "abc", torn: true},
		{name: "a chunk size that is none", answer: ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", status: 200, body: "abc", torn: true},
		{name: "a chunk that goes on", answer: ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", status: 200, body: "abc", torn: true},
		{name: "a chunk extension that is too long", answer: ok + "Transfer-Encoding: chunked\r\n\r\n3;" + strings.Repeat("a", 300) + "\r\nabc\r\n0\r\n\r\n", status: 200, torn: true},
		{name: "trailers that are too long", answer: ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n" + strings.Repeat("X-A: 1\r\n", 3000) + "\r\n", status: 200, body: "abc", torn: true},
	}
}

// TestAnswers: an answer with one meaning is passed on, any other is a 502, or, when it
// has begun, a connection that is cut.
func TestAnswers(t *testing.T) {
	for _, a := range answers() {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			far := startWire(t, func(c net.Conn, _ *bufio.Reader, _ string) bool {
				_, _ = io.WriteString(c, a.answer)
				return false
			})
			w := before(t, far.url(), "")
			method := a.method
			if method == "" {
				method = http.MethodGet
			}
			r, _ := http.NewRequestWithContext(t.Context(), method, w.front.URL+"/a", nil)
			resp, err := w.front.Client().Do(r)
			if err != nil {
				if a.torn { // nothing had gone out yet
					return
				}
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != a.status || (err != nil) != a.torn {
				t.Errorf("got %s %.60q, %v", resp.Status, body, err)
			}
			if a.status == http.StatusOK && !a.torn && string(body) != a.body {
				t.Errorf("got %q, want %q", body, a.body)
			}
		})
	}
}

// TestNothingIsLeftOver: what a backend sends beyond its answer is nobody's answer.
func TestNothingIsLeftOver(t *testing.T) {
	for name, extra := range map[string]struct{ method, answer string }{
		"with it":  {http.MethodGet, fine + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"},
		"for HEAD": {http.MethodHead, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"},
	} {
		t.Run(name, func(t *testing.T) {
			far := startWire(t, func(c net.Conn, _ *bufio.Reader, request string) bool {
				text := fine
				if strings.Contains(request, "/first") {
					text = extra.answer
				}
				_, err := io.WriteString(c, text)
				return err == nil
			})
			w := before(t, far.url(), "")
			c := w.dial(t)
			c.send(extra.method + " /first HTTP/1.1\r\nHost: h\r\n\r\n")
			resp := c.response(extra.method)
			_, _ = io.ReadAll(resp.Body)
			for range 3 {
				c.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n")
				resp = c.response(http.MethodGet)
				if body, _ := io.ReadAll(resp.Body); string(body) != "ok" {
					t.Errorf("another request got %s %q", resp.Status, body)
				}
			}
		})
	}
}

// TestLateExtras: the same when it is sent once the connection is idle.
func TestLateExtras(t *testing.T) {
	extra, sent := make(chan struct{}), make(chan struct{})
	far := startWire(t, func(c net.Conn, _ *bufio.Reader, request string) bool {
		_, err := io.WriteString(c, fine)
		if strings.Contains(request, "/first") {
			<-extra
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
			close(sent)
		}
		return err == nil
	})
	w := before(t, far.url(), "")
	c := w.dial(t)
	c.send("GET /first HTTP/1.1\r\nHost: h\r\n\r\n")
	resp := c.response(http.MethodGet)
	_, _ = io.ReadAll(resp.Body)
	close(extra)
	<-sent
	c.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n")
	resp = c.response(http.MethodGet)
	if body, _ := io.ReadAll(resp.Body); string(body) != "ok" {
		t.Errorf("the next request got %s %q", resp.Status, body)
	}
}

// TestIdleConnectionCloses: requests that meet a connection which the backend has closed
// meanwhile get another one, and none arrives twice.
func TestIdleConnectionCloses(t *testing.T) {
	far := startWire(t, func(c net.Conn, _ *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(c, fine)
		return false
	})
	w := before(t, far.url(), "")
	c := w.dial(t)
	const n = 50
	for i := range n {
		method := []string{"GET", "POST"}[i%2]
		c.send(fmt.Sprintf("%s /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", method, i))
		resp := c.response(http.MethodGet)
		body, _ := io.ReadAll(resp.Body)
		// The backend may close in the very moment a POST is sent; then it must say so.
		if resp.StatusCode != http.StatusOK && (method == "GET" || resp.StatusCode != http.StatusBadGateway) {
			t.Errorf("request %d got %s %q", i, resp.Status, body)
		}
	}
	seen := map[string]bool{}
	for _, r := range far.requests() {
		line, _, _ := strings.Cut(r, "\r\n")
		if seen[line] {
			t.Errorf("%s came twice", line)
		}
		seen[line] = true
	}
}
