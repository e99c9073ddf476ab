package rest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
)

func TestReadQuery(t *testing.T) {
	for query, want := range map[string]errs.Code{
		"": "", "a=1": "", "a=": "", "a=%C3%A4&b=x": "", "a=1&a=2": errs.Invalid, "c=1": errs.UnknownField, "A=1": errs.UnknownField, "=1": errs.UnknownField,
		"a=%zz": errs.Invalid, "a=1;b=2": errs.Invalid, "a=%00": errs.Invalid, "a=%0a": errs.Invalid, "a=%FF": errs.Invalid, "a=" + strings.Repeat("x", 513): errs.Invalid,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL.RawQuery = query
		if _, err := rest.ReadQuery(r, "a", "b"); errs.CodeOf(err) != want {
			t.Errorf("%.40q: %v; want %q", query, err, want)
		}
	}
}

func TestQueryInt(t *testing.T) {
	for value, want := range map[string]int{"1": 1, "9": 9, "0": 0, "10": 0, "-1": 0, "+1": 0, "01": 0, "1.0": 0, "": 0, " 1": 0, "１": 0, "99999999999999999999": 0} {
		got, err := rest.Query{"n": value}.Int("n", 1, 9, 5)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %d, %v; want %d", value, got, err, want)
		}
	}
	if got, err := (rest.Query{}).Int("n", 1, 9, 5); got != 5 || err != nil {
		t.Errorf("absent: %d, %v", got, err)
	}
}

func TestSegment(t *testing.T) {
	for id, want := range map[string]string{"AA34": "AA34", "a b": "a%20b", "ä%?#": "%C3%A4%25%3F%23", "a.b": "a.b", "": "", ".": "", "..": "", "a/b": ""} {
		if got, ok := rest.Segment(id); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", id, got, ok, want)
		}
	}
}

// TestCallerErrors meets services that fail in every way.
func TestCallerErrors(t *testing.T) {
	big := []byte(`"` + strings.Repeat("x", rest.MaxAnswer) + `"`)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   errs.Code
	}{
		"fine":          {func(w http.ResponseWriter, _ *http.Request) { web.JSON(w, 200, "ok") }, ""},
		"problem":       {func(w http.ResponseWriter, r *http.Request) { web.Fail(w, r, errs.E(errs.HoldExpired, "over")) }, errs.HoldExpired},
		"bare 404":      {func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, errs.NotFound},
		"bare 502":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, errs.BadGateway},
		"redirect":      {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, errs.BadGateway},
		"no JSON":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, errs.BadGateway},
		"other JSON":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"a":1}`)) }, errs.BadGateway},
		"too much":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) }, errs.BadGateway},
		"torn off":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, errs.Unavailable},
		"torn off late": {func(w http.ResponseWriter, _ *http.Request) { tear(w) }, errs.Unavailable},
		"slow":          {func(_ http.ResponseWriter, r *http.Request) { stall(r) }, errs.GatewayTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var out string
			_, err := rest.NewCaller(server.URL, http.DefaultTransport).Do(ctx, rest.Call{Method: http.MethodPost, Path: "/", In: 1, Out: &out})
			if errs.CodeOf(err) != c.want {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
	_, err := rest.NewCaller("http://127.0.0.1:1", http.DefaultTransport).Do(t.Context(), rest.Call{Method: http.MethodGet, Path: "/"})
	if errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
	_, err = rest.NewCaller("http://127.0.0.1:1", http.DefaultTransport).Do(t.Context(), rest.Call{Method: http.MethodGet, Path: "/", Header: map[string]string{"X-Hold-Token": "a\x00"}})
	if errs.CodeOf(err) != errs.Invalid {
		t.Errorf("NUL in a header: %v", err)
	}
}

// stall answers nothing until the caller has gone, which a server notices only when it
// has read the body.
func stall(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	select {
	case <-r.Context().Done():
	case <-time.After(10 * time.Second):
	}
}

// tear sends the beginning of an answer and cuts the connection.
func tear(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte(`"begin`))
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}

func TestCallerSends(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r; web.JSON(w, 200, nil) }))
	defer server.Close()
	caller := rest.NewCaller(server.URL+"/", http.DefaultTransport)
	call := rest.Call{Method: http.MethodGet, Path: "/a%20b", Header: map[string]string{"X-Hold-Token": "t", "If-Match": ""}}
	if _, err := caller.Do(web.WithRequestID(t.Context(), "r-7"), call); err != nil {
		t.Fatal(err)
	}
	_, sent := got.Header["If-Match"]
	if got.URL.Path != "/a b" || got.Header.Get(web.RequestIDHeader) != "r-7" || got.Header.Get("X-Hold-Token") != "t" || got.Header.Get("Content-Type") != "" || sent {
		t.Errorf("%s %v", got.URL.Path, got.Header)
	}
}
