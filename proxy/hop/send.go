package hop

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	sendBuffer = 32 << 10
	chunkRoom  = 8                      // for a chunk's size in front of it
	grace      = 500 * time.Millisecond // for a client that sends on after its answer
)

// sender streams a request's body while the answer may begin already.
type sender struct {
	x     *exchange
	done  chan struct{}
	ended atomic.Bool // the client has sent all of it
	idle  atomic.Bool // it is the client that is waited for
	mu    sync.Mutex
	err   error // why the client's body could not be read
	sent  bool  // all of it reached the connection
}

//nolint:gochecknoglobals // a pool, which keeps nothing of what it is lent for
var sendBuffers = sync.Pool{New: func() any { return new([chunkRoom + sendBuffer + 2]byte) }}

func (x *exchange) startSending() {
	x.control = http.NewResponseController(x.w)
	s := &sender{x: x, done: make(chan struct{})}
	x.sender = s
	x.k.armed = time.Time{}
	x.k.extend(time.Now().Add(x.u.stall)) // the client decides how long sending takes
	go s.run()
}

func (s *sender) run() {
	defer close(s.done)
	k := s.x.k
	err := s.copy()
	s.mu.Lock()
	defer s.mu.Unlock()
	var unread *unreadable
	switch {
	case errors.As(err, &unread):
		s.err = fmt.Errorf("%w: %w", ErrBody, unread.cause)
		_ = k.Close() // a body without its end must not look whole
	case err == nil:
		s.sent = true
		if !k.begun.Load() { // now the backend decides
			_ = k.SetReadDeadline(time.Now().Add(s.x.u.timeout))
		}
	}
}

// unreadable is an error of the client's side.
type unreadable struct{ cause error }

func (u *unreadable) Error() string { return u.cause.Error() }

func (s *sender) copy() error {
	x := s.x
	chunked := x.r.ContentLength < 0
	buf := sendBuffers.Get().(*[chunkRoom + sendBuffer + 2]byte)
	defer sendBuffers.Put(buf)
	armed := time.Now()
	_ = x.control.SetReadDeadline(armed.Add(x.u.stall))
	for left := x.r.ContentLength; ; {
		s.idle.Store(true)
		n, err := x.c.Stream.Read(buf[chunkRoom : chunkRoom+sendBuffer])
		if err == nil || errors.Is(err, io.EOF) { // else it stays the client's, also until run has noted why
			s.idle.Store(false)
		}
		left -= int64(n)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) && (chunked || left == 0):
			s.ended.Store(true)
		case errors.Is(err, io.EOF):
			return &unreadable{io.ErrUnexpectedEOF}
		default:
			return &unreadable{err}
		}
		if !chunked && left < 0 {
			return &unreadable{errors.New("it is longer than was announced")}
		}
		if now := time.Now(); now.Sub(armed) > x.u.rearm {
			armed = now
			_ = x.control.SetReadDeadline(now.Add(x.u.stall))
			x.k.extend(now.Add(x.u.stall))
		}
		if werr := s.write(buf, n, chunked); werr != nil {
			return werr
		}
		if err != nil {
			if chunked {
				_, err = x.k.Write(lastChunk(x.r.Trailer))
				return err
			}
			return nil
		}
	}
}

// extend bounds a stream anew.
func (k *conn) extend(until time.Time) {
	_ = k.SetWriteDeadline(until)
	_ = k.SetReadDeadline(until)
}

// write sends n bytes that are in the buffer behind the room for a chunk's size.
func (s *sender) write(buf *[chunkRoom + sendBuffer + 2]byte, n int, chunked bool) error {
	if n == 0 {
		return nil
	}
	from, to := chunkRoom, chunkRoom+n
	if chunked {
		var size [chunkRoom]byte
		line := append(strconv.AppendInt(size[:0], int64(n), 16), "\r\n"...)
		from -= copy(buf[chunkRoom-len(line):], line)
		to += copy(buf[to:], "\r\n")
	}
	_, err := s.x.k.Write(buf[from:to])
	return err
}

// lastChunk ends a chunked body, with the trailers that the client sent.
func lastChunk(trailer http.Header) []byte {
	end := []byte("0\r\n")
	for name, values := range trailer {
		for _, v := range values {
			if mayTrail(name) && isText(v) {
				end = appendField(end, name, v)
			}
		}
	}
	return append(end, "\r\n"...)
}

// failure gives the client's part in an exchange that broke, nil if it had none. A wait
// for the backend that was too long while the client sent nothing is the client's.
func (s *sender) failure(broke error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.idle.Load() && isTimeout(broke) {
		return fmt.Errorf("%w: %w", ErrBody, os.ErrDeadlineExceeded)
	}
	return s.err
}

// finishSending waits for the sender once the answer is over, and tells whether the
// whole body was sent. One that the backend does not want any more ends soon.
func (x *exchange) finishSending() bool {
	s := x.sender
	select {
	case <-s.done:
		return s.sent
	default:
	}
	if !x.torn && x.k.begun.Load() && x.after == nil {
		_ = x.control.Flush() // the answer, which may tell the client to stop
	}
	_ = x.k.Close()
	if x.control.SetReadDeadline(time.Now().Add(grace)) != nil {
		if body, ok := x.r.Body.(io.Closer); ok { // it comes from within this process
			_ = body.Close()
		}
	}
	<-s.done
	return false
}
