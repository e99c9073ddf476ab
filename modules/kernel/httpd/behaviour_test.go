package httpd_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// behaviour is a handler of many kinds; the request's path chooses. What it is told goes
// to note.
func behaviour(note func(format string, args ...any)) http.Handler {
	kinds := behaviours()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note("%s %q %s host %q length %d te %q close %v remote %s", r.Method, r.RequestURI, r.Proto, r.Host, r.ContentLength, r.TransferEncoding, r.Close, r.RemoteAddr)
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			note("%q: %q", name, r.Header[name])
		}
		kind := kinds[strings.TrimPrefix(r.URL.Path, "/")]
		if kind == nil {
			kind = echo
		}
		kind(w, r, note)
	})
}

type noting func(format string, args ...any)

func read(r *http.Request, n int64, note noting) {
	body, err := io.ReadAll(io.LimitReader(r.Body, n))
	note("body %d %.100q %v trailer %v", len(body), body, err, r.Trailer)
}

func say(w io.Writer, text string, note noting) {
	n, err := w.Write([]byte(text))
	note("wrote %d %v", n, err)
}

func echo(w http.ResponseWriter, r *http.Request, note noting) {
	read(r, 1<<20, note)
	say(w, "hello", note)
}

// fields sets a header and says something.
func fields(text string, pairs ...string) func(http.ResponseWriter, *http.Request, noting) {
	return func(w http.ResponseWriter, _ *http.Request, note noting) {
		for i := 0; i < len(pairs); i += 2 {
			w.Header()[pairs[i]] = append(w.Header()[pairs[i]], pairs[i+1])
		}
		say(w, text, note)
	}
}

// answers gives a status and says something.
func answers(status int, text string) func(http.ResponseWriter, *http.Request, noting) {
	return func(w http.ResponseWriter, _ *http.Request, note noting) {
		w.WriteHeader(status)
		say(w, text, note)
	}
}

func behaviours() map[string]func(http.ResponseWriter, *http.Request, noting) {
	type (
		W = http.ResponseWriter
		R = *http.Request
	)
	all := map[string]func(W, R, noting){
		"ignore":      fields("hello"),
		"nothing":     func(W, R, noting) {},
		"half":        func(w W, r R, note noting) { read(r, 3, note); say(w, "half", note) },
		"close":       func(w W, r R, note noting) { note("%v", r.Body.Close()); read(r, 9, note); say(w, "closed", note) },
		"late":        func(w W, r R, note noting) { say(w, "first", note); read(r, 1<<20, note) },
		"too-late":    func(w W, r R, note noting) { say(w, "first", note); flush(w, note); read(r, 1<<20, note) },
		"flush":       func(w W, _ R, note noting) { say(w, "a", note); flush(w, note); say(w, "b", note) },
		"flush-first": func(w W, _ R, note noting) { flush(w, note); say(w, "b", note); flush(w, note); flush(w, note) },
		"pieces": func(w W, _ R, note noting) {
			for range 100 {
				say(w, strings.Repeat("x", 99), note)
			}
		},
		"huge":      fields(strings.Repeat("y", 100_000)),
		"2047":      fields(strings.Repeat("y", 2047)),
		"2048":      fields(strings.Repeat("y", 2048)),
		"2049":      fields(strings.Repeat("y", 2049)),
		"two-big":   func(w W, _ R, note noting) { say(w, "ab", note); say(w, strings.Repeat("z", 5000), note) },
		"long":      func(w W, _ R, note noting) { length(w, "5"); say(w, "hello", note); say(w, "more", note) },
		"longer":    func(w W, _ R, note noting) { length(w, "5"); say(w, "hello more", note) },
		"short":     func(w W, _ R, note noting) { length(w, "9"); say(w, "hello", note) },
		"exact":     func(w W, _ R, note noting) { length(w, "5"); say(w, "hello", note); note("%v", w.Header()) },
		"exact-big": func(w W, _ R, note noting) { length(w, "9000"); say(w, strings.Repeat("q", 9000), note) },
		"spoken":    fields("hello", "Content-Length", "5", "Connection", "keep-alive"),
		"no-length": func(w W, _ R, note noting) { w.Header()["Content-Length"] = nil; say(w, "hello", note) },
		"ends":      fields("hello", "Connection", "close"),
		"ends-not":  fields("hello", "Connection", "x-a, close", "X-A", "1"),
		"identity":  fields("hello", "Transfer-Encoding", "identity"),
		"chunked":   fields("hello", "Transfer-Encoding", "chunked"),
		"gzip":      fields("hello", "Transfer-Encoding", "gzip"),
		"both":      fields("hello", "Transfer-Encoding", "chunked", "Content-Length", "5"),
		"html":      fields("<html><body>x"),
		"zip":       fields("PK\x03\x04rest"),
		"typed":     fields("<html>", "Content-Type", "text/x"),
		"untyped":   func(w W, _ R, note noting) { w.Header()["Content-Type"] = nil; say(w, "<html>", note) },
		"coded":     fields("<html>", "Content-Encoding", "gzip"),
		"dateless":  func(w W, _ R, note noting) { w.Header()["Date"] = nil; say(w, "x", note) },
		"dated":     fields("x", "Date", "then"),
		"injected":  fields("x", "X-A", "1\r\nX-B: 2", "X-C", " \t3\n ", "X-D", "\x00\x7f"),
		"misnamed":  fields("x", "X A", "1", "X-B\r\nX-C", "2", "", "3", "X:D", "4", "x-low", "5"),
		"many":      fields("x", "X-A", "1", "X-A", "2", "Connection", "x-b", "Connection", "close"),
	}
	maps.Copy(all, statuses())
	maps.Copy(all, courses())
	return all
}

func flush(w http.ResponseWriter, note noting) {
	note("flush %v", http.NewResponseController(w).Flush())
}

func length(w http.ResponseWriter, text string) { w.Header().Set("Content-Length", text) }

// statuses are kinds whose status matters.
func statuses() map[string]func(http.ResponseWriter, *http.Request, noting) {
	type (
		W = http.ResponseWriter
		R = *http.Request
	)
	return map[string]func(W, R, noting){
		"204": answers(204, "x"), "304": answers(304, "x"), "404": answers(404, "x"), "599": answers(599, "x"),
		"999": answers(999, "x"), "1000": answers(1000, "x"), "99": answers(99, "x"), "200": answers(200, ""), "101": answers(101, "x"),
		"204-typed": func(w W, _ R, note noting) {
			length(w, "3")
			w.Header().Set("Content-Type", "a/b")
			answers(204, "x")(w, nil, note)
		},
		"304-typed": func(w W, _ R, note noting) {
			length(w, "3")
			w.Header().Set("Content-Type", "a/b")
			answers(304, "")(w, nil, note)
		},
		"switch": func(w W, _ R, note noting) {
			w.Header().Set("Connection", "upgrade")
			w.Header().Set("Upgrade", "x")
			answers(101, "")(w, nil, note)
		},
		"twice": func(w W, _ R, note noting) { w.WriteHeader(201); w.WriteHeader(500); say(w, "x", note) },
		"after": func(w W, _ R, note noting) {
			h := w.Header()
			h.Set("X-A", "1")
			w.WriteHeader(200)
			h.Set("X-A", "2")
			w.Header().Set("X-B", "3")
			say(w, "x", note)
			w.Header().Set("X-C", "4")
		},
		"trailers": func(w W, _ R, note noting) {
			w.Header().Add("Trailer", "X-Sum, x-more")
			w.Header().Add("Trailer", "Content-Length")
			say(w, "x", note)
			w.Header().Set("X-Sum", "1\r\n2")
			w.Header().Set("X-More", "3")
			w.Header().Set("X-Other", "3")
		},
		"late-trailers": func(w W, _ R, note noting) {
			say(w, strings.Repeat("x", 3000), note)
			w.Header()[http.TrailerPrefix+"X-Sum"] = []string{"1", "2"}
			w.Header()[http.TrailerPrefix+"X Sum"] = []string{"1"}
		},
		"small-trailers": func(w W, _ R, note noting) {
			say(w, "x", note)
			w.Header()[http.TrailerPrefix+"X-Sum"] = []string{"1"}
		},
		"early-trailers": func(w W, _ R, note noting) {
			w.Header()[http.TrailerPrefix+"X-Sum"] = []string{"1"}
			say(w, "x", note)
		},
	}
}

// courses are kinds that do more than answer.
func courses() map[string]func(http.ResponseWriter, *http.Request, noting) {
	type (
		W = http.ResponseWriter
		R = *http.Request
	)
	return map[string]func(W, R, noting){
		"hints": func(w W, _ R, note noting) {
			w.Header().Set("Link", "</a>")
			length(w, "2")
			w.WriteHeader(103)
			w.WriteHeader(102)
			w.Header().Set("X-A", "1")
			say(w, "ok", note)
		},
		"continue": func(w W, r R, note noting) { w.WriteHeader(100); read(r, 1<<20, note); say(w, "ok", note) },
		"duplex": func(w W, r R, note noting) {
			note("%v", http.NewResponseController(w).EnableFullDuplex())
			say(w, "a", note)
			flush(w, note)
			read(r, 1<<20, note)
			say(w, "b", note)
		},
		"duplex-ignore": func(w W, _ R, note noting) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			say(w, "a", note)
			flush(w, note)
		},
		"panic":       func(W, R, noting) { panic("oh") },
		"abort":       func(w W, _ R, note noting) { say(w, "x", note); panic(http.ErrAbortHandler) },
		"panic-late":  func(w W, _ R, note noting) { say(w, "x", note); flush(w, note); say(w, "y", note); panic("oh") },
		"panic-big":   func(w W, _ R, note noting) { say(w, strings.Repeat("x", 3000), note); panic("oh") },
		"hijack":      func(w W, _ R, note noting) { hijack(w, note) },
		"hijack-late": func(w W, _ R, note noting) { w.WriteHeader(101); hijack(w, note) },
		"hijack-body": func(w W, r R, note noting) { read(r, 2, note); hijack(w, note) },
		"string":      func(w W, _ R, note noting) { n, err := io.WriteString(w, "text"); note("%d %v", n, err) },
		"empty":       func(w W, _ R, note noting) { say(w, "", note); w.Header().Set("X-A", "late") },
	}
}

func hijack(w http.ResponseWriter, note noting) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		note("hijack %v", err)
		return
	}
	defer func() { _ = c.Close() }()
	_, err = w.Write([]byte("x"))
	_, _, again := http.NewResponseController(w).Hijack()
	rest, rerr := io.ReadAll(rw)
	note("then %v, %v, %q %v", err, again, rest, rerr)
	_, _ = fmt.Fprintf(rw, "raw %d", len(rest))
	_ = rw.Flush()
}
