package hop

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// appendHead writes the request's head: the client's fields as they came, but for those
// of the hop and for what this hop has to say itself. Nothing that could be read as more
// than one request is written.
func (x *exchange) appendHead(to []byte) ([]byte, error) {
	r := x.r
	if !isToken(r.Method) || r.Method == http.MethodConnect {
		return to, fmt.Errorf("%w: the method %.20q", ErrBadRequest, r.Method)
	}
	to = append(to, r.Method...)
	to = append(to, ' ')
	to, err := appendTarget(to, r)
	if err != nil {
		return to, err
	}
	to = append(to, " HTTP/1.1\r\nHost: "...)
	to = append(to, x.u.hostFor(r)...)
	to = append(to, "\r\n"...)
	x.upgrade = upgradeOf(r)
	trusted := x.u.trusts(r.RemoteAddr)
	named := namedFields(r.Header)
	for name, values := range r.Header {
		if skipped(name, trusted, x.c.ID != "") || (named && x.connectionNames(name)) {
			continue
		}
		for _, value := range values {
			if !isToken(name) || !isText(value) {
				return to, fmt.Errorf("%w: the header %.40q", ErrBadRequest, name)
			}
			to = appendField(to, name, value)
		}
	}
	return x.appendOwn(to, trusted), nil
}

// hostFor is the client's Host: programs behind the router make addresses and cookies of
// it. Under TLS it is the backend's, whose certificate and configuration go by that name.
func (u *Upstream) hostFor(r *http.Request) string {
	if u.tls != nil || r.Host == "" || !isText(r.Host) {
		return u.host
	}
	return r.Host
}

// appendOwn writes what this hop says, and the empty line.
func (x *exchange) appendOwn(to []byte, trusted bool) []byte {
	r := x.r
	if x.upgrade != "" {
		to = append(to, "Connection: Upgrade\r\n"...)
		to = appendField(to, "Upgrade", x.upgrade)
	}
	if values := r.Header["Te"]; len(values) > 0 && hasToken(strings.Join(values, ","), "trailers") {
		to = append(to, "Te: trailers\r\n"...)
	}
	if x.c.ID != "" && isText(x.c.ID) {
		to = appendField(to, "X-Request-Id", x.c.ID)
	}
	to = appendForwarded(to, r, trusted)
	switch {
	case x.c.Stream != nil && r.ContentLength >= 0:
		to = appendLength(to, r.ContentLength)
	case x.c.Stream != nil:
		to = append(to, "Transfer-Encoding: chunked\r\n"...)
		to = appendTrailerNames(to, r.Trailer)
	case len(x.c.Body) > 0 || hasMeaningfulBody(r.Method):
		to = appendLength(to, int64(len(x.c.Body)))
	}
	if x.c.Stream != nil && len(r.Header["Expect"]) > 0 {
		to = append(to, "Expect: 100-continue\r\n"...) // the only one that net/http lets through
		x.expect = true
	}
	return append(to, "\r\n"...)
}

func appendField(to []byte, name, value string) []byte {
	to = append(to, name...)
	to = append(to, ": "...)
	to = append(to, value...)
	return append(to, "\r\n"...)
}

func appendLength(to []byte, n int64) []byte {
	to = append(to, "Content-Length: "...)
	to = strconv.AppendInt(to, n, 10)
	return append(to, "\r\n"...)
}

func hasMeaningfulBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// appendTarget writes the target in origin form as the client spelled it, so that the
// backend reads what the router matched; what RFC 3986 does not allow is escaped.
func appendTarget(to []byte, r *http.Request) ([]byte, error) {
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") {
		target = r.URL.RequestURI() // absolute form, or a request made in this process
	}
	if !strings.HasPrefix(target, "/") && (target != "*" || r.Method != http.MethodOptions) {
		return to, fmt.Errorf("%w: the target %.60q", ErrBadRequest, target)
	}
	const hex = "0123456789ABCDEF"
	for i := range len(target) {
		switch c := target[i]; {
		case c <= ' ' || c == 0x7f:
			return to, fmt.Errorf("%w: the target has a control character or a space", ErrBadRequest)
		case c >= 0x80 || c == '#' || c == '"' || c == '<' || c == '>' || c == '\\' || c == '^' || c == '`' || c == '{' || c == '|' || c == '}':
			to = append(to, '%', hex[c>>4], hex[c&15])
		default:
			to = append(to, c)
		}
	}
	return to, nil
}

// skipped tells whether a field of the client's is left out or written by appendOwn.
func skipped(name string, trusted, id bool) bool {
	switch name {
	case "Host", "Content-Length", "Expect":
		return true
	case "X-Request-Id":
		return id
	case "Forwarded":
		return true // appendForwarded writes it
	}
	if len(name) > 12 && name[0] == 'X' && strings.HasPrefix(name, "X-Forwarded-") {
		switch name {
		case "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto":
			return true // so does it these
		}
		return !trusted
	}
	return ofHop(name)
}

// namedFields tells whether the Connection header names fields.
func namedFields(h http.Header) bool {
	for _, v := range h["Connection"] {
		if !strings.EqualFold(v, "close") && !strings.EqualFold(v, "keep-alive") {
			return true
		}
	}
	return false
}

func (x *exchange) connectionNames(name string) bool {
	for _, v := range x.r.Header["Connection"] {
		if hasToken(v, name) {
			return true
		}
	}
	return false
}

// upgradeOf gives the protocol that the client asks for, "" if none that may be passed
// on: h2c would lead requests past the router.
func upgradeOf(r *http.Request) string {
	values := r.Header["Upgrade"]
	if len(values) != 1 || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.ContentLength != 0 ||
		!hasToken(strings.Join(r.Header["Connection"], ","), "upgrade") {
		return ""
	}
	if name, _, _ := strings.Cut(values[0], "/"); !isToken(name) || !isText(values[0]) || strings.Contains(values[0], ",") ||
		strings.EqualFold(name, "h2c") || strings.EqualFold(name, "h2") || strings.EqualFold(name, "HTTP") || strings.EqualFold(name, "TLS") {
		return ""
	}
	return values[0]
}

// appendForwarded tells of this hop and, where the one before is trusted, of those
// before it.
func appendForwarded(to []byte, r *http.Request, trusted bool) []byte {
	ip, proto, host := clientIP(r.RemoteAddr), "http", r.Host
	if r.TLS != nil {
		proto = "https"
	}
	if !isText(host) {
		host = ""
	}
	earlier := func(name string) []string {
		if !trusted {
			return nil
		}
		return r.Header[name]
	}
	to = append(to, "X-Forwarded-For: "...)
	for _, v := range earlier("X-Forwarded-For") {
		to = appendText(to, v)
		to = append(to, ", "...)
	}
	to = append(to, strings.Trim(ip, "[]")...)
	to = append(to, "\r\nX-Forwarded-Host: "...)
	to = appendText(to, first(earlier("X-Forwarded-Host"), host))
	to = append(to, "\r\nX-Forwarded-Proto: "...)
	to = appendText(to, first(earlier("X-Forwarded-Proto"), proto))
	to = append(to, "\r\nForwarded: "...)
	for _, v := range earlier("Forwarded") {
		to = appendText(to, v)
		to = append(to, ", "...)
	}
	to = append(to, "for="...)
	if strings.IndexByte(ip, ':') >= 0 || strings.HasPrefix(ip, "[") {
		to = append(to, `"[`...)
		to = append(to, strings.Trim(ip, "[]")...)
		to = append(to, `]"`...)
	} else {
		to = append(to, ip...)
	}
	to = append(to, `;host="`...)
	for i := range len(host) {
		if host[i] == '"' || host[i] == '\\' {
			to = append(to, '\\')
		}
		to = append(to, host[i])
	}
	to = append(to, `";proto=`...)
	to = append(to, proto...)
	to = append(to, "\r\nVia: "...)
	to = strconv.AppendInt(to, int64(r.ProtoMajor), 10)
	to = append(to, '.')
	to = strconv.AppendInt(to, int64(r.ProtoMinor), 10)
	return append(to, " banyan\r\n"...)
}

func appendText(to []byte, s string) []byte {
	if !isText(s) {
		return to
	}
	return append(to, s...)
}

func first(values []string, otherwise string) string {
	if len(values) > 0 {
		return values[0]
	}
	return otherwise
}

// clientIP is the address without the port, a version 6 one in brackets.
func clientIP(remote string) string {
	if i := strings.LastIndexByte(remote, ':'); i >= 0 {
		return remote[:i]
	}
	return remote
}

// trusts tells whether what the sender says about earlier hops is believed.
func (u *Upstream) trusts(remote string) bool {
	if len(u.trusted) == 0 {
		return false
	}
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, p := range u.trusted {
		if p.Contains(at.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// appendTrailerNames announces the trailers of a streamed body.
func appendTrailerNames(to []byte, trailer http.Header) []byte {
	sep := "Trailer: "
	for name := range trailer {
		if mayTrail(name) {
			to = append(to, sep...)
			to = append(to, name...)
			sep = ", "
		}
	}
	if sep == ", " {
		to = append(to, "\r\n"...)
	}
	return to
}

// mayTrail tells whether a field may come after a body: one that frames or routes a
// message may not.
func mayTrail(name string) bool {
	switch name {
	case "Content-Length", "Host", "Content-Encoding", "Content-Type", "Content-Range", "Authorization", "Cookie", "Set-Cookie":
		return false
	}
	return isToken(name) && !ofHop(name)
}
