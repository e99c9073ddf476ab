package hop_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"banyan/proxy/hop"
)

type anything struct{}

func (anything) Head(int, http.Header) error { return nil }

// FuzzAnswer: whatever a backend sends, the client gets an error or a response that
// net/http reads the same way, with one meaning.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-A: 1\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nabc", "HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: X-A\r\nX-A: 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\n\r\n", "\r\n\r\n", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		w, ok := through(t, answer)
		if !ok {
			return
		}
		for name, values := range w.Header() {
			for _, v := range values {
				if strings.ContainsAny(name+v, "\r\n\x00") {
					t.Errorf("the header %q: %q", name, v)
				}
			}
		}
		for _, name := range []string{"Connection", "Transfer-Encoding", "Keep-Alive", "Upgrade"} {
			if w.Header().Get(name) != "" {
				t.Errorf("%s was passed on", name)
			}
		}
		br := bufio.NewReader(strings.NewReader(string(answer)))
		want, err := http.ReadResponse(br, nil)
		for err == nil && want.StatusCode < 200 {
			want, err = http.ReadResponse(br, nil)
		}
		if err != nil {
			t.Fatalf("net/http refuses what was passed on: %v", err)
		}
		body, err := io.ReadAll(want.Body)
		if err != nil || want.StatusCode != w.Code || string(body) != w.Body.String() {
			t.Errorf("passed on: %d %q; net/http reads %d %q, %v", w.Code, w.Body, want.StatusCode, body, err)
		}
		if n := w.Header().Get("Content-Length"); n != "" && w.Code != http.StatusNotModified && n != strconv.Itoa(w.Body.Len()) {
			t.Errorf("the length is %s, of %d bytes", n, w.Body.Len())
		}
	})
}

// through sends a request to a server that answers with these bytes; false: it failed.
func through(t *testing.T, answer []byte) (w *httptest.ResponseRecorder, ok bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = c.Write(answer)
		_ = c.Close()
	}()
	u := hop.New(hop.Options{URL: &url.URL{Scheme: "http", Host: l.Addr().String()}, Timeout: 2 * time.Second})
	defer u.Close()
	w = httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			if err, is := p.(error); !is || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			ok = false
		}
	}()
	r := httptest.NewRequest(http.MethodGet, "/a", nil).WithContext(t.Context())
	return w, u.Do(finals{w}, r, &hop.Call{Judge: anything{}}) == nil
}

// finals leaves answers of 1xx out, which a ResponseRecorder takes for the answer.
type finals struct{ *httptest.ResponseRecorder }

func (f finals) WriteHeader(status int) {
	if status >= http.StatusOK {
		f.ResponseRecorder.WriteHeader(status)
	}
}

// TestStall: a stream that is silent before its head is given up after the timeout.
func TestStall(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	u := hop.New(hop.Options{URL: &url.URL{Scheme: "http", Host: l.Addr().String()}, Timeout: 50 * time.Millisecond})
	t.Cleanup(u.Close)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r := httptest.NewRequest(method, "/a", nil).WithContext(t.Context())
		err := u.Do(httptest.NewRecorder(), r, &hop.Call{Judge: anything{}})
		if err == nil || !strings.Contains(err.Error(), hop.ErrTooSlow.Error()) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// TestRequestsThatCannotBeWritten: net/http lets none of these through, but what runs in
// this process may make them.
func TestRequestsThatCannotBeWritten(t *testing.T) {
	for name, spoil := range map[string]func(r *http.Request){
		"CR LF in a value":       func(r *http.Request) { r.Header["X-A"] = []string{"1\r\nX-B: 2"} },
		"LF in a value":          func(r *http.Request) { r.Header["X-A"] = []string{"1\nX-B: 2"} },
		"NUL in a value":         func(r *http.Request) { r.Header["X-A"] = []string{"\x00"} },
		"a colon in a name":      func(r *http.Request) { r.Header["X-A: 1\r\nX-B"] = []string{"2"} },
		"a space in the method":  func(r *http.Request) { r.Method = "GET /x HTTP/1.1\r\nX:" },
		"CR LF in the target":    func(r *http.Request) { r.RequestURI = "/a HTTP/1.1\r\nX: y" },
		"a target that is none":  func(r *http.Request) { r.RequestURI = "a"; r.URL = &url.URL{Opaque: "a"} },
		"CONNECT":                func(r *http.Request) { r.Method = http.MethodConnect },
		"an asterisk with a GET": func(r *http.Request) { r.RequestURI = "*"; r.URL = &url.URL{Path: "*"} },
	} {
		t.Run(name, func(t *testing.T) {
			heads := make(chan string, 1)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				all, _ := io.ReadAll(c)
				heads <- string(all)
			}()
			u := hop.New(hop.Options{URL: &url.URL{Scheme: "http", Host: l.Addr().String()}, Timeout: 200 * time.Millisecond})
			r := httptest.NewRequest(http.MethodGet, "/a", nil)
			spoil(r)
			if err := u.Do(httptest.NewRecorder(), r, &hop.Call{Judge: anything{}}); err == nil || !strings.Contains(err.Error(), hop.ErrBadRequest.Error()) {
				t.Errorf("got %v", err)
			}
			u.Close()
			if got := <-heads; got != "" {
				t.Errorf("the backend got %q", got)
			}
		})
	}
}
