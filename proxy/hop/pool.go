package hop

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"banyan/modules/kernel/rawnet"
)

// pool keeps idle connections; the one used last is used next, so that the others age.
type pool struct {
	mu     sync.Mutex
	idle   []*conn // the oldest first
	closed bool
}

// conn is a connection to a backend.
type conn struct {
	net.Conn
	raw    syscall.RawConn // under TLS, too
	in     reader
	out    []byte    // what is being sent: a head, with a small body
	head   head      // of the answer that is being read
	armed  time.Time // the deadline of reads and writes
	since  time.Time // idle
	keep   time.Duration
	reused bool
	begun  atomic.Bool // the answer's head was read
	// of the watch:
	request context.Context
	place   int
	ended   bool // the request's context ended first
}

// get gives a kept connection, or a new one when there is none or fresh is asked for.
func (u *Upstream) get(ctx context.Context, now time.Time, fresh bool) (*conn, error) {
	for !fresh {
		k := u.pool.take()
		if k == nil {
			break
		}
		if now.Sub(k.since) < k.keep && k.quiet() {
			k.reused = true
			return k, nil
		}
		_ = k.Close()
	}
	return u.dial(ctx)
}

func (u *Upstream) dial(ctx context.Context) (*conn, error) {
	plain, err := u.dialer.DialContext(ctx, "tcp", u.address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	k := &conn{Conn: rawnet.Wrap(plain), raw: rawnet.Raw(plain), keep: idleTimeout}
	if u.tls != nil {
		secure := tls.Client(k.Conn, u.tls)
		shake, cancel := context.WithTimeout(ctx, min(u.timeout, 2*dialTimeout))
		defer cancel()
		if err := secure.HandshakeContext(shake); err != nil {
			_ = plain.Close()
			return nil, fmt.Errorf("%w: the TLS handshake: %w", ErrNotSent, err)
		}
		k.Conn = secure
	}
	k.in.src = k.Conn
	return k, nil
}

// quiet tells whether a kept connection is open and silent: one that the backend has
// closed, or on which it sent something unasked, must not be used. Under TLS session
// tickets were read with the first answer: what waits now is most likely the alert that
// it is closed.
func (k *conn) quiet() bool { return rawnet.Quiet(k.raw) }

// put keeps a connection whose exchange has ended cleanly. Bytes that nobody asked for
// would be read as the next answer: such a connection is closed.
func (u *Upstream) put(k *conn) {
	if k.in.buffered() > 0 || k.keep <= 0 {
		_ = k.Close()
		return
	}
	k.in.shrink()
	if cap(k.out) > keepBytes {
		k.out = nil
	}
	clear(k.head.fields) // they keep the text of the head alive
	k.since = time.Now()
	k.begun.Store(false)
	if out := u.pool.give(k); out != nil {
		_ = out.Close()
	}
}

func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	k := p.idle[last]
	p.idle[last], p.idle = nil, p.idle[:last]
	return k
}

// give returns the connection that has to go, if any: the oldest when it has been idle
// for too long or the pool is full, so that the pool empties while it is used.
func (p *pool) give(k *conn) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return k
	}
	p.idle = append(p.idle, k)
	if oldest := p.idle[0]; len(p.idle) > maxIdle || k.since.Sub(oldest.since) > oldest.keep {
		copy(p.idle, p.idle[1:])
		p.idle[len(p.idle)-1], p.idle = nil, p.idle[:len(p.idle)-1]
		return oldest
	}
	return nil
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.idle {
		_ = k.Close()
	}
	p.idle, p.closed = nil, true
}

// arm bounds what follows: between limit and an eighth more. A deadline that still fits
// is left as it is, because setting one costs more than looking.
func (k *conn) arm(now time.Time, limit time.Duration) {
	if left := k.armed.Sub(now); left >= limit && left <= limit+limit/8 {
		return
	}
	k.armed = now.Add(limit + limit/8)
	_ = k.SetDeadline(k.armed)
}
