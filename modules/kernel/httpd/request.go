package httpd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

var (
	errTooLarge = errors.New("httpd: the request's head is too large")
	// errSilent is that of a client which broke off where it need not be told.
	errSilent = errors.New("httpd: nothing to answer")
)

// refusal is why a request is refused.
type refusal struct {
	status int
	text   string
}

// Error implements error.
func (r *refusal) Error() string { return r.text }

// readRequest reads a head and refuses what net/http's Server refuses beside
// http.ReadRequest.
func (c *conn) readRequest(first bool) (*http.Request, error) {
	b := c.b
	c.phase, c.headArmed = phaseHead, false
	c.remain = c.srv.maxHead - b.in.Buffered()
	b.head = b.head[:0]
	ready, _ := b.in.Peek(b.in.Buffered())
	b.head = append(b.head, ready...)
	if len(ready) < 4 && !first {
		if _, err := b.in.Peek(4); err != nil {
			return nil, errSilent
		}
	}
	if c.post {
		c.skipLineEnds()
	}
	r, err := http.ReadRequest(b.in)
	if err != nil {
		if c.remain <= 0 {
			return nil, errTooLarge
		}
		return nil, err
	}
	c.post = r.Method == http.MethodPost
	return r, c.vet(r)
}

// skipLineEnds is tolerance for old clients that end a POST's body with a line end.
func (c *conn) skipLineEnds() {
	ready, _ := c.b.in.Peek(4)
	n := len(ready) - len(bytes.TrimLeft(ready, "\r\n"))
	_, _ = c.b.in.Discard(n)
	c.b.head = c.b.head[n:]
}

// vet refuses other versions, a host that is missing or malformed, and names with a space.
// That names and values are otherwise well formed is seen to by net/textproto.
func (c *conn) vet(r *http.Request) error {
	preface := isPreface(r)
	if r.ProtoMajor != 1 && (r.ProtoMajor != 2 || r.ProtoMinor != 0 || r.Method != "PRI" || r.RequestURI != "*") {
		return &refusal{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
	}
	host, there := r.Host, true
	if r.Host == "" || r.URL.Host != "" { // the field is not what http.ReadRequest gave
		host, there = hostField(c.b.head)
	}
	if !there && r.ProtoAtLeast(1, 1) && !preface && r.Method != http.MethodConnect {
		return &refusal{http.StatusBadRequest, "missing required Host header"}
	}
	if !isHost(host) {
		return &refusal{http.StatusBadRequest, "malformed Host header"}
	}
	for name := range r.Header {
		if strings.IndexByte(name, ' ') >= 0 {
			return &refusal{http.StatusBadRequest, "invalid header name"}
		}
	}
	return nil
}

// isPreface tells the beginning of HTTP/2, which net/http gives to handlers when what
// follows is not HTTP/2.
func isPreface(r *http.Request) bool {
	return r.Method == "PRI" && len(r.Header) == 0 && r.URL.Path == "*" && r.Proto == "HTTP/2.0"
}

// hostField reads the Host field of a head that http.ReadRequest has read.
func hostField(head []byte) (host string, there bool) {
	lines := textproto.NewReader(bufio.NewReader(bytes.NewReader(head)))
	if _, err := lines.ReadLine(); err != nil {
		return "", false
	}
	fields, _ := lines.ReadMIMEHeader()
	if len(fields["Host"]) == 0 {
		return "", false
	}
	return fields["Host"][0], true
}

// refuse answers a head that cannot be served, where there is somebody to be told.
func (c *conn) refuse(err error) {
	const fields = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
	var why *refusal
	var read *net.OpError
	var text string
	switch {
	case errors.Is(err, errSilent), errors.Is(err, io.EOF), isTimeout(err), errors.As(err, &read) && read.Op == "read":
		return
	case errors.Is(err, errTooLarge):
		text = "431 Request Header Fields Too Large" + fields + "431 Request Header Fields Too Large"
	case isUnsupportedEncoding(err):
		text = "501 Not Implemented" + fields + "Unsupported transfer encoding"
	case errors.As(err, &why):
		line := fmt.Sprintf("%d %s: %s", why.status, http.StatusText(why.status), why.text)
		text = line + fields + line
	default:
		text = "400 Bad Request" + fields + "400 Bad Request"
	}
	_ = c.rwc.SetWriteDeadline(time.Now().Add(lingerPause))
	if _, err := io.WriteString(c.rwc, "HTTP/1.1 "+text); err == nil {
		c.linger()
	}
}

// isUnsupportedEncoding tells net/http's error, whose type is its own.
func isUnsupportedEncoding(err error) bool {
	return strings.HasPrefix(err.Error(), "unsupported transfer encoding: ") || strings.HasPrefix(err.Error(), "too many transfer encodings: ")
}

// isHost is as lenient as net/http: any bytes that may be part of some host and port.
func isHost(host string) bool {
	for i := range len(host) {
		if b := host[i]; !isAlphanumeric(b) && strings.IndexByte("!$%&()*+,-.:;=[']_~", b) < 0 {
			return false
		}
	}
	return true
}

func isAlphanumeric(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z'
}

// isToken tells whether a field's name may be sent.
func isToken(name string) bool {
	for i := range len(name) {
		if b := name[i]; !isAlphanumeric(b) && strings.IndexByte("-!#$%&'*+.^_`|~", b) < 0 {
			return false
		}
	}
	return name != ""
}

// hasToken looks for a word in lower case, as net/http does: words end at a space, a tab
// or a comma.
func hasToken(list, word string) bool {
	for list != "" {
		at := strings.IndexAny(list, " ,\t")
		if at < 0 {
			return isWord(list, word)
		}
		if isWord(list[:at], word) {
			return true
		}
		list = list[at+1:]
	}
	return false
}

// isWord compares without regard to case, in ASCII: what folds to it from elsewhere is
// longer.
func isWord(s, word string) bool { return len(s) == len(word) && strings.EqualFold(s, word) }
