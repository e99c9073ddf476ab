package httpd_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// forms are requests of every kind; {} is the path.
func forms() map[string]string {
	chunks := "3\r\nabc\r\n2\r\nde\r\n0\r\n"
	return map[string]string{
		"GET":                 "GET /{} HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
		"GET close":           "GET /{} HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n",
		"HTTP/1.0":            "GET /{} HTTP/1.0\r\n\r\n",
		"HTTP/1.0 keep-alive": "GET /{} HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
		"HTTP/1.0 POST":       "POST /{} HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nabcde",
		"HEAD":                "HEAD /{} HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST":                "POST /{} HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde",
		"POST empty":          "POST /{} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		"POST line ends":      "POST /{} HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde\r\n",
		"POST close":          "POST /{} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabcde",
		"chunks":              "PUT /{} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "\r\n",
		"trailer":             "PUT /{} HTTP/1.1\r\nHost: h\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "X-T: 1\r\n\r\n",
		"trailer undeclared":  "PUT /{} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "X-T: 1\r\n\r\n",
		"bad chunk":           "PUT /{} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"bad trailer":         "PUT /{} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "X T\r\n\r\n",
		"expect":              "POST /{} HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\nabcde",
		"expect nothing":      "POST /{} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
		"expect HTTP/1.0":     "POST /{} HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nabcde",
		"200 KB":              "POST /{} HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("b", 200_000),
		"CONNECT":             "CONNECT h:1/{} HTTP/1.1\r\nHost: h\r\n\r\n",
		"absolute":            "GET http://a/{} HTTP/1.1\r\nHost: b\r\n\r\n",
		"OPTIONS":             "OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n",
		"OPTIONS body":        "OPTIONS * HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\nabc",
	}
}

// meant are the differences that are ours, by form, path or both, with their reason.
func meant() map[string]string {
	all := map[string]string{
		"duplex-ignore": "net/http begins to watch for the client's leaving when it drains the body after the answer, and panics at the next request",
	}
	for _, form := range []string{"bad chunk", "bad trailer"} {
		all[form+" duplex"] = "net/http takes what follows a broken body for a request, in full duplex"
	}
	return all
}

// TestAgainstNetHTTP: for every kind of request and of handler, and a request after it,
// client and handler cannot tell the servers apart.
func TestAgainstNetHTTP(t *testing.T) {
	t.Parallel()
	paths := append(slices.Sorted(maps.Keys(behaviours())), "echo")
	for name, form := range forms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range paths {
				if meant()[name+" "+path] != "" || meant()[path] != "" {
					continue
				}
				script := strings.ReplaceAll(form, "{}", path) + "GET /next HTTP/1.1\r\nHost: h\r\n\r\nGET /last HTTP/1.1\r\nConnection: close\r\nHost: h\r\n\r\n"
				for _, step := range []int{1 << 20, 7} {
					if len(script) < 10_000 || step > 7 {
						compare(t, []byte(script), step)
					}
				}
				if t.Failed() {
					t.Fatalf("%s %s", name, path)
				}
			}
		})
	}
}

// oddities are beginnings that are not quite requests, and connections that end early.
func oddities() map[string]string {
	const rest = "Host: h\r\nConnection: close\r\n\r\n"
	get, post := "GET /echo HTTP/1.1\r\n", "POST /echo HTTP/1.1\r\n"
	next := "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
	all := map[string]string{
		"nothing": "", "a line end": "\r\n", "line ends first": "\r\n\r\n" + get + rest, "a word": "GET", "half a line": "GET /echo", "a line": get,
		"half a head": get + "Host: h\r\nX-A", "garbage": "\x00\x01\x02\r\n\r\n", "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"no host": get + "\r\n", "no host, HTTP/1.0": "GET /echo HTTP/1.0\r\n\r\n", "empty host": get + "Host:\r\n\r\n" + next, "blank host": get + "Host:  \t \r\n\r\n" + next,
		"two hosts": get + "Host: i\r\n" + rest, "host of a path": get + "Host: h/x\r\n\r\n", "host in Latin": get + "Host: \xe9\r\n\r\n", "host folded": get + "Host: h\r\n i\r\n\r\n",
		"absolute, no host": "GET http://h/echo HTTP/1.1\r\n\r\n", "absolute, bad host": "GET http://h/echo HTTP/1.1\r\nHost: a b\r\n\r\n", "absolute, empty host": "GET http://h/echo HTTP/1.1\r\nhost:\r\n\r\n" + next,
		"absolute, bad authority": "GET http://h h/echo HTTP/1.1\r\n" + rest, "absolute, other case": "GET HTTP://H/echo HTTP/1.1\r\n" + rest, "absolute, no path": "GET http://h HTTP/1.1\r\n" + rest,
		"CONNECT": "CONNECT h:443 HTTP/1.1\r\n\r\n" + next, "CONNECT of a path": "CONNECT /x HTTP/1.1\r\n" + rest, "CONNECT bad host": "CONNECT h:1 HTTP/1.1\r\nHost: a b\r\n\r\n",
		"asterisk": "OPTIONS * HTTP/1.1\r\n\r\n", "GET asterisk": "GET * HTTP/1.1\r\n" + rest, "two slashes": "GET //h/x HTTP/1.1\r\n" + rest, "no slash": "GET x HTTP/1.1\r\n" + rest,
		"a space": "GET /a b HTTP/1.1\r\n" + rest, "bad escape": "GET /%zz HTTP/1.1\r\n" + rest, "odd bytes": "GET /a\"<#x?\xff|z HTTP/1.1\r\n" + rest, "bad method": "G@T / HTTP/1.1\r\n" + rest, "odd method": "P-x / HTTP/1.1\r\n" + rest,
		"HTTP/0.9": "GET /echo\r\n\r\n", "HTTP/0.9 told": "GET /echo HTTP/0.9\r\n\r\n", "HTTP/1.2": "GET /echo HTTP/1.2\r\n" + rest, "HTTP/2.0": "GET /echo HTTP/2.0\r\n" + rest, "HTTP/11": "GET /echo HTTP/11\r\n" + rest, "HTTP/1.10": "GET /echo HTTP/1.10\r\n" + rest,
		"PRI": "PRI * HTTP/2.0\r\n\r\n", "PRI and more": "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + next, "PRI with fields": "PRI * HTTP/2.0\r\n" + rest, "PRI half": "PRI * HT", "PRI HTTP/1.1": "PRI /echo HTTP/1.1\r\n" + rest,
		"space before a colon": get + "X-A : 1\r\n" + rest, "space in a name": get + "X A: 1\r\n" + rest, "no name": get + ": 1\r\n" + rest, "no colon": get + "X\r\n" + rest, "fold first": get + " X: 1\r\n" + rest,
		"fold": get + "X-A: 1\r\n\t 2\r\n" + rest, "CR in a value": get + "X-A: 1\r2\r\n" + rest, "NUL in a value": get + "X-A: 1\x002\r\n" + rest, "DEL in a value": get + "X-A: \x7f\r\n" + rest, "Latin value": get + "X-A: \xe9\r\n" + rest,
		"Latin name": get + "X-\xe9: 1\r\n" + rest, "bare LF": "GET /echo HTTP/1.1\nHost: h\n\n" + next, "CR CR LF": get + "Host: h\r\r\n\r\n", "names in lower case": get + "host: h\r\nx-a: 1\r\nX-a: 2\r\nconnection: close\r\n\r\n",
		"CL and TE": post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\nHost: h\r\n\r\n0\r\n\r\n" + next, "TE twice": post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" + rest, "TE list": post + "Transfer-Encoding: gzip, chunked\r\n" + rest,
		"TE identity": post + "Transfer-Encoding: identity\r\n" + rest, "TE in HTTP/1.0": "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "TE in capitals": post + "Transfer-Encoding: CHUNKED\r\n" + rest + "0\r\n\r\n",
		"CL twice": post + "Content-Length: 1\r\nContent-Length: 2\r\n" + rest + "xx", "CL twice the same": post + "Content-Length: 2\r\nContent-Length: 2\r\n" + rest + "xx", "CL sign": post + "Content-Length: +2\r\n" + rest + "xx", "CL list": post + "Content-Length: 2, 2\r\n" + rest + "xx",
		"CL empty": post + "Content-Length:\r\n" + rest, "CL huge": post + "Content-Length: 99999999999999999999\r\n" + rest, "CL of a GET": get + "Content-Length: 2\r\nHost: h\r\n\r\nxx" + next, "body cut": post + "Content-Length: 9\r\nHost: h\r\n\r\nabc",
		"chunks cut": post + "Transfer-Encoding: chunked\r\nHost: h\r\n\r\n5\r\nab", "chunk extensions": post + "Transfer-Encoding: chunked\r\nHost: h\r\n\r\n3;a=\"b\"\r\nabc\r\n0;x\r\n\r\n" + next, "chunk sign": post + "Transfer-Encoding: chunked\r\nHost: h\r\n\r\n+3\r\nabc\r\n0\r\n\r\n" + next,
		"trailers forbidden": post + "Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n" + rest + "0\r\n\r\n", "a pony": post + "Expect: a-pony\r\nContent-Length: 1\r\n" + rest + "x", "a pony too": post + "Expect: 100-continue, a-pony\r\nContent-Length: 1\r\n" + rest + "x",
		"Expect empty": post + "Expect:\r\nContent-Length: 1\r\n" + rest + "x", "keep-alive and close": get + "Connection: keep-alive, close\r\nHost: h\r\n\r\n" + next, "close second": get + "Connection: x\r\nConnection: close\r\nHost: h\r\n\r\n" + next,
		"close of a Kelvin": "GET /echo HTTP/1.0\r\nConnection: \xe2\x84\xaaeep-alive\r\n\r\n" + next, "post then a line end": post + "Content-Length: 1\r\nHost: h\r\n\r\nx\r\n", "post then four": post + "Content-Length: 0\r\nHost: h\r\n\r\n\r\n\r\n" + next,
		"get then line ends": get + "Host: h\r\n\r\n\r\n" + next, "upgrade": get + "Connection: Upgrade\r\nUpgrade: h2c\r\n" + rest, "pipeline": next + next + get + rest, "pipeline, then garbage": next + "xx\r\n\r\n" + next, "pipeline, then little": next + "xx",
		"Pragma": get + "Pragma: no-cache\r\n" + rest, "close and a body cut": "POST /close HTTP/1.0\r\nContent-Length: 10\r\n\r\nab", "a body cut and closed": "POST /close HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", "HTTP/1.0 and a body cut": "POST /half HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 10\r\n\r\nabcd", "hijack and rest": "GET /hijack HTTP/1.1\r\nHost: h\r\n\r\nand the rest",
	}
	for _, n := range []int{4_000, 15_000, 16_300, 16_500, 40_000} {
		fill := "X-Fill: " + strings.Repeat("f", n) + "\r\n"
		all[fmt.Sprint("a head of ", n)] = get + fill + rest
		all[fmt.Sprint("a line of ", n)] = "GET /" + strings.Repeat("l", n) + " HTTP/1.1\r\n" + rest
		all[fmt.Sprint("fields of ", n)] = get + strings.Repeat("X-Fill: f\r\n", n/11) + rest
		all[fmt.Sprint("a second head of ", n)] = next + get + fill + rest
	}
	return all
}

// meantOddly are the differences that are meant among them.
func meantOddly() map[string]string {
	const counted = "what came with the request before is counted into the bound of a head, net/http allows 4 KiB more"
	return map[string]string{"a second head of 16500": counted}
}

// TestOddities: what is not quite a request is refused, or served, by both alike.
func TestOddities(t *testing.T) {
	t.Parallel()
	for name, script := range oddities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if why := meantOddly()[name]; why != "" {
				t.Logf("not compared: %s", why)
				return
			}
			for _, step := range []int{1 << 20, 1, 4096} {
				compare(t, []byte(script), step)
			}
		})
	}
}
