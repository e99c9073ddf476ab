package httpd

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// mostDrained is how much of a body that a handler left is read for the sake of the next
// request.
const mostDrained = 256 << 10

// drainTime bounds that where nothing else bounds reading.
const drainTime = 5 * time.Second

// body is a request's body as its handler sees it.
type body struct {
	w    *response
	from *http.Request // as http.ReadRequest gave it: its trailers come at the end

	mu     sync.Mutex
	left   int64 // of what was declared, -1: in chunks
	atEnd  bool
	closed bool
	broken error // the first error of reading, after which nothing can be read
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.w.expects.Load() {
		b.w.goOn()
	}
	return b.read(p)
}

func (b *body) read(p []byte) (int, error) {
	n, err := b.from.Body.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.atEnd = true
		b.w.req.Trailer = b.from.Trailer
		b.w.c.bodyEnd.Store(true)
	case errors.Is(err, io.ErrUnexpectedEOF): // the client's end: nothing follows that could be mistaken
		b.atEnd = b.left >= 0
	default:
		b.broken = err
	}
	return n, err
}

// reading is a body for drain, which holds its lock.
type reading struct{ *body }

func (r reading) Read(p []byte) (int, error) { return r.read(p) }

// Close implements io.Closer. It reads what is left if that is not much, so that the
// connection can be used on, unless it will not be, or the client waits to be told to send.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if b.w.expects.Load() || b.left >= 0 && b.from.Close {
		return nil
	}
	if err := b.drain(); !errors.Is(err, errMore) {
		return err
	}
	return nil
}

var errMore = errors.New("httpd: the body goes on")

// drain reads up to a body's end, or gives errMore if that is too far away.
func (b *body) drain() error {
	switch {
	case b.atEnd:
		return nil
	case b.broken != nil:
		return b.broken
	case b.left >= mostDrained:
		return errMore
	}
	c := b.w.c
	if c.srv.config.ReadTimeout <= 0 {
		_ = b.w.SetReadDeadline(time.Now().Add(drainTime))
	}
	_, err := io.CopyN(io.Discard, reading{b}, mostDrained)
	switch {
	case err == nil:
		return errMore
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// settle is called before an answer's head is sent: there are clients that read nothing
// before they have sent everything. It tells whether the rest is too much to be read, and
// whether the connection has to close.
func (b *body) settle() (tooMuch, ends bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false, !b.atEnd
	}
	err := b.drain()
	if err == nil {
		b.closed = true
	}
	return errors.Is(err, errMore), err != nil
}

// finish is called after the answer. It tells whether the next request can be read.
func (b *body) finish(ends bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return b.atEnd
	}
	b.closed = true
	return b.atEnd || !ends && b.drain() == nil
}
