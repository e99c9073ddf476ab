package httpd

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"banyan/modules/kernel/rawnet"
)

// States of a connection: those without a request may be closed by a shutdown.
const (
	stateFresh int32 = iota // nothing has come yet
	stateIdle               // between requests
	stateBusy
	stateShut // closed by a shutdown
)

// A connection that closes goes on taking what its client sends, so that the answer is not
// lost to a reset: until the client ends or pauses, and for lingerMost at most.
const (
	lingerPause = time.Second
	lingerMost  = 5 * time.Second
)

// conn is a client's connection.
type conn struct {
	srv    *Server
	rwc    net.Conn
	raw    syscall.RawConn // to wait without a buffer; nil where that cannot be
	try    func(fd uintptr) bool
	trying bool
	fd     uintptr // while trying
	tryErr error
	remote string
	state  atomic.Int32
	b      *buffers // nil while waiting for a request
	phase  phase
	post   bool // the last request was a POST
	remain int  // of what a head may be
	werr   error

	armedRead, armedWrite time.Duration // the deadlines: 0 is none, unknown is a handler's
	begun                 time.Duration // the request

	turn   atomic.Uint32 // counts entries into handlers and returns: odd while in one
	listed atomic.Bool   // the watch looks at it
	seen   uint32        // turn, as the watch saw it

	bodyEnd    atomic.Bool // nothing is left of the request's body
	background atomic.Bool // the watch began to read

	mu        sync.Mutex // of what follows
	cond      sync.Cond  // inRead has ended
	inRead    bool
	aborted   bool // the read was ended by us
	hasByte   bool // a byte was read that belongs to the next request
	headArmed bool // this head has its deadline
	bodyArmed bool // this body has its deadline
	ownRead   bool // the handler set a deadline after the body's end
	pending   [1]byte
	cancel    context.CancelFunc // of the request
}

func newConn(s *Server, rwc net.Conn) *conn {
	c := &conn{srv: s, rwc: rawnet.Wrap(rwc), raw: rawnet.Raw(rwc)}
	c.cond.L = &c.mu
	if c.raw != nil {
		c.try = c.tryRead
	}
	return c
}

// serve answers requests until the connection ends.
func (c *conn) serve(ctx context.Context) {
	ctx = context.WithValue(ctx, http.LocalAddrContextKey, c.rwc.LocalAddr())
	if a := c.rwc.RemoteAddr(); a != nil {
		c.remote = a.String()
	}
	defer c.end()
	for first := true; c.await(first); first = false {
		if first && c.isHTTP2() {
			c.srv.http2.pass(c)
			return
		}
		r, err := c.readRequest(first)
		if err != nil {
			c.refuse(err)
			return
		}
		if !c.handle(ctx, r) || c.srv.closing.Load() {
			return
		}
	}
}

// end closes the connection unless it has become somebody else's. A handler's panic cuts
// it; what had been sent before stays sent.
func (c *conn) end() {
	if p := recover(); p != nil {
		if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			stack := make([]byte, 64<<10)
			stack = stack[:runtime.Stack(stack, false)]
			c.srv.config.ErrorLog.Printf("panic while serving %s: %v\n%s", c.remote, p, stack)
		}
		if c.phase != phaseTaken {
			c.leave()
			_ = c.flush()
			c.b = nil // somebody may still be reading the request's body
		}
	}
	if c.cancel != nil {
		c.cancel()
	}
	c.srv.forget(c)
	if c.phase == phaseTaken {
		return
	}
	_ = c.rwc.Close()
	if c.b != nil {
		c.giveBack(c.b)
	}
}

// await waits for a request's first byte and tells whether it came. No buffers are held
// meanwhile.
func (c *conn) await(first bool) bool {
	if c.b != nil && c.b.in.Buffered() > 0 {
		return true // sent without waiting for the answer before
	}
	limit := c.srv.idleTime
	state := stateIdle
	if first {
		limit, state = c.srv.headTime, stateFresh
	}
	c.armRead(c.srv.now(), limit)
	c.state.Store(state)
	if !first && c.srv.closing.Load() {
		return false
	}
	c.phase = phaseWait
	var err error
	if c.raw == nil || c.hasByte {
		c.trying = false
		c.take()
		_, err = c.b.in.Peek(1)
	} else if err = c.raw.Read(c.try); err == nil {
		err = c.tryErr
	}
	return err == nil && c.state.CompareAndSwap(state, stateBusy)
}

// tryRead reads what has come; if nothing has, the buffers are given back.
func (c *conn) tryRead(fd uintptr) bool {
	c.fd, c.trying = fd, true
	c.take()
	if _, c.tryErr = c.b.in.Peek(1); errors.Is(c.tryErr, rawnet.ErrAgain) {
		c.giveBack(c.b)
		c.b = nil
		return false
	}
	return true
}

func (c *conn) take() {
	if c.b == nil {
		c.b = c.srv.buffers.Get().(*buffers)
		c.b.in.Reset((*source)(c))
	}
}

func (c *conn) giveBack(b *buffers) {
	b.in.Reset(nil)
	if cap(b.head) > 2*bufferSize || cap(b.fields) > 2*bufferSize || cap(b.out) > 2*bufferSize {
		return // a large one is not kept
	}
	b.out = b.out[:0]
	c.srv.buffers.Put(b)
}

// linger closes the connection's sending side and takes what the client still sends.
func (c *conn) linger() {
	half, ok := c.rwc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	for end := time.Now().Add(lingerMost); time.Now().Before(end); {
		_ = c.rwc.SetReadDeadline(time.Now().Add(lingerPause))
		if _, err := c.rwc.Read(c.b.body[:cap(c.b.body)]); err != nil {
			return
		}
	}
}

const (
	bufferSize = 4 << 10
	// sizeKnown is up to where an answer's length is found out before its head is sent.
	sizeKnown = 2 << 10
)

// buffers are what a connection needs while it has a request.
type buffers struct {
	in     *bufio.Reader
	head   []byte // of the request, as it came
	fields []byte // of the answer, as they were when the handler decided on its status
	body   []byte // of the answer, until its head is sent or there is a chunk of it
	out    []byte // to be sent
}

func newBuffers() *buffers {
	return &buffers{
		in:   bufio.NewReaderSize(nil, bufferSize),
		body: make([]byte, 0, sizeKnown),
		out:  make([]byte, 0, bufferSize),
	}
}
