package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/web"
)

// MaxAnswer bounds how much of an answer a client reads, in bytes.
const MaxAnswer = 16 << 20

// Caller calls a service that answers with JSON. It follows no redirect: the services
// send none, and a request that changes something must not wander.
type Caller struct {
	base string
	http http.Client
}

// NewCaller makes a Caller of the service at base, such as http://127.0.0.1:8081. The
// time of a call is bounded by its context and by rt.
func NewCaller(base string, rt http.RoundTripper) *Caller {
	return &Caller{base: strings.TrimRight(base, "/"), http: http.Client{
		Transport:     rt,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Call is one request: Path as Path made it, In sent as JSON unless nil, Out filled
// from the answer unless nil.
type Call struct {
	Method string
	Path   string
	Query  url.Values
	Header map[string]string // empty values are not sent
	In     any
	Out    any
}

// Do sends the call, with the request id of ctx, and gives the answer's header. errs:
// what the service answered; GatewayTimeout when ctx ended first; Unavailable when there
// was no answer, and then the effect is unknown; BadGateway when it made no sense.
func (c *Caller) Do(ctx context.Context, call Call) (http.Header, error) {
	req, err := c.request(ctx, call)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unanswered(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= http.StatusBadRequest {
		return resp.Header, web.ErrorFrom(resp)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return resp.Header, errs.E(errs.BadGateway, "the service answered %s where an answer of its own was due", resp.Status)
	}
	return resp.Header, readAnswer(ctx, resp, call.Out)
}

func (c *Caller) request(ctx context.Context, call Call) (*http.Request, error) {
	var body io.Reader
	if call.In != nil {
		encoded, err := json.Marshal(call.In)
		if err != nil {
			return nil, errs.E(errs.Invalid, "the request cannot be written as JSON").Because(err)
		}
		body = bytes.NewReader(encoded)
	}
	target := c.base + call.Path
	if len(call.Query) > 0 {
		target += "?" + call.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, target, body)
	if err != nil {
		return nil, errs.E(errs.Invalid, "the request has no valid address").Because(err)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if id := web.RequestID(ctx); id != "" {
		req.Header.Set(web.RequestIDHeader, id)
	}
	for name, value := range call.Header {
		if strings.ContainsFunc(value, unicode.IsControl) {
			return nil, errs.E(errs.Invalid, "%s may have visible ASCII characters only", name)
		}
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	return req, nil
}

func readAnswer(ctx context.Context, resp *http.Response, out any) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	switch {
	case err != nil:
		return unanswered(ctx, err)
	case len(body) > MaxAnswer:
		return errs.E(errs.BadGateway, "the service's answer is larger than %d bytes", MaxAnswer)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return errs.E(errs.BadGateway, "the service's answer cannot be read").Because(err)
	}
	return nil
}

func unanswered(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return errs.E(errs.GatewayTimeout, "the service did not answer in time").Because(err)
	}
	return errs.E(errs.Unavailable, "the service did not answer").Because(err)
}

// Segment escapes an id for use as one segment of a path; it reports false for an id
// that no path can carry (empty, dots only, a slash inside) and that names nothing.
func Segment(id string) (string, bool) {
	if strings.Trim(id, ".") == "" || strings.Contains(id, "/") {
		return "", false
	}
	return url.PathEscape(id), true
}
