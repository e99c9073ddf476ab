package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// conformance is what a client sends, and what a backend may see of it: nothing, with an
// answer of the status, or exactly this one request.
type conformance struct {
	name   string
	sent   string // after {head} comes Host: h, X-Request-Id: t, Connection: close
	status int    // of the answer when nothing may arrive, 0: the request arrives
	line   string // as it arrives
	fields string // beside those of the hop
	body   string
}

const headOfAll = "Host: h\r\nX-Request-Id: t\r\nConnection: close\r\n"

func conformances() []conformance {
	get := "GET /a HTTP/1.1\r\n{head}"
	post := "POST /a HTTP/1.1\r\n{head}"
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
	return []conformance{
		{name: "plain", sent: get + "X-A: 1\r\n\r\n", line: "GET /a HTTP/1.1", fields: "X-A: 1\r\n"},
		{name: "CL and TE", sent: post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, line: "POST /a HTTP/1.1", fields: "Transfer-Encoding: chunked\r\n", body: "0\r\n\r\n"},
		{name: "TE.CL", sent: post + "Transfer-Encoding: chunked\r\nContent-Length: 400\r\n\r\n1\r\nx\r\n0\r\n\r\n" + smuggled, line: "POST /a HTTP/1.1", fields: "Transfer-Encoding: chunked\r\n", body: "1\r\nx\r\n0\r\n\r\n"},
		{name: "TE twice", sent: post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", status: 501},
		{name: "TE unknown", sent: post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", status: 501},
		{name: "TE hidden by a tab", sent: post + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", line: "POST /a HTTP/1.1", fields: "Transfer-Encoding: chunked\r\n", body: "0\r\n\r\n"},
		{name: "TE before a space", sent: post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", status: 400},
		{name: "TE xchunked", sent: post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", status: 501},
		{name: "CL twice, differing", sent: post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", status: 400},
		{name: "CL twice, the same", sent: post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nxx", line: "POST /a HTTP/1.1", fields: "Content-Length: 2\r\n", body: "xx"},
		{name: "CL with a sign", sent: post + "Content-Length: +2\r\n\r\nxx", status: 400},
		{name: "CL as a list", sent: post + "Content-Length: 2, 2\r\n\r\nxx", status: 400},
		{name: "CL in hex", sent: post + "Content-Length: 0x2\r\n\r\nxx", status: 400},
		{name: "obs-fold", sent: get + "X-A: 1\r\n  Transfer-Encoding: chunked\r\n\r\n", line: "GET /a HTTP/1.1", fields: "X-A: 1 Transfer-Encoding: chunked\r\n"},
		{name: "obs-fold first", sent: "GET /a HTTP/1.1\r\n X-A: 1\r\n{head}\r\n", status: 400},
		{name: "bare CR in a value", sent: get + "X-A: 1\rX-B: 2\r\n\r\n", status: 400},
		{name: "bare LF as the end of lines", sent: "GET /a HTTP/1.1\nHost: h\nX-Request-Id: t\nConnection: close\n\n", line: "GET /a HTTP/1.1"},
		{name: "NUL in a value", sent: get + "X-A: 1\x002\r\n\r\n", status: 400},
		{name: "a space in a name", sent: get + "X A: 1\r\n\r\n", status: 400},
		{name: "no name", sent: get + ": 1\r\n\r\n", status: 400},
		{name: "no colon", sent: get + "X-A\r\n\r\n", status: 400},
		{name: "no host", sent: "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", status: 400},
		{name: "two hosts", sent: get + "Host: i\r\n\r\n", status: 400},
		{name: "a host with a path", sent: "GET /a HTTP/1.1\r\nHost: h/x y\r\nConnection: close\r\n\r\n", status: 400},
		{name: "absolute form", sent: "GET http://h/a?b=c HTTP/1.1\r\n{other}\r\n", line: "GET /a?b=c HTTP/1.1"},
		{name: "absolute form without a path", sent: "GET http://h HTTP/1.1\r\n{other}\r\n", line: "GET / HTTP/1.1"},
		{name: "asterisk form", sent: "OPTIONS * HTTP/1.1\r\n{head}\r\n", status: 200}, // net/http answers it
		{name: "CONNECT", sent: "CONNECT h:443 HTTP/1.1\r\n{head}\r\n", status: 400},
		{name: "no slash", sent: "GET a HTTP/1.1\r\n{head}\r\n", status: 400},
		{name: "a space in the target", sent: "GET /a b HTTP/1.1\r\n{head}\r\n", status: 400},
		{name: "what a target may not have", sent: "GET /a\"<#x?\xffy|z HTTP/1.1\r\n{head}\r\n", line: "GET /a%22%3C%23x?%FFy%7Cz HTTP/1.1"},
		{name: "CR LF escaped in the target", sent: "GET /a%0d%0aX:%20y HTTP/1.1\r\n{head}\r\n", line: "GET /a%0d%0aX:%20y HTTP/1.1"},
		{name: "another version", sent: "GET /a HTTP/1.2\r\n{head}\r\n", line: "GET /a HTTP/1.1"},
		{name: "version 0.9", sent: "GET /a\r\n\r\n", status: 400},
		{name: "a head that is too large", sent: get + "X-A: " + strings.Repeat("a", 1<<20+64<<10) + "\r\n\r\n", status: 431},
		{name: "chunk extensions", sent: post + "Transfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0;x\r\n\r\n", line: "POST /a HTTP/1.1", fields: "Transfer-Encoding: chunked\r\n", body: "3\r\nabc\r\n0\r\n\r\n"},
		{name: "headers that the connection names", sent: get + "Connection: X-Secret, X-Forwarded-For\r\nX-Secret: 1\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\n\r\n", line: "GET /a HTTP/1.1"},
		{name: "h2c", sent: get + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", line: "GET /a HTTP/1.1"},
		{name: "a trace", sent: get + "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nTracestate: a=1\r\n\r\n", line: "GET /a HTTP/1.1", fields: "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nTracestate: a=1\r\n"},
		{name: "claims about hops", sent: get + "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Port: 1\r\nForwarded: for=6.6.6.6\r\n\r\n", line: "GET /a HTTP/1.1"},
		{name: "Expect something else", sent: post + "Expect: a-pony\r\nContent-Length: 1\r\n\r\nx", status: 417},
	}
}

// TestConformance: whatever a client sends, a backend sees nothing or one request whose
// every byte is known.
func TestConformance(t *testing.T) {
	for _, c := range conformances() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			far := startWire(t, nil)
			w := before(t, far.url(), "")
			conn := w.dial(t)
			sent := strings.ReplaceAll(c.sent, "{head}", headOfAll)
			conn.send(strings.ReplaceAll(sent, "{other}", strings.Replace(headOfAll, "Host: h", "Host: other", 1)))
			resp := conn.response(http.MethodGet)
			body, _ := io.ReadAll(resp.Body)
			rest, _ := io.ReadAll(conn.br) // the connection closes: whatever was smuggled is answered by now
			got := far.requests()
			if c.status != 0 {
				if resp.StatusCode != c.status || len(got) != 0 {
					t.Errorf("got %s, and the backend %q", resp.Status, got)
				}
				return
			}
			want := sorted(c.line + "\r\nHost: h\r\nX-Request-Id: t\r\nX-Forwarded-For: 127.0.0.1\r\n" +
				"X-Forwarded-Host: h\r\nX-Forwarded-Proto: http\r\nForwarded: for=127.0.0.1;host=\"h\";proto=http\r\nVia: " + via(c.sent) + " banyan\r\n" +
				c.fields + "\r\n" + c.body)
			if resp.StatusCode != http.StatusOK || string(body) != "ok" || len(rest) != 0 {
				t.Errorf("got %s %q, then %q", resp.Status, body, rest)
			}
			if len(got) != 1 || sorted(got[0]) != want {
				t.Errorf("the backend got\n%q, want\n%q", got, want)
			}
		})
	}
}

func via(sent string) string {
	if strings.Contains(sent, "HTTP/1.2") {
		return "1.2"
	}
	return "1.1"
}

// TestBadChunks: a body that breaks its framing off is not made whole for the backend.
func TestBadChunks(t *testing.T) {
	for name, body := range map[string]string{
		"a size that is none":   "x\r\nabc\r\n0\r\n\r\n",
		"a size with a sign":    "+3\r\nabc\r\n0\r\n\r\n",
		"a size that overflows": "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
		"a chunk that goes on":  "3\r\nabcde\r\n0\r\n\r\n",
		"no size":               "\r\nabc\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := startWire(t, nil)
			w := before(t, far.url(), "")
			c := w.dial(t)
			c.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
			if resp := c.response(http.MethodPost); resp.StatusCode != http.StatusBadRequest {
				t.Errorf("got %s", resp.Status)
			}
			for _, got := range far.requests() {
				if strings.HasSuffix(got, "0\r\n\r\n") {
					t.Errorf("the backend got a whole request: %q", got)
				}
			}
		})
	}
}

// TestTrustedProxies: a hop that is trusted is believed about the hops before it.
func TestTrustedProxies(t *testing.T) {
	far := startWire(t, nil)
	w := before(t, far.url(), "trustedProxies: [127.0.0.0/8]\n")
	c := w.dial(t)
	c.send("GET /a HTTP/1.1\r\nHost: h\r\nX-Request-Id: t\r\nConnection: close\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n" +
		"X-Forwarded-Host: shop\r\nX-Forwarded-Port: 443\r\nForwarded: for=9.9.9.9\r\nVia: 1.1 edge\r\n\r\n")
	_ = c.response(http.MethodGet)
	want := sorted("GET /a HTTP/1.1\r\nHost: h\r\nX-Request-Id: t\r\nX-Forwarded-For: 9.9.9.9, 127.0.0.1\r\nX-Forwarded-Host: shop\r\n" +
		"X-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\nForwarded: for=9.9.9.9, for=127.0.0.1;host=\"h\";proto=http\r\nVia: 1.1 edge\r\nVia: 1.1 banyan\r\n\r\n")
	if got := far.requests(); len(got) != 1 || sorted(got[0]) != want {
		t.Errorf("the backend got\n%q, want\n%q", got, want)
	}
}
