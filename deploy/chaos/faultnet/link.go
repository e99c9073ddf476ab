package faultnet

import (
	"io"
	"net"
	"time"
)

const (
	pieceBytes  = 32 << 10
	maxSaid     = 4 << 20 // a longer stream is not sent again
	repeatReply = time.Second
)

// link is one connection through the proxy.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	lost           Direction // what was swallowed; guarded by proxy.mu

	// Of the stream to the server, whose pump alone uses them until both have ended.
	begun, again bool
	said         []byte
}

// reset closes both ends so that their peers see an error rather than an end.
func (l *link) reset() {
	for _, c := range []net.Conn{l.client, l.server} {
		if c == nil {
			continue
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}

// pump moves one direction until its end, piece by piece.
func (l *link) pump(to, from net.Conn, d Direction) {
	piece := make([]byte, pieceBytes)
	for {
		n, err := from.Read(piece)
		if n > 0 && !l.pass(to, piece[:n], d) {
			l.reset()
			return
		}
		if err != nil {
			if err != io.EOF { //nolint:errorlint // Read gives io.EOF itself
				l.reset()
			} else if tcp, ok := to.(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
			}
			return
		}
	}
}

// pass carries a piece, as the fault in force allows; false ends the link.
func (l *link) pass(to net.Conn, piece []byte, d Direction) bool {
	f, swallow := l.proxy.now(l, d)
	if hold := f.hold(); hold > 0 {
		if !pause(l.proxy.ctx, hold) {
			return false
		}
		_, swallow = l.proxy.now(l, d)
	}
	if swallow {
		return true
	}
	if d == ToServer {
		l.remember(f, piece)
	}
	_, err := to.Write(piece)
	return err == nil
}

// remember keeps what the client says, if it is to be said again.
func (l *link) remember(f Fault, piece []byte) {
	if !l.begun {
		l.begun, l.again = true, f.Again != nil && f.Again(piece)
	}
	if l.again && len(l.said)+len(piece) > maxSaid {
		l.again, l.said = false, nil
	}
	if l.again {
		l.said = append(l.said, piece...)
	}
}

// repeat says to the server what somebody said before, and listens for a while so that
// it is not interrupted.
func (p *Proxy) repeat(said []byte) {
	server, err := p.dial()
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	_ = server.SetDeadline(time.Now().Add(repeatReply))
	p.workers.Go(func() { _, _ = server.Write(said) })
	p.mu.Lock()
	p.stats.Repeated++
	p.mu.Unlock()
	_, _ = io.Copy(io.Discard, server)
}
