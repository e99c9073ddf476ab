package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/web"
)

// TestEventsFlow: each event arrives before the next one is made, and so does the head.
func TestEventsFlow(t *testing.T) {
	next := make(chan string)
	far := startWire(t, func(c net.Conn, _ *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		for event := range next {
			_, _ = fmt.Fprintf(c, "%x\r\n%s\r\n", len(event), event)
		}
		_, _ = io.WriteString(c, "0\r\n\r\n")
		return true
	})
	w := before(t, far.url(), "")
	c := w.dial(t)
	c.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
	resp := c.response(http.MethodGet)
	lines := bufio.NewReader(resp.Body)
	for i := range 5 {
		next <- fmt.Sprintf("data: %d\n", i)
		if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("event %d is %q, %v", i, line, err)
		}
	}
	close(next)
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("the end is %q, %v", rest, err)
	}
}

// TestTrailers: in both directions, announced or not; what frames a message may not trail.
func TestTrailers(t *testing.T) {
	far := startWire(t, func(c net.Conn, _ *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTrailer: X-Sum, Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\nContent-Length: 9\r\n\r\n")
		return true
	})
	w := before(t, far.url(), "")
	c := w.dial(t)
	c.send("POST /a HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nTrailer: X-Check\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Check: 7\r\n\r\n")
	resp := c.response(http.MethodPost)
	body, err := io.ReadAll(resp.Body)
	if string(body) != "abc" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
	if resp.Trailer.Get("X-Sum") != "1" || resp.Trailer.Get("X-More") != "2" || resp.Trailer.Get("Content-Length") != "" {
		t.Errorf("the trailers are %v", resp.Trailer)
	}
	got := far.requests()[0]
	for _, want := range []string{"\r\nTe: trailers\r\n", "\r\nTrailer: X-Check\r\n", "1\r\nx\r\n0\r\nX-Check: 7\r\n\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the backend got %q, without %q", got, want)
		}
	}
}

// TestUpgrade: bytes flow both ways, those sent early too, and each side's end is passed on.
func TestUpgrade(t *testing.T) {
	said := make(chan string, 1)
	far := startWire(t, func(c net.Conn, br *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello ")
		all, _ := io.ReadAll(br) // until the client's half is closed
		said <- string(all)
		_, _ = io.WriteString(c, "goodbye")
		return false
	})
	w := before(t, far.url(), "")
	c := w.dial(t)
	c.send("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n")
	resp := c.response(http.MethodGet)
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "websocket" || resp.Header.Get("Sec-Websocket-Accept") != "x" {
		t.Fatalf("got %s %v", resp.Status, resp.Header)
	}
	c.send("one ")
	c.send("two")
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	if got := <-said; got != "one two" {
		t.Errorf("the backend got %q", got)
	}
	if got, err := io.ReadAll(c.br); string(got) != "hello goodbye" || err != nil {
		t.Errorf("the client got %q, %v", got, err)
	}
}

// TestExpect: the backend decides whether the body is sent.
func TestExpect(t *testing.T) {
	head := "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
	t.Run("yes", func(t *testing.T) {
		got := make(chan string, 1)
		far := startWire(t, func(c net.Conn, br *bufio.Reader, _ string) bool {
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
			body := make([]byte, 4)
			_, _ = io.ReadFull(br, body)
			got <- string(body)
			_, _ = io.WriteString(c, fine)
			return true
		})
		c := before(t, far.url(), "").dial(t)
		c.send(head)
		if resp := c.response(http.MethodPost); resp.StatusCode != http.StatusContinue {
			t.Fatalf("got %s", resp.Status)
		}
		c.send("body")
		if resp := c.response(http.MethodPost); resp.StatusCode != http.StatusOK || <-got != "body" {
			t.Errorf("got %s", resp.Status)
		}
	})
	t.Run("no", func(t *testing.T) {
		far := startWire(t, func(c net.Conn, _ *bufio.Reader, _ string) bool {
			_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
			return true
		})
		c := before(t, far.url(), "").dial(t)
		c.send(head)
		resp := c.response(http.MethodPost)
		if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
			t.Errorf("got %s, closing %t: the body that was not sent must not be read as a request", resp.Status, resp.Close)
		}
	})
	t.Run("silence", func(t *testing.T) {
		far := startWire(t, func(c net.Conn, br *bufio.Reader, _ string) bool {
			_, _ = io.ReadFull(br, make([]byte, 4))
			_, _ = io.WriteString(c, fine)
			return true
		})
		c := before(t, far.url(), "").dial(t)
		c.send(head)
		if resp := c.response(http.MethodPost); resp.StatusCode != http.StatusContinue {
			t.Fatalf("got %s", resp.Status)
		}
		c.send("body")
		if resp := c.response(http.MethodPost); resp.StatusCode != http.StatusOK {
			t.Errorf("got %s", resp.Status)
		}
	})
}

// TestEarlyAnswer: it arrives while the client is still sending, and the rest of the
// body is not taken for a request.
func TestEarlyAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(c).ReadString('\n')
			_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	c := before(t, "http://"+l.Addr().String(), "").dial(t)
	c.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n" + strings.Repeat("x", 70000))
	resp := c.response(http.MethodPost)
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusUnauthorized || string(body) != "no" || !resp.Close {
		t.Errorf("got %s %q, closing %t", resp.Status, body, resp.Close)
	}
	_, _ = io.WriteString(c, "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
	if rest, _ := io.ReadAll(c.br); len(rest) > 0 {
		t.Errorf("then %q", rest)
	}
}

// TestHints: 103 reaches the client, and its fields are not the answer's.
func TestHints(t *testing.T) {
	far := startWire(t, func(c net.Conn, _ *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"+fine)
		return true
	})
	c := before(t, far.url(), "").dial(t)
	c.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
	hint := c.response(http.MethodGet)
	resp := c.response(http.MethodGet)
	if hint.StatusCode != http.StatusEarlyHints || hint.Header.Get("Link") != "</a.css>" {
		t.Errorf("the hint is %s %v", hint.Status, hint.Header)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Link") != "" || resp.Header.Get("X-Banyan-Backend") != "monolith" {
		t.Errorf("the answer is %s %v", resp.Status, resp.Header)
	}
}

// TestClientLeavesStream: in the middle of an answer, too, the backend learns of it.
func TestClientLeavesStream(t *testing.T) {
	left := make(chan struct{})
	far := startWire(t, func(c net.Conn, br *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
		_, err := br.ReadByte() // says nothing more
		if err != nil {
			close(left)
		}
		return false
	})
	c := before(t, far.url(), "").dial(t)
	c.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
	resp := c.response(http.MethodGet)
	_, _ = io.ReadFull(resp.Body, make([]byte, 1))
	_ = c.Close()
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Error("the backend still has a client")
	}
}

// TestOverHTTP2: a client of HTTP/2 reaches a backend of HTTP/1.1, and both directions
// stream.
func TestOverHTTP2(t *testing.T) {
	w := before(t, startBackend(t, echoLines()).URL, "")
	front := startSecureFront(t, web.RequestIDs(w.router))
	echoes(t, front.Client(), front.URL)
}

// TestForwardedOverTLS: backends are told that the client spoke TLS.
func TestForwardedOverTLS(t *testing.T) {
	far := startWire(t, nil)
	front := startSecureFront(t, web.RequestIDs(before(t, far.url(), "").router))
	resp, err := front.Client().Get(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for _, want := range []string{"\r\nX-Forwarded-Proto: https\r\n", ";proto=https\r\n"} {
		if got := far.requests(); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("the backend got %q, without %q", got, want)
		}
	}
}

// TestOverHTTP2InClearText: the same for a client that knows of it, without TLS.
func TestOverHTTP2InClearText(t *testing.T) {
	w := before(t, startBackend(t, echoLines()).URL, "")
	tr := &http.Transport{Protocols: &http.Protocols{}}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	echoes(t, &http.Client{Transport: tr}, w.front.URL)
}

// TestH2C: a backend that speaks HTTP/2 without TLS is reached, and both directions stream.
func TestH2C(t *testing.T) {
	far := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Header.Get("X-Forwarded-For") != "127.0.0.1" || len(r.Header["Forwarded"]) != 1 {
			http.Error(rw, fmt.Sprint(r.Proto, r.Header), http.StatusTeapot)
			return
		}
		echoLines().ServeHTTP(rw, r)
	}))
	far.Config.Protocols = &http.Protocols{}
	far.Config.Protocols.SetUnencryptedHTTP2(true)
	far.Start()
	t.Cleanup(far.Close)
	w := start(t, fmt.Sprintf("version: 1\nbackends:\n  monolith: { kind: http, url: %q, protocol: h2c }\n", far.URL), nil)
	front := startSecureFront(t, web.RequestIDs(w.router))
	echoes(t, front.Client(), front.URL)
}

func echoLines() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(rw)
		_ = rc.EnableFullDuplex()
		_ = rc.Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = fmt.Fprintln(rw, "echo", lines.Text())
			_ = rc.Flush()
		}
	})
}

func echoes(t *testing.T, c *http.Client, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	in, out := io.Pipe()
	defer func() { _ = out.CloseWithError(errors.New("over")) }()
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, url+"/a", in)
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s %s", resp.Proto, resp.Status)
	}
	answers := bufio.NewScanner(resp.Body)
	for _, word := range []string{"one", "two", "three"} {
		_, _ = fmt.Fprintln(out, word)
		if !answers.Scan() || answers.Text() != "echo "+word {
			t.Fatalf("got %q, %v", answers.Text(), answers.Err())
		}
	}
	_ = out.Close()
	if answers.Scan() {
		t.Errorf("then %q", answers.Text())
	}
}
