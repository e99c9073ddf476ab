package httpd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// errOver is that of an answer which is written after its handler has returned.
var errOver = errors.New("httpd: the handler has returned")

// response is an answer. It implements what http.ResponseController asks for.
type response struct {
	c      *conn
	req    *http.Request
	body   *body // nil without one
	header http.Header

	is11, isHead         bool
	wantsClose, wantsOld bool // Connection: close, or HTTP/1.0's keep-alive
	fullDuplex           bool
	asked                bool        // 100 Continue was asked for
	expects              atomic.Bool // it is to be sent when the body is read
	expecting            sync.Mutex  // held while it is sent

	status      int // 0: the handler has not decided
	sent        sentFields
	sentHead    bool // to the connection's buffer at least
	over, taken bool
	ends        bool  // the connection closes after the answer
	limited     bool  // because of how much was left of the request
	chunked     bool  // as it goes
	declared    int64 // length, -1: none
	written     int64
	trailers    []string
}

// handle answers a request and tells whether the connection can be used on.
func (c *conn) handle(ctx context.Context, r *http.Request) bool {
	c.begun = c.srv.now()
	c.armWrite(c.begun, c.srv.config.WriteTimeout)
	w := c.newResponse(ctx, r)
	if expect := r.Header.Get("Expect"); hasToken(expect, "100-continue") {
		w.asked = w.is11 && w.body != nil
		w.expects.Store(w.asked)
	} else if expect != "" {
		w.header.Set("Connection", "close")
		w.WriteHeader(http.StatusExpectationFailed)
		w.finish()
		return false
	}
	c.enter()
	c.srv.handler.ServeHTTP(w, w.req)
	w.over = true
	c.cancel()
	if w.taken {
		return false
	}
	return w.finish()
}

func (c *conn) newResponse(ctx context.Context, r *http.Request) *response {
	ctx, cancel := context.WithCancel(ctx)
	w := &response{
		c: c, req: r.WithContext(ctx), header: http.Header{}, declared: -1,
		is11: r.ProtoAtLeast(1, 1), isHead: r.Method == http.MethodHead,
		wantsClose: r.Close || hasToken(r.Header.Get("Connection"), "close"),
		wantsOld:   r.ProtoMajor == 1 && r.ProtoMinor == 0 && hasToken(r.Header.Get("Connection"), "keep-alive"),
		ends:       isPreface(r),
	}
	w.req.RemoteAddr = c.remote
	if r.Body != http.NoBody {
		w.body = &body{w: w, from: r, left: r.ContentLength}
		w.req.Body = w.body
	}
	c.bodyEnd.Store(w.body == nil)
	c.phase, c.bodyArmed, c.ownRead, c.cancel = phaseBody, false, false, cancel
	return w
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. The fields are taken as they are now.
func (w *response) WriteHeader(status int) {
	switch {
	case w.taken, w.over:
		w.c.srv.config.ErrorLog.Printf("WriteHeader(%d) on an answer that is over", status)
		return
	case w.status != 0:
		w.c.srv.config.ErrorLog.Printf("superfluous WriteHeader(%d) for %q", status, w.req.URL.Path)
		return
	case status < 100 || status > 999:
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	}
	if status <= 199 && status != http.StatusSwitchingProtocols {
		w.inform(status)
		return
	}
	w.decide(status)
}

// decide begins the answer proper.
func (w *response) decide(status int) {
	w.noGoOn()
	w.status = status
	if text := w.header.Get("Content-Length"); text != "" {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
			w.declared = n
		} else {
			w.c.srv.config.ErrorLog.Printf("invalid Content-Length of %q", text)
		}
	}
	w.keepFields()
}

// inform sends an answer before the answer.
func (w *response) inform(status int) {
	if status == http.StatusContinue {
		w.noGoOn()
	}
	w.expecting.Lock()
	defer w.expecting.Unlock()
	to := appendStatus(w.c.b.out, w.is11, status)
	for name, values := range w.header {
		if name != "Content-Length" && name != "Transfer-Encoding" {
			to = appendFields(to, name, values)
		}
	}
	w.c.b.out = append(to, "\r\n"...)
	_ = w.c.flush()
}

// goOn sends 100 Continue before the body's first read. Its lock orders it before the
// answer, or forbids it.
func (w *response) goOn() {
	w.expecting.Lock()
	defer w.expecting.Unlock()
	if w.expects.Load() {
		w.c.b.out = append(w.c.b.out, "HTTP/1.1 100 Continue\r\n\r\n"...)
		_ = w.c.flush()
		w.expects.Store(false)
	}
}

func (w *response) noGoOn() {
	if w.expects.Load() {
		w.expecting.Lock()
		defer w.expecting.Unlock()
		w.expects.Store(false)
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if err := w.mayWrite(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	return len(p), write(w, p)
}

// WriteString implements io.StringWriter.
func (w *response) WriteString(s string) (int, error) {
	if err := w.mayWrite(len(s)); err != nil || s == "" {
		return 0, err
	}
	return len(s), write(w, s)
}

// ReadFrom implements io.ReaderFrom: with a buffer that is kept for the next one.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	buf := w.c.srv.copies.Get().(*[copySize]byte)
	defer w.c.srv.copies.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, r, buf[:])
}

func (w *response) mayWrite(n int) error {
	switch {
	case w.taken:
		return http.ErrHijacked
	case w.over:
		return errOver
	}
	w.noGoOn()
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case n == 0:
		return nil
	case !hasBody(w.status):
		return http.ErrBodyNotAllowed
	}
	if w.written += int64(n); w.declared != -1 && w.written > w.declared {
		return http.ErrContentLength
	}
	return nil
}

// Flush implements http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is Flush with its error.
func (w *response) FlushError() error {
	switch {
	case w.taken:
		return http.ErrHijacked
	case w.over:
		return errOver
	case w.status == 0:
		w.WriteHeader(http.StatusOK)
	}
	_ = w.flushBody()
	w.sendHead(nil)
	return w.c.flush()
}

// SetReadDeadline is for http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error {
	c := w.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodyArmed, c.ownRead, c.armedRead = true, c.bodyEnd.Load(), unknown
	return c.rwc.SetReadDeadline(t)
}

// SetWriteDeadline is for http.ResponseController.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.c.armedWrite = unknown
	return w.c.rwc.SetWriteDeadline(t)
}

// EnableFullDuplex is for http.ResponseController.
func (w *response) EnableFullDuplex() error {
	w.fullDuplex = true
	return nil
}

// Hijack implements http.Hijacker.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	switch {
	case w.taken:
		return nil, nil, http.ErrHijacked
	case w.over:
		return nil, nil, errOver
	}
	w.noGoOn()
	c := w.c
	if w.status != 0 {
		w.sendHead(nil)
		_ = c.flush()
	}
	c.leave()
	w.taken, c.phase = true, phaseTaken
	_ = c.rwc.SetDeadline(time.Time{})
	in := c.b.in
	c.b = nil // with its reader gone the rest is not worth keeping
	if c.hasByte {
		if _, err := in.Peek(in.Buffered() + 1); err != nil {
			return nil, nil, fmt.Errorf("take over the connection: %w", err)
		}
	}
	c.srv.forget(c)
	return c.rwc, bufio.NewReadWriter(in, bufio.NewWriter(c.rwc)), nil
}

func hasBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// appendTrailers appends those declared and those with http.TrailerPrefix, in order.
func (w *response) appendTrailers(to []byte) []byte {
	all := http.Header{}
	for name, values := range w.header {
		if bare, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			all[bare] = values
		}
	}
	for _, name := range w.trailers {
		all[name] = append(all[name], w.header[name]...)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		to = appendFields(to, name, all[name])
	}
	return to
}
