package httpd

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// TestRearm: a deadline is set anew when it no longer gives the limit, or gives more than
// an eighth beyond it.
func TestRearm(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name               string
		armed, from, limit time.Duration
		at                 time.Duration
		changed            bool
	}{
		{"none yet", 0, 100 * s, 8 * s, 109 * s, true},
		{"good", 109 * s, 100 * s, 8 * s, 109 * s, false},
		{"good to the end", 109 * s, 101 * s, 8 * s, 109 * s, false},
		{"too short", 109 * s, 101*s + 1, 8 * s, 110*s + 1, true},
		{"too long", 109 * s, 100*s - 1, 8 * s, 109*s - 1, true},
		{"past", 50 * s, 100 * s, 8 * s, 109 * s, true},
		{"a handler's", unknown, 100 * s, 8 * s, 109 * s, true},
		{"no limit", 109 * s, 100 * s, 0, 0, true},
		{"no limit after a handler's", unknown, 100 * s, -1, 0, true},
		{"no limit, none yet", 0, 100 * s, 0, 0, false},
	} {
		if at, changed := rearm(c.armed, c.from, c.limit); at != c.at || changed != c.changed {
			t.Errorf("%s: %s %v", c.name, at, changed)
		}
	}
}

// TestDate: a text is used until its second is over.
func TestDate(t *testing.T) {
	s := New(&http.Server{})
	s.date.Store(&date{text: "then", until: 5 * time.Second})
	if got := string(s.appendDate(nil, 5*time.Second-1)); got != "then" {
		t.Errorf("before: %s", got)
	}
	got := string(s.appendDate(nil, 5*time.Second))
	if when, err := http.ParseTime(got); err != nil || time.Since(when).Abs() > time.Minute {
		t.Errorf("after: %s, %v", got, err)
	}
	if until := s.date.Load().until; until <= 5*time.Second || until > 6*time.Second {
		t.Errorf("the next is used until %s", until)
	}
}

// TestIdleHoldsNoBuffers: connections that wait share the buffers of the few that work.
func TestIdleHoldsNoBuffers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(&http.Server{Handler: http.NotFoundHandler()})
	var made atomic.Int32
	s.buffers.New = func() any {
		made.Add(1)
		return newBuffers()
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	const connections, rounds = 100, 2 // a pool is emptied by collections, but not that often
	var open [connections]net.Conn
	for round := range rounds {
		for i := range open {
			if round == 0 {
				if open[i], err = net.Dial("tcp", l.Addr().String()); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = open[i].Close() }()
				_ = open[i].SetDeadline(time.Now().Add(20 * time.Second))
			}
			_, _ = open[i].Write([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
			resp, err := http.ReadResponse(bufio.NewReader(open[i]), nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
	}
	_ = s.Close()
	_ = l.Close()
	<-ended
	if n := made.Load(); n == 0 || n > connections/2 && !racing {
		t.Errorf("%d connections needed %d buffers", connections, n)
	}
}
