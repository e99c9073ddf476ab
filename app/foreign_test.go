package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// startPython runs the application in Python and gives its address.
func startPython(t *testing.T) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("python3 is not installed; make test installs it")
	}
	return startForeign(t, exec.CommandContext(t.Context(), python, "testdata/foreign.py"))
}

// startForeign runs an application that prints its port, and gives its address.
func startForeign(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + strings.TrimSpace(port)
}

// connect opens a connection that a stuck test does not keep for ever.
func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// raw sends a request's bytes and gives the answer, what only a hop may change left out.
func raw(t *testing.T, address, request string) (status string, header http.Header, body string) {
	t.Helper()
	conn := connect(t, address)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body = readAll(t, resp.Body)
	for name, values := range resp.Trailer {
		resp.Header["Trailer "+name] = values
	}
	for _, name := range []string{"Date", "Connection", "X-Banyan-Backend"} {
		resp.Header.Del(name)
	}
	return strconv.Itoa(resp.StatusCode), resp.Header, body // the phrase means nothing, and a hop may write its own
}

// get writes a request.
func get(target string, header ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: shop.example\r\n" + strings.Join(append(header, "Connection: close"), "\r\n") + "\r\n\r\n"
}

// sameAnswers sends requests to an application directly and through the proxy, and wants
// the same answers.
func sameAnswers(t *testing.T, app, front string, requests map[string]string) {
	t.Helper()
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			status, header, body := raw(t, app, request)
			gotStatus, gotHeader, gotBody := raw(t, front, request)
			if _, has := header["Content-Length"]; !has && gotHeader.Get("Content-Length") == strconv.Itoa(len(gotBody)) {
				gotHeader.Del("Content-Length") // a hop may frame a body that came whole otherwise than in chunks
			}
			if gotStatus != status || gotBody != body || !reflect.DeepEqual(gotHeader, header) {
				t.Errorf("directly: %s %v\n%.200q\nthrough the proxy: %s %v\n%.200q", status, header, body, gotStatus, gotHeader, gotBody)
			}
		})
	}
}

// TestForeignMonolith asks an application in another language directly and through
// banyan proxy; the answers must be the same.
func TestForeignMonolith(t *testing.T) {
	app := startPython(t)
	s := runIn(t, "proxy", "--data-dir", t.TempDir(), "--monolith", "http://"+app, "--log-level", "error")
	front := strings.TrimPrefix(s.url, "http://")
	sameAnswers(t, app, front, map[string]string{
		"cookies":           get("/cookies", "Cookie: a=0; b=\"x y\""),
		"redirect":          get("/redirect"),
		"HEAD":              "HEAD /range HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"range":             get("/range", "Range: bytes=100-299"),
		"gzip":              get("/gzip", "Accept-Encoding: gzip"),
		"gzip unasked":      get("/gzip"),
		"not modified":      get("/etag", "If-None-Match: \"v1\""),
		"chunked answer":    get("/chunked"),
		"answer to the end": get("/close"),
		"no content":        get("/nothing"),
		"its own error":     get("/error"),
		"its own health":    get("/health"),
		"slashes":           get("//a//b///"),
		"escapes":           get("/a%2Fb%20c/%7Euser/%e4?x=%2F&y=a+b;c&&=&%zz"),
		"dots":              get("/a/../b/./c"),
		"question mark":     get("/a?"),
		"PROPFIND":          "PROPFIND /dav HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\n<a>",
		"DELETE":            "DELETE /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"OPTIONS":           "OPTIONS /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"OPTIONS of it all": "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"own method":        "BREW /pot HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"chunked request":   "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.0":          "GET /x HTTP/1.0\r\nHost: x\r\n\r\n",
	})
	t.Run("CONNECT", func(t *testing.T) {
		status, header, body := raw(t, front, "CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n")
		if !strings.HasPrefix(status, "405") || header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, `"code"`) {
			t.Errorf("%s %v %s", status, header, body)
		}
	})
	t.Run("uploads", func(t *testing.T) { uploads(t, s.url) })
	t.Run("events", func(t *testing.T) { events(t, s.url) })
	t.Run("WebSocket", func(t *testing.T) { socket(t, front) })
}

// uploads sends ten megabytes, with their length, in chunks, and after a 100.
func uploads(t *testing.T, url string) {
	t.Helper()
	data := make([]byte, 10<<20)
	_, _ = rand.Read(data)
	sum := sha256.Sum256(data)
	want := fmt.Sprintf("%d %s", len(data), hex.EncodeToString(sum[:]))
	for name, body := range map[string]io.Reader{"length": bytes.NewReader(data), "chunked": io.MultiReader(bytes.NewReader(data)), "expect": bytes.NewReader(data)} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/upload", body)
		if name == "expect" {
			r.Header.Set("Expect", "100-continue")
		}
		resp, err := (&http.Client{Timeout: time.Minute}).Do(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := readAll(t, resp.Body); resp.StatusCode != 201 || got != want {
			t.Errorf("%s: %d %s, want %s", name, resp.StatusCode, got, want)
		}
		_ = resp.Body.Close()
	}
}

// events: the first arrives while the application still keeps the second back.
func events(t *testing.T, url string) {
	t.Helper()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/sse", nil)
	resp, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewReader(resp.Body)
	if line, err := in.ReadString('\n'); err != nil || line != "data: 1\n" {
		t.Fatalf("%q %v", line, err)
	}
	if status, _ := text(t, url+"/release"); status != 204 {
		t.Fatalf("status %d", status)
	}
	if rest := readAll(t, in); rest != "\ndata: 2\n\n" {
		t.Errorf("the rest is %q", rest)
	}
}

// socket: after the upgrade bytes go both ways as they are.
func socket(t *testing.T, address string) {
	t.Helper()
	conn := connect(t, address)
	_, _ = io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%+v %v", resp, err)
	}
	_ = resp.Body.Close()
	for range 10 {
		sent := make([]byte, 5000)
		_, _ = rand.Read(sent)
		if _, err := conn.Write(sent); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(in, got); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("the echo differs: %v", err)
		}
	}
}
