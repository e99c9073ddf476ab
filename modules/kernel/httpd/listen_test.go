package httpd_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"banyan/modules/kernel/httpd"
)

// exhausted is a listener that has no files for a while.
type exhausted struct {
	net.Listener
	left int
}

func (e *exhausted) Accept() (net.Conn, error) {
	if e.left > 0 {
		e.left--
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return e.Listener.Accept()
}

// TestAcceptGoesOn: a server that runs out of files serves again when it has some.
func TestAcceptGoesOn(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httpd.New(&http.Server{Handler: http.NotFoundHandler()})
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(&exhausted{Listener: l, left: 4}) }()
	c := (&started{addr: l.Addr().String()}).dial(t)
	c.send(get)
	if resp, _ := c.answer(); resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %s", resp.Status)
	}
	_ = l.Close()
	if err := await(t, "the end", ended); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	_ = s.Close()
}

// TestHTTP2: clients that know of it speak HTTP/2 in clear text on the same port.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = fmt.Fprint(w, r.Proto, " ", r.RemoteAddr != "", " ", string(body))
		w.Header().Set("X-Sum", "1")
	})
	var only http.Protocols
	only.SetUnencryptedHTTP2(true)
	for name, protocols := range map[string]*http.Protocols{"HTTP/2.0": &only, "HTTP/1.1": nil} {
		tr := &http.Transport{Protocols: protocols}
		c := &http.Client{Transport: tr, Timeout: long}
		for range 3 {
			resp, err := c.Post("http://"+s.addr, "text/plain", strings.NewReader("hello"))
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if string(body) != name+" true hello" || resp.Trailer.Get("X-Sum") != "1" {
				t.Errorf("%s: got %q, trailer %v", name, body, resp.Trailer)
			}
		}
		defer tr.CloseIdleConnections()
	}
	if err := s.stop(t.Context()); err != nil {
		t.Error(err)
	}
}
