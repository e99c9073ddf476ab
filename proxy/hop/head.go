package hop

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// head is an answer's head.
type head struct {
	status  int
	fields  []field // those of the hop too
	length  int64   // of the body; -1: not told
	chunked bool
	close   bool // the connection is not kept
	named   bool // the Connection header names other fields
	upgrade string
	keep    time.Duration // how long the server keeps the connection, 0: not told
}

// field is one line of a head; the name is canonical.
type field struct{ name, value string }

// parse reads a head, strictly. text ends with an empty line.
func (h *head) parse(text string) error {
	*h = head{fields: h.fields[:0], length: -1}
	line, rest, _ := strings.Cut(text, "\r\n")
	keepAlive, err := h.statusLine(line)
	if err != nil {
		return err
	}
	h.fields, err = appendFields(h.fields, rest)
	if err != nil {
		return err
	}
	lengths, codings := 0, 0
	for i := range h.fields {
		f := &h.fields[i]
		switch f.name {
		case "Content-Length":
			n, ok := parseLength(f.value)
			if !ok || (lengths > 0 && n != h.length) {
				return bad("the Content-Length %q", f.value)
			}
			h.length = n
			lengths++
		case "Transfer-Encoding":
			if !strings.EqualFold(f.value, "chunked") {
				return bad("the Transfer-Encoding %q", f.value)
			}
			codings++
		case "Connection":
			h.connection(f.value)
		case "Upgrade":
			h.upgrade = f.value
		case "Keep-Alive":
			h.keep = keepAliveTimeout(f.value)
		}
	}
	if codings > 1 || (codings > 0 && (lengths > 0 || !keepAlive)) {
		return bad("Transfer-Encoding beside another framing")
	}
	h.chunked = codings > 0
	if !keepAlive {
		h.close = h.close || !has(h.fields, "Connection", "keep-alive")
	}
	return nil
}

// statusLine tells whether the version keeps connections unless told otherwise.
func (h *head) statusLine(line string) (keepAlive bool, err error) {
	if len(line) < len("HTTP/1.1 200") || (line[:9] != "HTTP/1.1 " && line[:9] != "HTTP/1.0 ") {
		return false, bad("the status line %.40q", line)
	}
	for _, digit := range []byte(line[9:12]) {
		if digit < '0' || digit > '9' {
			return false, bad("the status line %.40q", line)
		}
		h.status = h.status*10 + int(digit-'0')
	}
	if h.status < 100 || (len(line) > 12 && line[12] != ' ') || !isText(line) {
		return false, bad("the status line %.40q", line)
	}
	return line[7] == '1', nil
}

func (h *head) connection(value string) {
	for token := range strings.SplitSeq(value, ",") {
		switch token = strings.TrimSpace(token); {
		case strings.EqualFold(token, "close"):
			h.close = true
		case token == "", strings.EqualFold(token, "keep-alive"):
		default:
			h.named = true
		}
	}
}

// appendFields reads the lines up to an empty one, which is the text's last.
func appendFields(to []field, text string) ([]field, error) {
	for {
		line, rest, ok := strings.Cut(text, "\r\n")
		if !ok {
			return to, bad("a head without its end")
		}
		if line == "" {
			if rest != "" {
				return to, bad("an empty line within a head")
			}
			return to, nil
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) { // a folded line begins with a space, which no token has
			return to, bad("the line %.40q", line)
		}
		value = strings.Trim(value, " \t")
		if !isText(value) {
			return to, bad("the value of %s", name)
		}
		if len(to) == maxFields {
			return to, bad("more than %d fields", maxFields)
		}
		to = append(to, field{textproto.CanonicalMIMEHeaderKey(name), value})
		text = rest
	}
}

// pass gives the fields to the client's header, but for those of the hop. What is there
// already stays.
func (h *head) pass(to http.Header, upgrade bool) {
	values := make([]string, 0, len(h.fields))
	for i := range h.fields {
		f := &h.fields[i]
		switching := upgrade && f.name == "Upgrade"
		if !switching && (ofHop(f.name) || (h.named && has(h.fields, "Connection", f.name))) {
			continue
		}
		values = append(values, f.value)
		if old, ok := to[f.name]; ok {
			if f.name != "Content-Length" {
				to[f.name] = append(old[:len(old):len(old)], f.value)
			}
			continue
		}
		to[f.name] = values[len(values)-1 : len(values) : len(values)]
	}
}

// ofHop tells whether a field belongs to a single connection. Its framing is net/http's
// on the client's side and ours on the backend's.
func ofHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings":
		return true
	}
	return strings.HasPrefix(name, "Proxy-")
}

// has tells whether a list field has a token.
func has(fields []field, name, token string) bool {
	for i := range fields {
		if fields[i].name == name && hasToken(fields[i].value, token) {
			return true
		}
	}
	return false
}

func hasToken(list, token string) bool {
	for t := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(t), token) {
			return true
		}
	}
	return false
}

// parseLength reads a Content-Length: digits alone.
func parseLength(s string) (n int64, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, s != "" && len(s) <= 18
}

// keepAliveTimeout reads timeout=N, in seconds, and stays a second below it.
func keepAliveTimeout(value string) time.Duration {
	for part := range strings.SplitSeq(value, ",") {
		name, seconds, _ := strings.Cut(strings.TrimSpace(part), "=")
		if n, err := strconv.Atoi(seconds); err == nil && strings.EqualFold(name, "timeout") && n > 0 && n < 3600 {
			return max(time.Duration(n)*time.Second-time.Second, time.Duration(n)*time.Second/2)
		}
	}
	return 0
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c >= '0' && c <= '9':
		case strings.IndexByte("!#$%&'*+.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// isText tells whether a value has no control characters but tabs.
func isText(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadAnswer, fmt.Sprintf(format, args...))
}
