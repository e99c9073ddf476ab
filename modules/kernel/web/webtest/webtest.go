// Package webtest sends requests as they are written, for tests.
package webtest

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Request is sent as it is; the header's entries are "Name: value".
type Request struct {
	Method, Path string
	Header       []string
	Body         string
}

// Send sends a request to a server and reads the answer, following no redirect.
func Send(t testing.TB, base string, r Request) (status int, header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.Method, base+r.Path, strings.NewReader(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range r.Header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}
