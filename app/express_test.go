package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

// startExpress runs the Express application, whose packages it installs once, and gives
// its address.
func startExpress(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node.js is not installed, so nothing is proven about Express")
	}
	var stderr output
	install := exec.CommandContext(t.Context(), "../deploy/local/express.sh")
	install.Stderr = &stderr
	modules, err := install.Output()
	if install.ProcessState != nil && install.ProcessState.ExitCode() == 3 {
		t.Skip("nothing is proven about Express: ", stderr.String())
	}
	if err != nil {
		t.Fatalf("Express cannot be installed: %v\n%s", err, stderr.String())
	}
	cmd := exec.CommandContext(t.Context(), node, "testdata/express/server.js")
	cmd.Env = []string{"NODE_PATH=" + strings.TrimSpace(string(modules)), "NODE_ENV=production", "PATH=" + os.Getenv("PATH")}
	return startForeign(t, cmd)
}

// TestForeignExpress asks an Express application directly and through banyan proxy; the
// answers must be the same, and so must be what the application was sent.
func TestForeignExpress(t *testing.T) {
	app := startExpress(t)
	s := runIn(t, "proxy", "--data-dir", t.TempDir(), "--monolith", "http://"+app, "--log-level", "error")
	front := strings.TrimPrefix(s.url, "http://")
	_, file, _ := raw(t, app, get("/files/server.js"))
	_, object, _ := raw(t, app, get("/json"))
	if file.Get("Etag") == "" || file.Get("Last-Modified") == "" || object.Get("Etag") == "" {
		t.Fatalf("the application gives no validators: %v, %v", file, object)
	}
	post := func(target, kind, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: shop.example\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", target, kind, len(body), body)
	}
	sameAnswers(t, app, front, map[string]string{
		"cookies":              get("/cookies", "Cookie: a=0; b=\"x y\"", "Cookie: c=%3B"),
		"found":                get("/found"),
		"308 with a body":      post("/kept", "text/plain", "kept"),
		"JSON":                 get("/json"),
		"JSON not modified":    get("/json", "If-None-Match: "+object.Get("Etag")),
		"HEAD of JSON":         "HEAD /json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"file":                 get("/files/server.js"),
		"HEAD of a file":       "HEAD /files/server.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"file not modified":    get("/files/server.js", "If-None-Match: "+file.Get("Etag")),
		"file not newer":       get("/files/server.js", "If-Modified-Since: "+file.Get("Last-Modified")),
		"part of a file":       get("/files/server.js", "Range: bytes=5-99"),
		"beyond a file":        get("/files/server.js", "Range: bytes=900000-"),
		"directory":            get("/files"),
		"compressed":           get("/large", "Accept-Encoding: gzip"),
		"compression unasked":  get("/large"),
		"chunked with trailer": get("/chunked"),
		"early hints":          get("/hinted"),
		"fields twice":         get("/twice"),
		"own error page":       get("/broken"),
		"own 404":              get("/none/%3Cb%3E"),
		"own 400":              get("/refused"),
		"no content":           get("/nothing"),
		"OPTIONS":              "OPTIONS /json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"fields as sent":       get("/seen?a=1&a=2&b[c]=%F0%9F%9B%AB", "X-Mixed-Case: 1", "x-twice: a", "X-Twice: b", "Accept: text/html;q=0.9, */*", "User-Agent: old/1.0"),
		"form as sent":         post("/seen", "application/x-www-form-urlencoded", "seats[]=12C&seats[]=12D&name=%C3%A4"),
		"JSON as sent":         post("/seen", "application/json", `{"seats":["12C"],"n":1e3}`),
		"bad JSON":             post("/seen", "application/json", `{"seats":`),
		"chunks as sent":       "POST /seen HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n7\r\n{\"a\":1,\r\n6\r\n\"b\":2}\r\n0\r\n\r\n",
	})
	t.Run("upload of files", func(t *testing.T) { uploadFiles(t, app, front) })
	t.Run("server-sent events", func(t *testing.T) { serverEvents(t, s.url) })
	t.Run("WebSocket", func(t *testing.T) { webSocket(t, app, front) })
}

// uploadFiles sends a form with eight megabytes of files.
func uploadFiles(t *testing.T, app, front string) {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	_ = w.WriteField("title", "Boarding päss")
	sums := make([]string, 0, 2)
	for _, size := range []int{5 << 20, 3<<20 + 1} {
		part, _ := w.CreateFormFile("scan", fmt.Sprintf("page %d.png", size))
		data := make([]byte, size)
		_, _ = rand.Read(data)
		_, _ = part.Write(data)
		sum := sha256.Sum256(data)
		sums = append(sums, hex.EncodeToString(sum[:]))
	}
	_ = w.Close()
	request := fmt.Sprintf("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", w.FormDataContentType(), form.Len(), form.String())
	status, header, body := raw(t, app, request)
	gotStatus, gotHeader, gotBody := raw(t, front, request)
	if gotStatus != status || gotBody != body || !reflect.DeepEqual(gotHeader, header) {
		t.Errorf("directly: %s %v %s\nthrough the proxy: %s %v %s", status, header, body, gotStatus, gotHeader, gotBody)
	}
	for _, text := range append(sums, "201", "Boarding päss") {
		if !strings.Contains(gotStatus+gotBody, text) {
			t.Errorf("the answer has no %s: %s %s", text, gotStatus, gotBody)
		}
	}
}

// serverEvents: the first arrives while the application still keeps the second back.
func serverEvents(t *testing.T, url string) {
	t.Helper()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/events", nil)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	first := make([]byte, len("id: 1\ndata: first\n\n"))
	if _, err := io.ReadFull(resp.Body, first); err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%q %v %v", first, err, resp.Header)
	}
	if status, _ := text(t, url+"/release"); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	if rest := readAll(t, resp.Body); rest != "id: 2\ndata: second\n\n" {
		t.Errorf("the rest is %q", rest)
	}
}

// The operations of a WebSocket's frames, each frame a message of its own.
const (
	wsText   = 0x81
	wsBinary = 0x82
	wsClose  = 0x88
	wsPing   = 0x89
	wsPong   = 0x8a
)

// frame writes a frame; those of a client are masked.
func frame(operation byte, data []byte, masked bool) []byte {
	mask, bit := []byte{1, 2, 3, 4}, byte(0x80)
	if !masked {
		mask, bit = []byte{0, 0, 0, 0}, 0
	}
	out := []byte{operation}
	switch n := len(data); {
	case n < 126:
		out = append(out, bit|byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, bit|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, bit|127), uint64(n))
	}
	if masked {
		out = append(out, mask...)
	}
	for i, b := range data {
		out = append(out, b^mask[i%4])
	}
	return out
}

// webSocket wants the same handshake, the same frames and the same close on both ways.
func webSocket(t *testing.T, app, front string) {
	t.Helper()
	big := make([]byte, 100_000)
	_, _ = rand.Read(big)
	var sent, want []byte
	for _, f := range []struct {
		operation, answer byte
		data              []byte
	}{
		{wsText, wsText, []byte("hello, 世界")},
		{wsBinary, wsBinary, big},
		{wsPing, wsPong, []byte("here?")},
		{wsBinary, wsBinary, nil},
		{wsClose, wsClose, []byte{3, 232}},
	} {
		sent, want = append(sent, frame(f.operation, f.data, true)...), append(want, frame(f.answer, f.data, false)...)
	}
	var heads []http.Header
	for _, address := range []string{app, front} {
		conn := connect(t, address)
		_, _ = io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		in := bufio.NewReader(conn)
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%s: %+v %v", address, resp, err)
		}
		_ = resp.Body.Close()
		resp.Header.Del("X-Banyan-Backend")
		resp.Header.Del("Date")
		heads = append(heads, resp.Header)
		if _, err := conn.Write(sent); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, in); got != string(want) { // to the end, which the close brings
			t.Errorf("%s: %d bytes of frames, not the %d that were sent", address, len(got), len(want))
		}
	}
	if !reflect.DeepEqual(heads[0], heads[1]) || heads[0].Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("directly %v, through the proxy %v", heads[0], heads[1])
	}
}
