package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/canary"
)

// all sends everything of the flights route to a backend.
func all(t *testing.T, h http.Handler) *world {
	t.Helper()
	return start(t, config(startBackend(t, h).URL, flightsRoute(canary.Full)), nil)
}

// TestBackendDies: reads go on through kill and restart, and writes, too, once nothing
// connects any more; the monolith stands in.
func TestBackendDies(t *testing.T) {
	far := startBackend(t, named("flights"))
	w := start(t, config(far.URL, flightsRoute(canary.Full)), sqliteStore(t))
	l := w.load(http.MethodGet)
	time.Sleep(100 * time.Millisecond)
	far.CloseClientConnections() // as a kill does: connections break in the middle
	_ = far.Listener.Close()
	far.CloseClientConnections()
	eventually(t, "it is unhealthy", func() bool {
		v, err := w.router.Route("flights")
		return err == nil && v.Backends[1].Health == "unhealthy"
	})
	if got := w.shares(30); got["monolith"] != 30 {
		t.Errorf("the monolith does not stand in: %v", got)
	}
	l.none(t)
	l = w.load(http.MethodPost)
	restarted, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", far.Listener.Addr().String())
	if err != nil {
		t.Fatal("the backend's port cannot be had again: ", err)
	}
	srv := &http.Server{Handler: named("flights"), ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(restarted) }()
	t.Cleanup(func() { _ = srv.Close() })
	eventually(t, "it is healthy again", func() bool { backend, _ := w.get(1); return backend == "flights" })
	l.none(t)
}

// TestNothingListens: without health checks having noticed yet, a write that was never
// sent goes to the monolith with its body.
func TestNothingListens(t *testing.T) {
	file := strings.Replace(config(deadAddress(t), flightsRoute(canary.Full)), "interval: 250ms", "interval: 10m", 1)
	w := start(t, file, nil)
	for _, body := range []io.Reader{nil, strings.NewReader("small"), io.MultiReader(strings.NewReader("chunked"))} {
		resp := w.post(t, "/v1/flights", body)
		if resp.StatusCode != http.StatusOK || resp.Header.Get(proxy.BackendHeader) != "monolith" {
			t.Errorf("got %s from %s", resp.Status, resp.Header.Get(proxy.BackendHeader))
		}
		text, _ := io.ReadAll(resp.Body)
		if _, sent := body.(*strings.Reader); sent && string(text) != "monolith POST /v1/flights small" {
			t.Errorf("the monolith got %q", text)
		}
	}
}

func (w *world) post(t *testing.T, path string, body io.Reader) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.front.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Idempotency-Key", "k1")
	resp, err := w.front.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// TestWritesAreNeverSentTwice: the backend reads the request and breaks off. Whether it
// happened is not known, so nobody else may get it, key or no key.
func TestWritesAreNeverSentTwice(t *testing.T) {
	var got atomic.Int64
	w := all(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Header.Get("X-Break") == "" && got.Add(1) == 1 {
			return // a first one that works, so that the connection is kept
		}
		panic(http.ErrAbortHandler)
	}))
	_ = w.post(t, "/v1/flights", nil)
	for _, body := range []io.Reader{strings.NewReader("x"), nil} {
		got.Store(1)
		resp := w.post(t, "/v1/flights", body)
		if resp.StatusCode != http.StatusBadGateway || got.Load() != 2 {
			t.Errorf("got %s, and the backend got it %d times", resp.Status, got.Load()-1)
		}
		if e := web.ErrorFrom(resp); errs.CodeOf(e) != errs.BadGateway {
			t.Errorf("the error is %v", e)
		}
	}
	if backend, status := w.get(1); backend != "monolith" || status != http.StatusOK {
		t.Errorf("a read got %d from %s, want the monolith to stand in", status, backend)
	}
}

func TestTooSlow(t *testing.T) {
	hang := make(chan struct{})
	far := startBackend(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}
	}))
	t.Cleanup(func() { close(hang) }) // before the server waits for its handlers
	w := start(t, strings.ReplaceAll(config(far.URL, flightsRoute(canary.Full)), "timeout: 2s", "timeout: 100ms"), nil)
	for _, body := range []io.Reader{nil, strings.NewReader("x"), io.MultiReader(strings.NewReader("chunked"))} {
		began := time.Now()
		resp := w.post(t, "/v1/flights", body)
		if e := web.ErrorFrom(resp); errs.CodeOf(e) != errs.GatewayTimeout || resp.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("got %s, %v", resp.Status, e)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s", took)
		}
	}
}

// TestHeaders: what belongs to the hop stays, what the client claimed about hops is
// replaced, ids are passed on and come back once.
func TestHeaders(t *testing.T) {
	seen := make(chan *http.Request, 1)
	w := all(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			seen <- r
		}
		rw.Header().Set(web.RequestIDHeader, "from-the-backend")
		rw.Header().Set(proxy.BackendHeader, "liar")
		rw.Header().Set("Keep-Alive", "x")
	}))
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.front.URL+"/v1/flights?a=%zz&b=1;2", strings.NewReader("x"))
	for k, v := range map[string]string{
		"Connection": "X-Hop", "X-Hop": "1", "Proxy-Authorization": "secret", "Te": "gzip", "X-Forwarded-For": "6.6.6.6",
		"X-Forwarded-Host": "evil", "Forwarded": "for=6.6.6.6", "X-Request-Id": "id-1", "Idempotency-Key": "k", "X-Hold-Token": "t",
	} {
		r.Header.Set(k, v)
	}
	resp, err := w.front.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	got := <-seen
	for k, want := range map[string]string{
		"X-Hop": "", "Proxy-Authorization": "", "Te": "", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http",
		"X-Request-Id": "id-1", "Idempotency-Key": "k", "X-Hold-Token": "t", "X-Forwarded-Host": strings.TrimPrefix(w.front.URL, "http://"),
		"Forwarded": `for=127.0.0.1;host="` + strings.TrimPrefix(w.front.URL, "http://") + `";proto=http`,
	} {
		if v := strings.Join(got.Header.Values(k), ","); v != want {
			t.Errorf("the backend got %s %q, want %q", k, v, want)
		}
	}
	if got.URL.RawQuery != "a=%zz&b=1;2" {
		t.Errorf("the query arrived as %q", got.URL.RawQuery)
	}
	for k, want := range map[string]string{proxy.BackendHeader: "flights", web.RequestIDHeader: "id-1", "Keep-Alive": ""} {
		if v := strings.Join(resp.Header.Values(k), ","); v != want {
			t.Errorf("the client got %s %q, want %q", k, v, want)
		}
	}
}

// TestStreams: an answer's parts arrive as they are sent, and so do a request's.
func TestStreams(t *testing.T) {
	w := all(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			return
		}
		rc := http.NewResponseController(rw)
		_ = rc.EnableFullDuplex()
		rw.WriteHeader(http.StatusOK)
		_ = rc.Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = fmt.Fprintln(rw, "echo", lines.Text())
			_ = rc.Flush()
		}
	}))
	in, out := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = in.Close() })()
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.front.URL+"/v1/flights", in)
	go func() { _, _ = fmt.Fprintln(out, "one") }()
	resp, err := w.front.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answers := bufio.NewScanner(resp.Body)
	for i, word := range []string{"one", "two", "three"} {
		if i > 0 {
			_, _ = fmt.Fprintln(out, word)
		}
		if !answers.Scan() || answers.Text() != "echo "+word {
			t.Fatalf("got %q, %v", answers.Text(), answers.Err())
		}
	}
	_ = out.Close()
}

func TestBigBodies(t *testing.T) {
	w := all(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a server that answers first would lose the rest
		_, _ = rw.Write(body)
	}))
	for _, size := range []int{1, 64 << 10, 64<<10 + 1, 3 << 20} {
		sent := bytes.Repeat([]byte("abcdefg\n"), size/8+1)[:size]
		resp := w.post(t, "/v1/flights", bytes.NewReader(sent))
		if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d bytes came back as %d, %v", size, len(got), err)
		}
	}
}

// TestClientLeaves: the backend learns of it.
func TestClientLeaves(t *testing.T) {
	began, left := make(chan struct{}), make(chan struct{})
	w := all(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			close(began)
			<-r.Context().Done()
			close(left)
		}
	}))
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, w.front.URL+"/v1/flights", nil)
	go func() {
		<-began
		cancel()
	}()
	if resp, err := w.front.Client().Do(r); err == nil {
		_ = resp.Body.Close()
		t.Fatal("the client left, and got an answer")
	}
	select {
	case <-left:
	case <-time.After(5 * time.Second):
		t.Error("the backend still works for a client that left")
	}
}
