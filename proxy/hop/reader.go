package hop

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

const (
	keepBytes = 16 << 10 // of a connection's buffers while it is kept
	longBytes = 64 << 10 // of a buffer that a long body is copied with
)

// reader reads a connection through a buffer of which it hands out parts.
type reader struct {
	src  io.Reader
	buf  []byte
	r, w int
}

func (b *reader) buffered() int { return b.w - b.r }

//nolint:gochecknoglobals // pools, which keep nothing of what they are lent for
var (
	shortBuffers = sync.Pool{New: func() any { return new([keepBytes]byte) }}
	longBuffers  = sync.Pool{New: func() any { return new([longBytes]byte) }}
)

// fill reads once, making room if there is none, up to limit bytes in all.
func (b *reader) fill(limit int) error {
	if b.buf == nil {
		b.buf = shortBuffers.Get().(*[keepBytes]byte)[:]
	}
	if b.r == b.w {
		b.r, b.w = 0, 0
	}
	if b.w == len(b.buf) {
		switch {
		case b.r > 0:
			b.w = copy(b.buf, b.buf[b.r:b.w])
			b.r = 0
		case len(b.buf) < limit:
			b.lengthen()
		default:
			return fmt.Errorf("%w: more than %d bytes in one piece", ErrBadAnswer, limit)
		}
	}
	n, err := b.src.Read(b.buf[b.w:])
	b.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// lengthen exchanges the buffer for a long one.
func (b *reader) lengthen() {
	if len(b.buf) == longBytes {
		return
	}
	long := longBuffers.Get().(*[longBytes]byte)[:]
	b.w = copy(long, b.buf[b.r:b.w])
	b.r = 0
	if b.buf != nil {
		shortBuffers.Put((*[keepBytes]byte)(b.buf))
	}
	b.buf = long
}

// shrink gives the buffer back; nothing is buffered.
func (b *reader) shrink() {
	switch len(b.buf) {
	case longBytes:
		longBuffers.Put((*[longBytes]byte)(b.buf))
	case keepBytes:
		shortBuffers.Put((*[keepBytes]byte)(b.buf))
	}
	b.buf, b.r, b.w = nil, 0, 0
}

// block reads up to and with the empty line that ends a head, at most limit bytes. It
// may be asked again after a timeout.
func (b *reader) block(limit int) (string, error) {
	looked := 0
	for {
		have := b.buf[b.r:b.w]
		if i := bytes.Index(have[looked:], []byte("\r\n\r\n")); i >= 0 && looked+i+4 <= limit {
			text := string(have[:looked+i+4])
			b.r += len(text)
			return text, nil
		}
		if len(have) >= limit {
			return "", fmt.Errorf("%w: a head of more than %d bytes", ErrBadAnswer, limit)
		}
		looked = max(0, len(have)-3)
		if err := b.fill(limit); err != nil {
			return "", err
		}
	}
}

// line reads up to CR LF, at most limit bytes, and gives what is before them. It is good
// until the next read.
func (b *reader) line(limit int, wait func() error) ([]byte, error) {
	for {
		have := b.buf[b.r:b.w]
		if i := bytes.IndexByte(have, '\n'); i >= 0 {
			if i == 0 || have[i-1] != '\r' || i >= limit {
				return nil, fmt.Errorf("%w: a line of a chunked body", ErrBadAnswer)
			}
			b.r += i + 1
			return have[:i-1], nil
		}
		if len(have) >= limit {
			return nil, fmt.Errorf("%w: a line of a chunked body is too long", ErrBadAnswer)
		}
		if err := wait(); err != nil {
			return nil, err
		}
	}
}
