package faultnet_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"banyan/deploy/chaos/faultnet"
)

// echo is a server that gives every line back, and remembers it.
type echo struct {
	addr string

	mu   sync.Mutex
	said []string
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	e := &echo{addr: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go e.serve(c)
		}
	}()
	return e
}

func (e *echo) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	for r := bufio.NewReader(c); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		e.mu.Lock()
		e.said = append(e.said, line)
		e.mu.Unlock()
		if _, err := io.WriteString(c, line); err != nil {
			return
		}
	}
}

// heard waits until the server has heard so many lines.
func (e *echo) heard(t *testing.T, n int) []string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		e.mu.Lock()
		said := append([]string(nil), e.said...)
		e.mu.Unlock()
		if len(said) >= n {
			return said
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server heard %q, want %d lines", said, n)
		}
	}
}

func start(t *testing.T) (*echo, *faultnet.Proxy) {
	t.Helper()
	e := newEcho(t)
	p, err := faultnet.Listen(t.Context(), "127.0.0.1:0", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return e, p
}

// conn is a client of the echo.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return conn{c, bufio.NewReader(c)}
}

func (c conn) say(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(c, line); err != nil {
		t.Fatal(err)
	}
}

func (c conn) hear(t *testing.T, want string) {
	t.Helper()
	if got, err := c.r.ReadString('\n'); got != want {
		t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

func set(t *testing.T, p *faultnet.Proxy, f faultnet.Fault) {
	t.Helper()
	if err := p.Set(f); err != nil {
		t.Fatal(err)
	}
}

func TestCarriesBothWaysAndEnds(t *testing.T) {
	_, p := start(t)
	c := dial(t, p.Addr())
	big := string(bytes.Repeat([]byte("x"), 1<<20)) + "\n"
	go func() { _, _ = io.WriteString(c, big) }()
	c.hear(t, big)
	c.say(t, "last\n")
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	c.hear(t, "last\n")
	if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestDelay(t *testing.T) {
	_, p := start(t)
	c := dial(t, p.Addr())
	const each = 30 * time.Millisecond
	set(t, p, faultnet.Fault{Delay: each, Jitter: time.Millisecond})
	began := time.Now()
	c.say(t, "slow\n")
	c.hear(t, "slow\n")
	if took := time.Since(began); took < 2*each {
		t.Errorf("there and back took %s", took)
	}
}

func TestCut(t *testing.T) {
	_, p := start(t)
	c := dial(t, p.Addr())
	c.say(t, "a\n")
	c.hear(t, "a\n")
	if n := p.Cut(); n != 1 {
		t.Errorf("cut %d connections", n)
	}
	if _, err := c.r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after the cut: %v", err)
	}
	again := dial(t, p.Addr())
	again.say(t, "b\n")
	again.hear(t, "b\n")
}

func TestRefuse(t *testing.T) {
	_, p := start(t)
	open := dial(t, p.Addr())
	open.say(t, "a\n")
	open.hear(t, "a\n")
	for range 2 { // setting a fault twice is no error
		set(t, p, faultnet.Fault{Refuse: true})
	}
	if c, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialled %v, %v", c, err)
	}
	open.say(t, "still open\n")
	open.hear(t, "still open\n")
	set(t, p, faultnet.Fault{})
	c := dial(t, p.Addr())
	c.say(t, "b\n")
	c.hear(t, "b\n")
}

// TestSwallow loses one direction at a time: the other one goes on, and what was open is
// cut when the fault ends.
func TestSwallow(t *testing.T) {
	for name, c := range map[string]struct {
		lost  faultnet.Direction
		heard []string // by the server
	}{
		"to the server": {faultnet.ToServer, []string{"a\n"}},
		"to the client": {faultnet.ToClient, []string{"a\n", "b\n"}},
	} {
		e, p := start(t)
		old := dial(t, p.Addr())
		old.say(t, "a\n")
		old.hear(t, "a\n")
		set(t, p, faultnet.Fault{Swallow: c.lost})
		old.say(t, "b\n")
		for deadline := time.Now().Add(10 * time.Second); p.Stats().Swallowed == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: nothing was swallowed", name)
			}
		}
		set(t, p, faultnet.Fault{})
		if _, err := old.r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: a connection with a gap lives on: %v", name, err)
		}
		fresh := dial(t, p.Addr())
		fresh.say(t, "c\n")
		fresh.hear(t, "c\n")
		want := append(c.heard, "c\n")
		if said := e.heard(t, len(want)); len(said) != len(want) || said[len(said)-2] != want[len(want)-2] {
			t.Errorf("%s: the server heard %q, want %q", name, said, want)
		}
	}
}

// TestAgain says a stream twice, but only one that was asked for.
func TestAgain(t *testing.T) {
	e, p := start(t)
	set(t, p, faultnet.Fault{Again: func(first []byte) bool { return bytes.HasPrefix(first, []byte("twice")) }})
	for _, line := range []string{"once\n", "twice\n"} {
		c := dial(t, p.Addr())
		c.say(t, line)
		c.hear(t, line)
		c.say(t, "and "+line)
		c.hear(t, "and "+line)
		_ = c.Close()
	}
	got := e.heard(t, 6)
	want := []string{"once\n", "and once\n", "twice\n", "and twice\n", "twice\n", "and twice\n"}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("the server heard %q, want %q", got, want)
		}
	}
	if s := p.Stats(); s.Repeated != 1 || s.Opened != 2 {
		t.Errorf("it counts %+v", s)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	_, p := start(t)
	c := dial(t, p.Addr())
	c.say(t, "a\n")
	c.hear(t, "a\n")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.r.ReadByte(); err == nil {
		t.Error("a connection outlives the proxy")
	}
	if _, err := net.Dial("tcp", p.Addr()); err == nil {
		t.Error("the port outlives the proxy")
	}
	if err := p.Set(faultnet.Fault{}); err == nil {
		t.Error("a closed proxy opens again")
	}
}
