package httpd

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// isHTTP2 tells whether a connection begins with HTTP/2. It waits for no more bytes than
// agree.
func (c *conn) isHTTP2() bool {
	c.phase, c.headArmed, c.remain = phaseHead, false, c.srv.maxHead
	for i := range len(preface) {
		if ready, err := c.b.in.Peek(i + 1); err != nil || ready[i] != preface[i] {
			return false
		}
	}
	return true
}

// handover is a listener for net/http's Server of the connections that speak HTTP/2.
type handover struct {
	server *http.Server
	begun  sync.Once
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (h *handover) init(config *http.Server) {
	h.server, h.conns, h.closed = config, make(chan net.Conn), make(chan struct{})
	config.Protocols = &http.Protocols{}
	config.Protocols.SetUnencryptedHTTP2(true)
}

// pass hands a connection over, with what was read of it.
func (h *handover) pass(c *conn) {
	h.begun.Do(func() {
		go func() { _ = h.server.Serve(listener{h, c.rwc.LocalAddr()}) }()
	})
	ready, _ := c.b.in.Peek(c.b.in.Buffered())
	k := &prefixed{Conn: c.rwc, first: bytes.Clone(ready)}
	_ = c.rwc.SetDeadline(time.Time{})
	select {
	case h.conns <- k:
		c.phase = phaseTaken
	case <-h.closed:
	}
}

func (h *handover) shutdown(ctx context.Context) error {
	h.once.Do(func() { close(h.closed) })
	return h.server.Shutdown(ctx)
}

func (h *handover) close() error {
	h.once.Do(func() { close(h.closed) })
	if err := h.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// listener is a handover as net/http asks for it.
type listener struct {
	h    *handover
	addr net.Addr
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.h.conns:
		return c, nil
	case <-l.h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l listener) Close() error {
	l.h.once.Do(func() { close(l.h.closed) })
	return nil
}

// Addr implements net.Listener.
func (l listener) Addr() net.Addr { return l.addr }

// prefixed is a connection of which something was read already.
type prefixed struct {
	net.Conn
	first []byte
}

// Read implements net.Conn.
func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.first) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.first)
	if p.first = p.first[n:]; len(p.first) == 0 {
		p.first = nil
	}
	return n, nil
}
