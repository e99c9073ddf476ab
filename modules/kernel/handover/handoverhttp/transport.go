package handoverhttp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
)

// once is a transport that sends a request at most one time. net/http would send some
// again when a kept connection turns out to be dead: those whose body it can get again, or
// that have none and are safe. These have a body that can be had once.
type once struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	only := *r
	only.GetBody = nil
	if only.Body == nil || only.Body == http.NoBody {
		only.Body, only.ContentLength = nothing{}, 0
	}
	return o.RoundTripper.RoundTrip(&only)
}

// nothing is an empty body of which net/http does not know that it is empty.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
func (nothing) Close() error             { return nil }

// send posts a body and gives the answer if it is a good one, whose body the caller
// closes.
func (c *client) send(ctx context.Context, path, media string, size int64, body net.Buffers) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.host+c.base+path, io.NopCloser(&body))
	if err != nil {
		return nil, errs.E(errs.Invalid, "the request has no valid address").Because(err)
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", media)
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	if id := web.RequestID(ctx); id != "" {
		req.Header.Set(web.RequestIDHeader, id)
	}
	resp, err := c.stream.Do(req)
	if err != nil {
		return nil, unanswered(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, web.ErrorFrom(resp)
	}
	return nil, errs.E(errs.BadGateway, "the participant answered %s where an answer of its own was due", resp.Status)
}

func readJSON(ctx context.Context, body io.Reader, into any) error {
	text, err := io.ReadAll(io.LimitReader(body, rest.MaxAnswer+1))
	if err != nil {
		return unanswered(ctx, err)
	}
	if len(text) > rest.MaxAnswer {
		return errs.E(errs.BadGateway, "the participant's answer is larger than %d bytes", rest.MaxAnswer)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return errs.E(errs.BadGateway, "the participant's answer cannot be read").Because(err)
	}
	return nil
}

func unanswered(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return errs.E(errs.GatewayTimeout, "the participant did not answer in time").Because(err)
	}
	return errs.E(errs.Unavailable, "the participant did not answer, or broke off").Because(err)
}
