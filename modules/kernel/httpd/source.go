package httpd

import (
	"errors"
	"io"
	"net"
	"time"

	"banyan/modules/kernel/rawnet"
)

// phase is what the bytes are for that are read next.
type phase int

const (
	phaseWait  phase = iota // for the first of a request
	phaseHead               // they are counted
	phaseBody               // in the handler
	phaseTaken              // by the handler, for itself
)

// unknown is a deadline that somebody else has set.
const unknown = -time.Hour

// source is a conn as what its bufio.Reader reads from.
type source conn

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	c := (*conn)(s)
	switch c.phase {
	case phaseWait:
		if c.hasByte {
			return c.takePending(p), nil
		}
		if !c.trying {
			return c.rwc.Read(p)
		}
		return rawnet.TryRead(c.fd, p)
	case phaseHead:
		return c.readHead(p)
	case phaseBody:
		return c.readBody(p)
	default:
		if c.hasByte {
			return c.takePending(p), nil
		}
		return c.rwc.Read(p)
	}
}

func (c *conn) takePending(p []byte) int {
	p[0], c.hasByte = c.pending[0], false
	return 1
}

// readHead reads more of a head than its first bytes, within the head's bounds.
func (c *conn) readHead(p []byte) (int, error) {
	if c.remain <= 0 {
		return 0, io.EOF
	}
	if !c.headArmed {
		c.headArmed = true
		c.armRead(c.srv.now(), c.srv.headTime)
	}
	n, err := 0, error(nil)
	if p = p[:min(len(p), c.remain)]; c.hasByte {
		n = c.takePending(p)
	} else {
		n, err = c.rwc.Read(p)
	}
	c.remain -= n
	c.b.head = append(c.b.head, p[:n]...)
	return n, err
}

// readBody reads some of a body, or whatever else somebody reads during a request. An
// error means that the client is no longer there.
func (c *conn) readBody(p []byte) (int, error) {
	c.mu.Lock()
	if c.hasByte {
		defer c.mu.Unlock()
		return c.takePending(p), nil
	}
	if !c.bodyArmed {
		c.bodyArmed = true
		c.armRead(c.begun, c.srv.config.ReadTimeout)
	}
	c.inRead = true
	c.mu.Unlock()
	n, err := c.rwc.Read(p)
	c.readEnded(err)
	return n, err
}

func (c *conn) readEnded(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && (!c.aborted || !isTimeout(err)) {
		c.cancel()
	}
	c.inRead, c.aborted = false, false
	c.cond.Broadcast()
}

// endRead ends a read that is under way beside the handler, and waits for its end.
func (c *conn) endRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inRead {
		c.aborted = true
		_ = c.rwc.SetReadDeadline(time.Unix(1, 0))
		for c.inRead {
			c.cond.Wait()
		}
		_ = c.rwc.SetReadDeadline(time.Time{})
		c.armedRead = 0
	}
	c.background.Store(false)
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// armRead bounds reading: between limit and an eighth more from then on. A deadline that
// still fits is left as it is, because setting one costs more than looking. No limit
// removes it.
func (c *conn) armRead(from, limit time.Duration) {
	if at, changed := rearm(c.armedRead, from, limit); changed {
		c.armedRead = at
		_ = c.rwc.SetReadDeadline(c.srv.deadline(at))
	}
}

// armWrite is armRead for writing.
func (c *conn) armWrite(from, limit time.Duration) {
	if at, changed := rearm(c.armedWrite, from, limit); changed {
		c.armedWrite = at
		_ = c.rwc.SetWriteDeadline(c.srv.deadline(at))
	}
}

func rearm(armed, from, limit time.Duration) (at time.Duration, changed bool) {
	if limit <= 0 {
		return 0, armed != 0
	}
	if left := armed - from; armed > 0 && left >= limit && left <= limit+limit/8 {
		return armed, false
	}
	return from + limit + limit/8, true
}

func (s *Server) deadline(at time.Duration) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return s.base.Add(at)
}
