package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"banyan/modules/kernel/errs"
)

// ProblemType is the media type of errors, RFC 9457.
const ProblemType = "application/problem+json"

// Fail answers with err as problem+json: its code, message and fields. The cause is
// left for the log (see Failure); an error that is not ours is a bare 500.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *errs.Error
	if !errors.As(err, &e) {
		e = errs.E(errs.Internal, "something went wrong on our side").Because(err)
	}
	keepFailure(r, e)
	status := errs.Status(e.Code)
	problem := map[string]any{}
	for k, v := range e.Fields {
		problem[k] = v
	}
	problem["type"] = "about:blank"
	problem["title"] = http.StatusText(status)
	problem["status"] = status
	problem["code"] = e.Code
	problem["detail"] = e.Message
	if id := RequestID(r.Context()); id != "" {
		problem["request_id"] = id
	}
	body, merr := json.Marshal(problem)
	if merr != nil {
		body = fmt.Appendf(nil, `{"status":%d,"code":%q}`, status, e.Code)
	}
	w.Header().Set("Content-Type", ProblemType)
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// maxProblem bounds how much of an error's body a client reads.
const maxProblem = 64 << 10

// ErrorFrom rebuilds the error of an answer with a status of 400 or more: the same
// code, message and fields that the server's Fail had.
func ErrorFrom(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	var fields map[string]any
	if err != nil || json.Unmarshal(body, &fields) != nil {
		return errs.E(codeFor(resp.StatusCode), "the service answered %s", resp.Status).Because(err)
	}
	code, _ := fields["code"].(string)
	detail, _ := fields["detail"].(string)
	if code == "" {
		return errs.E(codeFor(resp.StatusCode), "the service answered %s", resp.Status)
	}
	e := errs.E(errs.Code(code), "%s", detail)
	for k, v := range fields {
		switch k {
		case "type", "title", "status", "code", "detail", "request_id":
		default:
			e = e.With(k, v)
		}
	}
	return e
}

func codeFor(status int) errs.Code {
	switch {
	case status == http.StatusNotFound:
		return errs.NotFound
	case status == http.StatusGatewayTimeout:
		return errs.GatewayTimeout
	case status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests:
		return errs.Unavailable
	case status >= http.StatusInternalServerError:
		return errs.BadGateway
	}
	return errs.Invalid
}
