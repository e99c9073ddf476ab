// Package rest is what the HTTP edges of the contexts share: handlers that return their
// error, strict query parameters and preconditions on the way in, and a bounded caller
// for the clients on the way out.
package rest

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/web"
)

// Handler answers a request, or returns the error that web.Fail then answers with.
type Handler func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP makes a Handler an http.Handler.
func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		web.Fail(w, r, err)
	}
}

// Replayed marks an answer that was stored before.
func Replayed(w http.ResponseWriter, replayed bool) {
	if replayed {
		w.Header().Set(idempotency.Replayed, "true")
	}
}

// VersionTag gives a version as a strong entity tag.
func VersionTag(version int64) string { return Tag(strconv.FormatInt(version, 10)) }

// Tag quotes an entity tag, RFC 9110.
func Tag(opaque string) string { return `"` + opaque + `"` }

// Untag gives what is inside a strong or weak entity tag, "" when it is none.
func Untag(tag string) string {
	tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
	if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' || strings.Contains(tag[1:len(tag)-1], `"`) {
		return ""
	}
	return tag[1 : len(tag)-1]
}

// NotModified sets the answer's ETag and tells whether If-None-Match names it already;
// then a 304 is written and nothing else may follow.
func NotModified(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	for _, value := range r.Header.Values("If-None-Match") {
		for one := range strings.SplitSeq(value, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || Untag(one) == Untag(tag) {
				w.WriteHeader(http.StatusNotModified)
				return true
			}
		}
	}
	return false
}

// IfMatch reads the version that a change is based on. errs: PreconditionRequired when
// it is missing, Invalid when it is no single entity tag, PreconditionFailed when it is
// a tag that no version has.
func IfMatch(r *http.Request) (int64, error) {
	values := r.Header.Values("If-Match")
	switch len(values) {
	case 0:
		return 0, errs.E(errs.PreconditionRequired, "send If-Match with the ETag of the version that you change")
	case 1:
	default:
		return 0, errs.E(errs.Invalid, "If-Match comes %d times; send it once", len(values))
	}
	opaque := Untag(values[0])
	if opaque == "" {
		return 0, errs.E(errs.Invalid, `If-Match must be one entity tag as ETag gave it, such as "3"`)
	}
	version, err := strconv.ParseInt(opaque, 10, 64)
	if err != nil || version < 1 || strconv.FormatInt(version, 10) != opaque || strings.HasPrefix(values[0], "W/") {
		return 0, errs.E(errs.PreconditionFailed, "no version has the entity tag %q; read it again", opaque)
	}
	return version, nil
}

// maxHeader bounds a header that carries one of our values, in bytes.
const maxHeader = 128

// Header reads a header that may come once, with visible ASCII characters only; ""
// when it is absent or empty. The error names the header, never its value.
func Header(r *http.Request, name string) (string, error) {
	values := r.Header.Values(name)
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", errs.E(errs.Invalid, "%s comes %d times; send it once", name, len(values))
	}
	if len(values[0]) > maxHeader {
		return "", errs.E(errs.Invalid, "%s is longer than %d characters", name, maxHeader)
	}
	for _, c := range []byte(values[0]) {
		if c <= ' ' || c > '~' {
			return "", errs.E(errs.Invalid, "%s may have visible ASCII characters only", name)
		}
	}
	return values[0], nil
}

// WithBody gives the request with a body that has been read already.
func WithBody(r *http.Request, body []byte) *http.Request {
	c := *r
	c.Body = io.NopCloser(bytes.NewReader(body))
	return &c
}
