package hop_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"banyan/proxy/hop"
)

const (
	soon  = 200 * time.Millisecond // a bound that is meant to be reached
	later = 2 * time.Second        // one that is not, even on a busy machine
	tick  = 100 * time.Millisecond // the pace of what moves slowly
	ticks = 25                     // longer in total than later
	never = 20 * time.Second       // a test waits for so long
)

// farSide is a backend of raw connections, one for each call of serve.
func farSide(t *testing.T, serve func(c net.Conn, br *bufio.Reader)) *url.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(never))
			go func() {
				defer func() { _ = c.Close() }()
				serve(c, bufio.NewReader(c))
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return &url.URL{Scheme: "http", Host: l.Addr().String()}
}

// readHead reads up to the empty line.
func readHead(br *bufio.Reader) {
	for {
		if line, err := br.ReadString('\n'); err != nil || line == "\r\n" {
			return
		}
	}
}

// near is a server whose every request goes over a hop.
type near struct {
	*httptest.Server
	ends  chan error // how requests ended; http.ErrAbortHandler: the client was cut off
	broke chan error // what Options.Broke was told
}

func nearSide(t *testing.T, o hop.Options) *near {
	t.Helper()
	n := &near{ends: make(chan error, 10), broke: make(chan error, 10)}
	o.Broke = func(err error) { n.broke <- err }
	if o.Timeout == 0 {
		o.Timeout = later
	}
	var u hop.Sender = hop.New(o)
	if o.URL.Scheme == "h2c" {
		o.URL.Scheme = "http"
		u = hop.NewH2C(o)
	}
	t.Cleanup(u.Close)
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				n.ends <- http.ErrAbortHandler
				panic(p)
			}
		}()
		_ = http.NewResponseController(w).EnableFullDuplex()
		call := hop.Call{Judge: anything{}}
		if r.ContentLength != 0 {
			call.Stream = r.Body
		}
		if r.Header.Get("X-Patient") != "" {
			call.Stream = patient{r.Body, http.NewResponseController(w)}
		}
		err := u.Do(w, r, &call)
		n.ends <- err
		if err != nil {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(n.Close)
	return n
}

// patient is a body whose edge would wait for it longer than the hop does.
type patient struct {
	io.Reader
	control *http.ResponseController
}

func (p patient) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(time.Now().Add(never))
	return p.Reader.Read(b)
}

// dial gives a client that sends bytes.
func (n *near) dial(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", n.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(never))
	return c, bufio.NewReader(c)
}

// get asks and reads the answer's head.
func (n *near) get(t *testing.T, header string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	c, br := n.dial(t)
	_, _ = io.WriteString(c, "GET /a HTTP/1.1\r\nHost: h\r\n"+header+"\r\n")
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, br, resp
}

// within gives what a channel gives, and fails the test if that is nothing.
func within[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(never):
		t.Fatalf("never happened: %s", what)
		panic("unreachable")
	}
}

// TestBackendStalls in the middle of a body: the client is cut off, and so is the backend.
func TestBackendStalls(t *testing.T) {
	for name, answer := range map[string]string{
		"short":   "Content-Length: 100\r\n\r\npart",
		"long":    "Content-Length: 1000000\r\n\r\npart",
		"chunked": "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
		"inside":  "Transfer-Encoding: chunked\r\n\r\n400\r\npart",
		"trailer": "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n0\r\nX-A: 1\r\n",
		"endless": "\r\npart",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			freed := make(chan struct{})
			n := nearSide(t, hop.Options{Stall: soon, Timeout: soon, URL: farSide(t, func(c net.Conn, br *bufio.Reader) {
				readHead(br)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+answer)
				_, _ = br.ReadByte() // until it is closed
				close(freed)
			})})
			_, _, resp := n.get(t, "")
			if body, err := io.ReadAll(resp.Body); err == nil || string(body) != "part" {
				t.Errorf("it reads as %q, %v", body, err)
			}
			if err := within(t, "the request ends", n.ends); !errors.Is(err, http.ErrAbortHandler) {
				t.Errorf("it ended with %v", err)
			}
			if err := within(t, "it is told", n.broke); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the cause is %v", err)
			}
			within(t, "the backend's connection is closed", freed)
		})
	}
}

// TestBackendStallsH2C: so it is over HTTP/2.
func TestBackendStallsH2C(t *testing.T) {
	left := make(chan struct{})
	far := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "part")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(left)
	}))
	far.Config.Protocols = &http.Protocols{}
	far.Config.Protocols.SetUnencryptedHTTP2(true)
	far.Start()
	t.Cleanup(far.Close)
	n := nearSide(t, hop.Options{Stall: soon, URL: &url.URL{Scheme: "h2c", Host: far.Listener.Addr().String()}})
	_, _, resp := n.get(t, "")
	if body, err := io.ReadAll(resp.Body); err == nil || string(body) != "part" {
		t.Errorf("it reads as %q, %v", body, err)
	}
	_ = within(t, "it is told", n.broke)
	within(t, "the backend learns of it", left)
}

// TestClientStopsReading: it is cut off, and the backend's connection is free again.
func TestClientStopsReading(t *testing.T) {
	for name, header := range map[string]string{"length": "Content-Length: 10000000000", "chunked": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			freed := make(chan error, 1)
			n := nearSide(t, hop.Options{Stall: later, URL: farSide(t, func(c net.Conn, br *bufio.Reader) {
				readHead(br)
				_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n"+header+"\r\n\r\n")
				for piece := "8000\r\n" + strings.Repeat("x", 0x8000) + "\r\n"; err == nil; {
					_, err = io.WriteString(c, piece)
				}
				freed <- err
			})})
			n.get(t, "")
			if err := within(t, "the request ends", n.ends); !errors.Is(err, http.ErrAbortHandler) {
				t.Errorf("it ended with %v", err)
			}
			if err := within(t, "the backend's connection is closed", freed); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the backend had to give up itself")
			}
			select {
			case err := <-n.broke:
				t.Errorf("the backend is blamed: %v", err)
			default:
			}
		})
	}
}

// TestClientStopsSending: it is told so, whatever the backend thinks, whose connection is
// closed before the body looks whole.
func TestClientStopsSending(t *testing.T) {
	for name, request := range map[string]string{
		"length":         "Content-Length: 100000\r\n\r\npart",
		"chunked":        "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
		"a patient edge": "X-Patient: 1\r\nContent-Length: 100000\r\n\r\npart",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 1)
			n := nearSide(t, hop.Options{Stall: soon, URL: farSide(t, func(_ net.Conn, br *bufio.Reader) {
				readHead(br)
				all, _ := io.ReadAll(br)
				got <- string(all)
			})})
			c, br := n.dial(t)
			_, _ = io.WriteString(c, "POST /a HTTP/1.1\r\nHost: h\r\n"+request)
			if resp, err := http.ReadResponse(br, nil); err != nil || resp.StatusCode != http.StatusBadGateway || !resp.Close {
				t.Errorf("the answer is %v, %v", resp, err)
			}
			if err := within(t, "the request ends", n.ends); !errors.Is(err, hop.ErrBody) || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("it ended with %v", err)
			}
			if body := within(t, "the backend's connection is closed", got); !strings.Contains(body, "part") || strings.HasSuffix(body, "0\r\n\r\n") {
				t.Errorf("the backend got %q", body)
			}
		})
	}
}

// TestBackendStopsTaking: a body that it does not read is the backend's fault.
func TestBackendStopsTaking(t *testing.T) {
	t.Parallel()
	given, ended := make(chan struct{}), make(chan error, 1)
	n := nearSide(t, hop.Options{Stall: later, URL: farSide(t, func(_ net.Conn, br *bufio.Reader) {
		readHead(br)
		<-given
		_, err := io.Copy(io.Discard, br)
		ended <- err
	})})
	c, _ := n.dial(t)
	_, err := io.WriteString(c, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n")
	for piece := strings.Repeat("x", 1<<20); err == nil; {
		_, err = io.WriteString(c, piece)
	}
	if err := within(t, "the request ends", n.ends); !errors.Is(err, hop.ErrTooSlow) || errors.Is(err, hop.ErrBody) {
		t.Errorf("it ended with %v", err)
	}
	close(given)
	if err := within(t, "the backend's connection is closed", ended); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it was not")
	}
}

// TestSlowStreams that never pause for long live on, in both directions.
func TestSlowStreams(t *testing.T) {
	t.Run("answer", func(t *testing.T) {
		t.Parallel()
		n := nearSide(t, hop.Options{Stall: later, Timeout: soon, URL: farSide(t, func(c net.Conn, br *bufio.Reader) {
			readHead(br)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			for range ticks {
				_, _ = io.WriteString(c, "1\r\nx\r\n")
				time.Sleep(tick)
			}
			_, _ = io.WriteString(c, "0\r\n\r\n")
		})})
		_, _, resp := n.get(t, "")
		if body, err := io.ReadAll(resp.Body); err != nil || len(body) != ticks {
			t.Errorf("%d bytes, %v", len(body), err)
		}
	})
	t.Run("request", func(t *testing.T) {
		t.Parallel()
		n := nearSide(t, hop.Options{Stall: later, Timeout: later, URL: farSide(t, func(c net.Conn, br *bufio.Reader) {
			readHead(br)
			body := make([]byte, ticks)
			m, _ := io.ReadFull(br, body)
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Got: %d\r\n\r\nok", m)
		})})
		c, br := n.dial(t)
		_, _ = fmt.Fprintf(c, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", ticks)
		for range ticks {
			_, _ = io.WriteString(c, "x")
			time.Sleep(tick)
		}
		if resp, err := http.ReadResponse(br, nil); err != nil || resp.Header.Get("X-Got") != fmt.Sprint(ticks) {
			t.Errorf("got %v, %v", resp, err)
		}
	})
}

const (
	upgrade  = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	upgraded = "HTTP/1.1 101 Switching Protocols\r\n" + upgrade + "\r\n"
)

// TestIdleTunnel: one in which nothing moves either way ends on both sides.
func TestIdleTunnel(t *testing.T) {
	ended := make(chan error, 1)
	n := nearSide(t, hop.Options{TunnelIdle: soon, URL: farSide(t, func(c net.Conn, br *bufio.Reader) {
		readHead(br)
		_, _ = io.WriteString(c, upgraded+"hello")
		_, err := br.ReadByte()
		ended <- err
	})})
	_, br, _ := n.get(t, upgrade)
	if got, err := io.ReadAll(br); string(got) != "hello" || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the client got %q, %v", got, err)
	}
	if err := within(t, "the backend's side ends", ended); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the backend had to give up itself")
	}
	_ = within(t, "the request ends", n.ends)
}

// TestOneWayTunnel: what moves one way keeps the other way open.
func TestOneWayTunnel(t *testing.T) {
	n := nearSide(t, hop.Options{TunnelIdle: later, Stall: later, URL: farSide(t, func(c net.Conn, br *bufio.Reader) {
		readHead(br)
		_, _ = io.WriteString(c, upgraded)
		for range ticks {
			_, _ = io.WriteString(c, "x")
			time.Sleep(tick)
		}
		line, _ := br.ReadString('\n')
		_, _ = io.WriteString(c, line)
	})})
	c, br, _ := n.get(t, upgrade)
	if _, err := io.ReadFull(br, make([]byte, ticks)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "still here\n")
	if got, err := io.ReadAll(br); string(got) != "still here\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestFullTunnel: a side that does not take what comes is cut off.
func TestFullTunnel(t *testing.T) {
	ended := make(chan error, 1)
	n := nearSide(t, hop.Options{Stall: soon, URL: farSide(t, func(c net.Conn, br *bufio.Reader) {
		readHead(br)
		_, err := io.WriteString(c, upgraded)
		for piece := strings.Repeat("x", 1<<20); err == nil; {
			_, err = io.WriteString(c, piece)
		}
		ended <- err
	})})
	n.get(t, upgrade) // and reads nothing
	if err := within(t, "the backend's side ends", ended); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the backend had to give up itself")
	}
	_ = within(t, "the request ends", n.ends)
}
