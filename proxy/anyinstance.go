package proxy

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"

	"banyan/modules/kernel/web"
	"banyan/proxy/balance"
	"banyan/proxy/routes"
)

// anyInstance is a way to a backend's store: each call goes to one of the instances that
// are in force and fit, since they all work on it. Nothing is sent twice here; who calls
// decides what may be.
type anyInstance struct {
	router *Router
	first  routes.Backend // until the file that declares it is in force
	mu     sync.Mutex     // guards what follows
	ca     string         // that transport goes by
	over   *http.Transport
}

// RoundTrip implements http.RoundTripper. The request's scheme and host do not matter.
func (a *anyInstance) RoundTrip(r *http.Request) (*http.Response, error) {
	b, p, x := a.choose()
	to := *r.URL
	at := b.URL
	if x != nil {
		at = x.url
		x.underway.Add(1)
		defer x.underway.Add(-1)
	}
	target, err := url.Parse(at) // judged by package routes
	if err != nil {
		return nil, err
	}
	to.Scheme, to.Host = target.Scheme, target.Host
	again := *r
	again.URL, again.Host = &to, ""
	resp, err := a.transport(b).RoundTrip(&again)
	var dial *net.OpError
	switch {
	case x == nil:
	case err == nil:
		p.passed(x)
	case r.Context().Err() == nil && errors.As(err, &dial) && dial.Op == "dial":
		p.against(x, err, balance.Record.Fail)
	}
	return resp, err
}

// choose gives the backend that is in force with an instance of it, or the one that will
// be, with none.
func (a *anyInstance) choose() (*routes.Backend, *pool, *instance) {
	a.router.mu.Lock()
	b := a.router.backends[a.first.Name]
	a.router.mu.Unlock()
	if b == nil || b.pool == nil {
		return &a.first, nil, nil
	}
	return &b.Backend, b.pool, b.pool.instances[b.pool.choose(0)]
}

// transport keeps connections for as long as the authorities stay the same.
func (a *anyInstance) transport(b *routes.Backend) *http.Transport {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over == nil || a.ca != b.CA {
		if a.over != nil {
			a.over.CloseIdleConnections() // those in use close by their idle time
		}
		a.ca, a.over = b.CA, web.NewTransport(web.TransportOptions{})
		a.over.TLSClientConfig = &tls.Config{RootCAs: b.Roots(), MinVersion: tls.VersionTLS12}
	}
	return a.over
}
