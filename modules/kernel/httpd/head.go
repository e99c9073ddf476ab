package httpd

import (
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// sentFields are those of an answer's fields on which its framing depends. The others are
// text already, in the connection's buffer.
type sentFields struct {
	connection, encoding, kind    []string // Connection, Transfer-Encoding, Content-Type
	hasConnection, hasKind        bool
	hasLength, hasDate, hasCoding bool // Content-Length, Date, Content-Encoding
	trailers, upgrade             bool
}

// keepFields takes the fields as they are when the handler decides on the status.
func (w *response) keepFields() {
	f, to := &w.sent, w.c.b.fields[:0]
	for name, values := range w.header {
		switch name {
		case "Connection":
			f.connection, f.hasConnection = values, true
			continue
		case "Transfer-Encoding":
			f.encoding = values
			continue
		case "Content-Type":
			f.kind, f.hasKind = values, true
			continue
		case "Content-Length":
			f.hasLength = true
			continue
		case "Date":
			f.hasDate = true
		case "Content-Encoding":
			f.hasCoding = first(values) != ""
		case "Upgrade":
			f.upgrade = first(values) != ""
		case "Trailer":
			f.trailers = f.trailers || len(values) > 0
			w.declareTrailers(values)
		default:
			if strings.HasPrefix(name, http.TrailerPrefix) {
				f.trailers = true
				continue
			}
		}
		to = appendFields(to, name, values)
	}
	w.c.b.fields = to
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

func (w *response) declareTrailers(values []string) {
	for _, list := range values {
		for name := range strings.SplitSeq(list, ",") {
			if name = http.CanonicalHeaderKey(textproto.TrimString(name)); mayTrail(name) {
				w.trailers = append(w.trailers, name)
			}
		}
	}
}

// mayTrail forbids the fields that a message needs before its body.
func mayTrail(name string) bool {
	if name == "" || strings.HasPrefix(name, "If-") {
		return false
	}
	return !slices.Contains([]string{
		"Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Range",
		"Content-Type", "Expect", "Host", "Keep-Alive", "Max-Forwards", "Pragma", "Proxy-Authenticate",
		"Proxy-Authorization", "Proxy-Connection", "Range", "Realm", "Te", "Trailer", "Transfer-Encoding",
		"Www-Authenticate",
	}, name)
}

// sendHead sends the answer's head unless that is done. p is how its body begins: all of
// it when the handler has returned.
func (w *response) sendHead(p []byte) {
	if w.sentHead {
		return
	}
	w.sentHead = true
	f := &w.sent
	length := w.declared
	if w.over && !f.trailers && len(first(f.encoding)) == 0 && hasBody(w.status) && !f.hasLength && (!w.isHead || len(p) > 0) {
		length = int64(len(p))
		w.declared = length
	}
	keep := w.decideEnd(length)
	w.settleBody()
	if w.limited {
		f.connection, f.hasConnection = nil, false
	}
	length, encoding := w.decideFraming(length)
	to := appendStatus(w.c.b.out, w.is11, w.status)
	to = append(to, w.c.b.fields...)
	to = w.appendFraming(to, p, length, encoding)
	to = w.appendConnection(to, keep)
	w.c.b.out = append(to, "\r\n"...)
}

// decideEnd decides whether the connection ends with the answer, as far as head and
// request tell. The result is what HTTP/1.0 is told.
func (w *response) decideEnd(length int64) (connection string) {
	f := &w.sent
	closing := w.c.srv.closing.Load()
	switch {
	case w.wantsOld && (w.isHead || length != -1 || !hasBody(w.status)):
		if !f.hasConnection {
			connection = "keep-alive"
		}
	case !w.is11 || w.wantsClose:
		w.ends = true
	}
	if first(f.connection) == "close" || closing {
		w.ends = true
	}
	return connection
}

// settleBody reads what the handler left of the request, in order that the connection can
// be used on, or ends it.
func (w *response) settleBody() {
	b := w.body
	if b == nil {
		return
	}
	if w.asked && !w.c.bodyEnd.Load() {
		w.ends = true // the client need not send it
	}
	if w.ends || w.fullDuplex {
		return
	}
	w.limited, w.ends = b.settle()
}

// decideFraming gives the Content-Length to be sent, or -1, and the Transfer-Encoding.
func (w *response) decideFraming(length int64) (int64, []string) {
	encoding := w.sent.encoding
	te := first(encoding)
	if length != -1 && te != "" && te != "identity" {
		w.c.srv.config.ErrorLog.Printf("both Transfer-Encoding %q and a Content-Length of %d", te, length)
		length = -1
	}
	switch {
	case w.isHead || !hasBody(w.status):
		if !hasBody(w.status) {
			length = -1
		}
		return length, nil
	case length != -1:
		return length, nil
	case !w.is11: // the end of the connection is the end of the answer
		w.ends = true
		return -1, nil
	case te == "identity":
		w.ends = true
		return -1, nil
	}
	w.chunked = true
	if te == "chunked" {
		encoding = nil
	}
	return -1, append(slices.Clip(encoding), "chunked")
}

func (w *response) appendFraming(to, p []byte, length int64, encoding []string) []byte {
	f := &w.sent
	if !f.hasDate {
		to = append(to, "Date: "...)
		to = w.c.srv.appendDate(to, w.c.srv.now())
		to = append(to, "\r\n"...)
	}
	switch {
	case w.status == http.StatusNotModified:
	case f.hasKind:
		to = appendFields(to, "Content-Type", f.kind)
	case hasBody(w.status) && !f.hasCoding && first(f.encoding) == "" && len(p) > 0:
		to = append(to, "Content-Type: "...)
		to = append(to, http.DetectContentType(p)...)
		to = append(to, "\r\n"...)
	}
	if length != -1 {
		to = append(to, "Content-Length: "...)
		to = strconv.AppendInt(to, length, 10)
		to = append(to, "\r\n"...)
	}
	return appendFields(to, "Transfer-Encoding", encoding)
}

// appendConnection appends the handler's Connection unless the server has to say close.
// HTTP/1.0 may be told keep-alive and see the connection close: so it is with net/http.
func (w *response) appendConnection(to []byte, keep string) []byte {
	f := &w.sent
	switching := w.status == http.StatusSwitchingProtocols && f.upgrade && slices.ContainsFunc(f.connection, isUpgrade)
	if w.ends && (w.c.srv.closing.Load() || !hasToken(first(f.connection), "close")) && !switching {
		if w.is11 || w.limited {
			return append(to, "Connection: close\r\n"...)
		}
		if keep == "" {
			return to
		}
	}
	if keep != "" {
		return appendFields(to, "Connection", []string{keep})
	}
	return appendFields(to, "Connection", f.connection)
}

func isUpgrade(list string) bool {
	for word := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(textproto.TrimString(word), "upgrade") {
			return true
		}
	}
	return false
}

func appendStatus(to []byte, is11 bool, status int) []byte {
	if is11 {
		to = append(to, "HTTP/1.1 "...)
	} else {
		to = append(to, "HTTP/1.0 "...)
	}
	to = strconv.AppendInt(to, int64(status), 10)
	to = append(to, ' ')
	if text := http.StatusText(status); text != "" {
		to = append(to, text...)
	} else {
		to = append(to, "status code "...)
		to = strconv.AppendInt(to, int64(status), 10)
	}
	return append(to, "\r\n"...)
}

// appendFields appends a field with each of its values, in which line ends are made
// spaces. A name that is none is left out.
func appendFields(to []byte, name string, values []string) []byte {
	if !isToken(name) {
		return to
	}
	for _, value := range values {
		to = append(append(to, name...), ": "...)
		value = textproto.TrimString(value)
		from := len(to)
		to = append(to, value...)
		for i := from; i < len(to); i++ {
			if to[i] == '\r' || to[i] == '\n' {
				to[i] = ' '
			}
		}
		to = append(to, "\r\n"...)
	}
	return to
}
