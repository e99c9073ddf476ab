package web

import (
	"net"
	"net/http"
	"time"
)

// TransportOptions bound calls to another service. Zero means the default named.
type TransportOptions struct {
	DialTimeout   time.Duration // 1 s
	HeaderTimeout time.Duration // from the request's end to the answer's header: 10 s
	MaxConns      int           // connections to one host: 256
}

// NewTransport gives a transport for calls between services. Redirects are the client's
// matter and compression is off; kept connections are dropped before the server's
// IdleTimeout would drop them.
//
// net/http sends a request again by itself only when a kept connection turns out dead
// before an answer began and the request is a GET, HEAD, OPTIONS or TRACE or bears an
// Idempotency-Key. For our keyed calls a second copy is harmless: it gets the stored
// answer. A control call whose outcome must be known bears no such header and is never
// repeated.
func NewTransport(o TransportOptions) *http.Transport {
	if o.DialTimeout == 0 {
		o.DialTimeout = time.Second
	}
	if o.HeaderTimeout == 0 {
		o.HeaderTimeout = 10 * time.Second
	}
	if o.MaxConns == 0 {
		o.MaxConns = 256
	}
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: o.DialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		ResponseHeaderTimeout:  o.HeaderTimeout,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        45 * time.Second,
		MaxIdleConns:           2 * o.MaxConns,
		MaxIdleConnsPerHost:    o.MaxConns,
		MaxConnsPerHost:        o.MaxConns,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}
