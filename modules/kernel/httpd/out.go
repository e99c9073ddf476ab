package httpd

import (
	"net"
	"net/http"
	"strconv"
)

// copySize is how much an answer is copied by when its source is a reader.
const copySize = 32 << 10

// write takes a part of the answer's body. The first sizeKnown bytes wait for the head,
// which tells the length if they are all.
func write[T []byte | string](w *response, p T) error {
	b := w.c.b
	for len(p) > 0 {
		if len(b.body) == 0 && len(p) > sizeKnown {
			return w.send([]byte(p))
		}
		n := min(len(p), sizeKnown-len(b.body))
		if n == 0 {
			if err := w.flushBody(); err != nil {
				return err
			}
			continue
		}
		b.body = append(b.body, p[:n]...)
		p = p[n:]
	}
	return w.c.werr
}

// flushBody sends what waits.
func (w *response) flushBody() error {
	b := w.c.b
	if len(b.body) == 0 {
		return w.c.werr
	}
	err := w.send(b.body)
	b.body = b.body[:0]
	return err
}

// send sends a part of the body, as a chunk where there are chunks.
func (w *response) send(p []byte) error {
	w.sendHead(p)
	c := w.c
	switch {
	case w.isHead:
		return c.werr
	case !w.chunked:
		return c.put(p, "")
	}
	c.b.out = strconv.AppendInt(c.b.out, int64(len(p)), 16)
	c.b.out = append(c.b.out, "\r\n"...)
	return c.put(p, "\r\n")
}

// put buffers p and what follows it, or sends all that there is when it is too much.
func (c *conn) put(p []byte, tail string) error {
	out := c.b.out
	if len(out)+len(p)+len(tail) <= bufferSize {
		c.b.out = append(append(out, p...), tail...)
		return c.werr
	}
	parts := net.Buffers{out, p, []byte(tail)}
	if tail == "" {
		parts = parts[:2]
	}
	c.b.out = out[:0]
	if c.werr == nil {
		_, err := parts.WriteTo(c.rwc)
		c.failed(err)
	}
	return c.werr
}

// flush sends what is buffered.
func (c *conn) flush() error {
	if c.b == nil || len(c.b.out) == 0 {
		return c.werr
	}
	if c.werr == nil {
		_, err := c.rwc.Write(c.b.out)
		c.failed(err)
	}
	c.b.out = c.b.out[:0]
	return c.werr
}

// failed keeps the first error of writing, which means that the client is gone.
func (c *conn) failed(err error) {
	if err != nil {
		c.werr = err
		c.cancel()
	}
}

// finish sends the rest of an answer whose handler has returned, and tells whether the
// connection can be used on.
func (w *response) finish() bool {
	c := w.c
	w.over = true
	if w.status == 0 {
		w.decide(http.StatusOK)
	}
	_ = w.flushBody()
	w.sendHead(nil)
	if w.chunked {
		c.b.out = append(c.b.out, "0\r\n"...)
		c.b.out = append(w.appendTrailers(c.b.out), "\r\n"...)
	}
	_ = c.flush()
	c.leave()
	if w.req.MultipartForm != nil {
		_ = w.req.MultipartForm.RemoveAll()
	}
	return w.canGoOn()
}

// canGoOn tells whether request and answer have ended cleanly. A client that may still be
// sending is given the time to take its answer.
func (w *response) canGoOn() bool {
	c := w.c
	short := !w.isHead && w.declared != -1 && hasBody(w.status) && w.declared != w.written
	ends := w.ends || short || c.werr != nil
	unread := w.body != nil && !w.body.finish(ends)
	if c.werr == nil && (unread || ends && c.b.in.Buffered() > 0) {
		c.linger()
	}
	return !ends && !unread
}
