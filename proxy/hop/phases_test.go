package hop_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"banyan/proxy/hop"
)

// blackhole is an address that takes no connection and refuses none: its queue is full.
func blackhole(t *testing.T) *url.URL {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "blackhole")
	t.Cleanup(func() { _ = f.Close() })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for range 64 { // until one waits
		c, err := (&net.Dialer{Timeout: soon}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			return &url.URL{Scheme: "http", Host: l.Addr().String()}
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatal("the queue never fills")
	return nil
}

// drip sends bytes slowly until the other side has enough.
func drip(c net.Conn, text string) {
	for i := 0; ; i++ {
		if _, err := c.Write([]byte{text[i%len(text)]}); err != nil {
			return
		}
		time.Sleep(tick / 10)
	}
}

// TestPhases: none of them lasts for ever, and each says what was passed.
func TestPhases(t *testing.T) {
	silent := func(_ net.Conn, br *bufio.Reader) { _, _ = io.Copy(io.Discard, br) }
	secure := func(u *url.URL) *url.URL { u.Scheme = "https"; return u }
	for _, c := range []struct {
		name    string
		url     *url.URL
		request string
		want    error
		sent    bool // something may have happened
	}{
		{"connecting", blackhole(t), "", hop.ErrNotSent, false},
		{"handshake", secure(farSide(t, silent)), "", hop.ErrNotSent, false},
		{"a handshake that drips", secure(farSide(t, func(c net.Conn, br *bufio.Reader) {
			_, _ = br.ReadByte()
			drip(c, "\x16\x03\x03\x3f\xff"+strings.Repeat("\x00", 1<<13))
		})), "", hop.ErrNotSent, false},
		{"head", farSide(t, silent), "", hop.ErrTooSlow, true},
		{"head after a body", farSide(t, silent), "Content-Length: 4\r\n\r\nbody", hop.ErrTooSlow, true},
		{"a head that drips", farSide(t, func(c net.Conn, br *bufio.Reader) {
			readHead(br)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX-A: ")
			drip(c, "a")
		}), "", hop.ErrTooSlow, true},
		{"interim answers without end", farSide(t, func(c net.Conn, br *bufio.Reader) {
			readHead(br)
			for err := error(nil); err == nil; {
				_, err = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n")
			}
		}), "", hop.ErrBadAnswer, true},
		{"interim answers that drip", farSide(t, func(c net.Conn, br *bufio.Reader) {
			readHead(br)
			drip(c, "HTTP/1.1 103 Early Hints\r\n\r\n")
		}), "", hop.ErrTooSlow, true},
		{"no 100, and nothing else", farSide(t, silent), "Expect: 100-continue\r\nContent-Length: 4\r\n\r\nbody", hop.ErrTooSlow, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := nearSide(t, hop.Options{URL: c.url, Timeout: soon, Stall: soon})
			conn, _ := n.dial(t)
			method, rest := "GET", "\r\n"
			if c.request != "" {
				method, rest = "POST", c.request
			}
			_, _ = io.WriteString(conn, method+" /a HTTP/1.1\r\nHost: h\r\n"+rest)
			err := within(t, "the request ends", n.ends)
			if !errors.Is(err, c.want) || errors.Is(err, hop.ErrNotSent) == c.sent {
				t.Errorf("it ended with %v, want %v", err, c.want)
			}
		})
	}
}

// TestClosedAtReuse: the backend closes a kept connection just when the next request is
// on its way. A read is sent again, once, on a new connection; a write is not.
func TestClosedAtReuse(t *testing.T) {
	for method, want := range map[string]struct {
		status   int
		arrivals int32
	}{
		http.MethodGet: {http.StatusOK, 3}, http.MethodPost: {http.StatusBadGateway, 2},
	} {
		t.Run(method, func(t *testing.T) {
			var arrivals atomic.Int32
			n := nearSide(t, hop.Options{URL: farSide(t, func(c net.Conn, br *bufio.Reader) {
				for i := range 2 {
					readHead(br)
					if arrivals.Add(1); i == 1 {
						return // it had decided to close before it saw this one
					}
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
			})})
			for _, status := range []int{http.StatusOK, want.status} {
				r, err := http.NewRequestWithContext(t.Context(), method, n.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := n.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if err := within(t, "the request ends", n.ends); resp.StatusCode != status || errors.Is(err, hop.ErrNotSent) {
					t.Errorf("got %s, %v", resp.Status, err)
				}
			}
			if got := arrivals.Load(); got != want.arrivals {
				t.Errorf("the backend got %d requests, want %d", got, want.arrivals)
			}
		})
	}
}
