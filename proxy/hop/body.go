package hop

import (
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	smallBody    = keepBytes // a body of known length up to this is not flushed on its way
	maxChunkLine = 256       // bytes of a chunk's size with its extensions
	maxSlack     = 16 << 10  // bytes of such lines beyond what a sane sender needs
	maxTrailers  = 8 << 10   // bytes
)

// body passes the head and the body on. It tells whether the connection may be kept.
func (x *exchange) body(header http.Header) (clean bool) {
	h := &x.k.head
	if x.r.Method == http.MethodHead || h.status == http.StatusNoContent || h.status == http.StatusNotModified {
		if h.status == http.StatusNoContent {
			delete(header, "Content-Length")
		}
		x.w.WriteHeader(h.status)
		return !h.close
	}
	var err error
	switch {
	case h.chunked:
		announceTrailers(header, h.fields)
		x.patient = true
		x.w.WriteHeader(h.status)
		x.waiting = true
		err = x.chunks()
	case h.length >= 0:
		x.patient = h.length > smallBody
		x.w.WriteHeader(h.status)
		x.waiting = true
		err = x.copy(h.length)
	default:
		h.close, x.patient = true, true
		x.w.WriteHeader(h.status)
		x.waiting = true
		if err = x.untilEnd(); err == io.EOF { //nolint:errorlint // the reader gives it bare
			err = nil
		}
	}
	x.giveBack()
	if err != nil {
		x.torn = true
		if x.u.broke != nil && x.r.Context().Err() == nil && !x.gone {
			x.u.broke(err)
		}
		return false
	}
	return !h.close
}

// wait reads from the backend; what the client can have already is sent to it first.
func (x *exchange) wait() error {
	k := x.k
	if x.patient {
		if x.control == nil {
			x.control = http.NewResponseController(x.w)
		}
		if x.waiting {
			if err := x.control.Flush(); err != nil {
				x.gone = true
				return err
			}
			x.waiting = false
		}
		x.mayWrite()
		if time.Until(x.until) < x.u.stall-x.u.rearm {
			x.hold()
		}
	}
	err := k.in.fill(longBytes)
	if err != nil && isTimeout(err) && x.until.IsZero() {
		x.patient = true // a short body that takes its time
		return x.wait()
	}
	return err
}

// hold sets the deadline of a stream; the next exchange arms its own.
func (x *exchange) hold() {
	x.until, x.k.armed = time.Now().Add(x.u.stall), time.Time{}
	_ = x.k.SetReadDeadline(x.until)
}

// mayWrite puts off the deadline that the server set for the whole answer.
func (x *exchange) mayWrite() {
	if now := time.Now(); x.client.Sub(now) < x.u.stall-x.u.rearm {
		x.client = now.Add(x.u.stall)
		_ = x.control.SetWriteDeadline(x.client)
	}
}

// giveBack removes the deadline of mayWrite where the server would not: it sets one for
// every request only if it has a bound of its own.
func (x *exchange) giveBack() {
	if x.client.IsZero() {
		return
	}
	if server, ok := x.r.Context().Value(http.ServerContextKey).(*http.Server); !ok || server.WriteTimeout == 0 {
		_ = x.control.SetWriteDeadline(time.Time{})
	}
}

// copy passes on so many bytes.
func (x *exchange) copy(n int64) error {
	in := &x.k.in
	for n > 0 {
		if in.buffered() == 0 {
			if n > keepBytes {
				in.lengthen()
			}
			if err := x.wait(); err != nil {
				return err
			}
		}
		part := in.buf[in.r:min(int64(in.w), int64(in.r)+n)]
		if _, err := x.w.Write(part); err != nil {
			x.gone = true
			return err
		}
		in.r += len(part)
		n -= int64(len(part))
		x.waiting = true
	}
	return nil
}

// untilEnd passes on a body that ends with the connection.
func (x *exchange) untilEnd() error {
	in := &x.k.in
	for {
		if err := x.copy(int64(in.buffered())); err != nil {
			return err
		}
		if err := x.wait(); err != nil {
			return err
		}
	}
}

// chunks passes on a chunked body and its trailers.
func (x *exchange) chunks() error {
	slack := int64(0)
	for {
		line, err := x.k.in.line(maxChunkLine, x.wait)
		if err != nil {
			return err
		}
		n, err := chunkSize(line)
		if err != nil {
			return err
		}
		// A sender may put little into each chunk, or much beside it, but not for ever.
		if slack = max(0, slack+int64(len(line))-16-2*n); slack > maxSlack {
			return bad("more about chunks than in them")
		}
		if n == 0 {
			return x.trailers()
		}
		if err := x.copy(n); err != nil {
			return err
		}
		if line, err = x.k.in.line(len("\r\n")+1, x.wait); err != nil {
			return err
		}
		if len(line) > 0 {
			return bad("a chunk that does not end where it said")
		}
	}
}

// chunkSize reads a chunk's first line. Extensions are left out, but must be text.
func chunkSize(line []byte) (int64, error) {
	n, digits := int64(0), 0
	for digits < len(line) && digits < 16 {
		c := line[digits]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			c = 255
		}
		if c == 255 {
			break
		}
		n = n<<4 | int64(c)
		digits++
	}
	if digits == len(line) && digits > 0 && digits < 16 {
		return n, nil
	}
	extension := strings.TrimLeft(string(line[digits:]), " \t")
	if digits == 0 || digits > 15 || !isText(extension) || !strings.HasPrefix(extension, ";") {
		return 0, bad("the chunk size %.40q", line)
	}
	return n, nil
}

// trailers reads what follows the last chunk and gives it to the client.
func (x *exchange) trailers() error {
	var fields []field
	for total := 0; ; {
		line, err := x.k.in.line(maxTrailers, x.wait)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		if total += len(line); total > maxTrailers {
			return bad("more than %d bytes of trailers", maxTrailers)
		}
		if fields, err = appendFields(fields, string(line)+"\r\n\r\n"); err != nil {
			return err
		}
	}
	if len(fields) == 0 {
		return nil
	}
	if x.control == nil {
		x.control = http.NewResponseController(x.w)
	}
	if err := x.control.Flush(); err != nil { // so that the answer is chunked, and can have them
		return err
	}
	header := x.w.Header()
	for _, f := range fields {
		if mayTrail(f.name) {
			name := http.TrailerPrefix + f.name
			header[name] = append(header[name], f.value)
		}
	}
	return nil
}

// announceTrailers passes the Trailer header on, less what may not trail.
func announceTrailers(header http.Header, fields []field) {
	for i := range fields {
		if fields[i].name != "Trailer" {
			continue
		}
		for name := range strings.SplitSeq(fields[i].value, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); mayTrail(name) {
				header["Trailer"] = append(header["Trailer"], name)
			}
		}
	}
}

// skip reads an answer that is not passed on, if it is at hand. It tells whether the
// connection may be kept.
func (x *exchange) skip() bool {
	h, in := &x.k.head, &x.k.in
	if h.close || h.chunked || h.length < 0 || h.length > keepBytes || x.r.Method == http.MethodHead {
		return false
	}
	for int64(in.buffered()) < h.length {
		if in.fill(longBytes) != nil {
			return false
		}
	}
	in.r += int(h.length)
	return true
}
