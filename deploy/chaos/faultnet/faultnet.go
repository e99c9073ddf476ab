// Package faultnet is a TCP proxy that spoils the connections it carries: it delays,
// cuts, refuses, loses the bytes of one direction, and sends what a client has said once
// more when the client has gone. Faults are set while connections are open and hold for
// those too.
package faultnet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Direction of bytes.
type Direction uint8

// The directions.
const (
	Neither  Direction = 0
	ToServer Direction = 1
	ToClient Direction = 2
	Both               = ToServer | ToClient
)

// Fault is what is wrong with the network. The zero Fault is a network without fault.
type Fault struct {
	// Refuse gives up the port: whoever connects is told that nobody listens. Open
	// connections stay.
	Refuse bool
	// Delay holds every piece of every stream back, and Jitter at most so much longer.
	Delay, Jitter time.Duration
	// Swallow loses what goes in a direction, while its sender believes it was sent. A
	// connection that has lost something is cut when the fault ends: its rest makes no
	// sense to the other end.
	Swallow Direction
	// Again, asked with the first piece of a connection's stream to the server, tells
	// whether the whole stream is sent a second time, over another connection, after
	// the client has closed its own. Nobody hears the answers. Nil: never.
	Again func(first []byte) bool
}

// Stats count what a proxy has done since it was made.
type Stats struct {
	Opened, Cut, Refusals, Swallowed, Repeated int64
}

const (
	dialTimeout = 2 * time.Second
	maxLinks    = 4096 // open connections; more are cut at once
	listenTries = 100  // to get the port back, 20 ms apart
)

// Proxy carries connections from its own address to a server's. Its methods may be
// called by several goroutines.
type Proxy struct {
	addr, server string
	ctx          context.Context
	stop         context.CancelFunc
	workers      sync.WaitGroup

	mu       sync.Mutex
	fault    Fault
	listener net.Listener // nil while it refuses
	links    map[*link]struct{}
	stats    Stats
}

// Listen starts a proxy on addr, an address of this machine with a port, for the server.
func Listen(ctx context.Context, addr, server string) (*Proxy, error) {
	ctx, stop := context.WithCancel(ctx)
	p := &Proxy{addr: addr, server: server, ctx: ctx, stop: stop, links: map[*link]struct{}{}}
	if err := p.open(); err != nil {
		stop()
		return nil, err
	}
	p.addr = p.listener.Addr().String()
	return p, nil
}

// Addr is where clients connect to.
func (p *Proxy) Addr() string { return p.addr }

// Stats tells what has been done so far.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Set changes the fault, also for connections that are open. The error is one of getting
// the port back after a refusal.
func (p *Proxy) Set(f Fault) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if l.lost != Neither && l.lost&f.Swallow != l.lost {
			p.drop(l)
		}
	}
	p.fault = f
	if f.Refuse {
		return p.refuse()
	}
	return p.open()
}

// refuse closes the listener; p.mu is held.
func (p *Proxy) refuse() error {
	if p.listener == nil {
		return nil
	}
	err := p.listener.Close()
	p.listener = nil
	p.stats.Refusals++
	return err
}

// open listens, unless it does already; p.mu is held, or p is not shared yet.
func (p *Proxy) open() error {
	if p.listener != nil || p.ctx.Err() != nil {
		return p.ctx.Err()
	}
	var l net.Listener
	var err error
	for range listenTries {
		if l, err = (&net.ListenConfig{}).Listen(p.ctx, "tcp", p.addr); err == nil {
			p.listener = l
			p.workers.Go(func() { p.accept(l) })
			return nil
		}
		if !pause(p.ctx, 20*time.Millisecond) {
			break
		}
	}
	return fmt.Errorf("the fault proxy of %s cannot listen: %w", p.server, err)
}

// Cut ends every open connection with a reset, and tells how many there were.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.links)
	for l := range p.links {
		p.drop(l)
	}
	return n
}

// drop resets both ends of a link; p.mu is held.
func (p *Proxy) drop(l *link) {
	delete(p.links, l)
	p.stats.Cut++
	l.reset()
}

// Close ends the proxy and its connections, and waits for both.
func (p *Proxy) Close() error {
	p.stop()
	p.mu.Lock()
	err := p.refuse()
	for l := range p.links {
		p.drop(l)
	}
	p.mu.Unlock()
	p.workers.Wait()
	return err
}

func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if errors.Is(err, net.ErrClosed) || p.ctx.Err() != nil {
			return
		}
		if err != nil {
			if !pause(p.ctx, 10*time.Millisecond) { // such as too many open files
				return
			}
			continue
		}
		p.workers.Go(func() { p.carry(client) })
	}
}

// carry connects to the server and moves bytes until both directions have ended.
func (p *Proxy) carry(client net.Conn) {
	server, err := p.dial()
	l := &link{proxy: p, client: client, server: server}
	if err != nil || !p.enter(l) {
		l.reset()
		return
	}
	var streams sync.WaitGroup
	streams.Go(func() { l.pump(server, client, ToServer) })
	streams.Go(func() { l.pump(client, server, ToClient) })
	streams.Wait()
	_ = client.Close()
	_ = server.Close()
	p.mu.Lock()
	delete(p.links, l)
	again := l.again && p.ctx.Err() == nil
	p.mu.Unlock()
	if again {
		p.repeat(l.said)
	}
}

func (p *Proxy) dial() (net.Conn, error) {
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(p.ctx, "tcp", p.server)
}

// enter lists a link among the open ones; false when there are too many.
func (p *Proxy) enter(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.links) >= maxLinks || p.ctx.Err() != nil {
		return false
	}
	p.links[l] = struct{}{}
	p.stats.Opened++
	return true
}

// now gives the fault in force, and notes that a link loses bytes by it.
func (p *Proxy) now(l *link, d Direction) (f Fault, swallow bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	swallow = p.fault.Swallow&d != 0
	if swallow {
		l.lost |= d
		p.stats.Swallowed++
	}
	return p.fault, swallow || l.lost&d != 0 // nothing follows a gap
}

// hold gives how long a piece is held back.
func (f Fault) hold() time.Duration {
	if f.Jitter <= 0 {
		return f.Delay
	}
	return f.Delay + rand.N(f.Jitter)
}

// pause waits, and says false if the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
