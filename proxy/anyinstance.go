package proxy

import (
	"errors"
	"io"
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
	judges routes.Backend // by whose authorities and name transport goes
	over   *http.Transport
}

// RoundTrip implements http.RoundTripper. The request's scheme and host do not matter. One
// whose instance cannot be reached goes to another: it was not sent.
func (a *anyInstance) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	b, p := a.backend()
	if p == nil {
		return a.send(r, b, b.URL)
	}
	if r.Body != nil && r.Body != http.NoBody {
		again, kept := *r, &keptBody{ReadCloser: r.Body}
		again.Body, r = kept, &again
		defer kept.release()
	}
	var tried balance.Set
	for range maxTries {
		i := p.choose(tried)
		if i < 0 {
			break
		}
		x := p.instances[i]
		ejected := x.ejected()
		x.underway.Add(1)
		resp, err = a.send(r, b, x.url)
		x.underway.Add(-1)
		var dial *net.OpError
		unsent := errors.As(err, &dial) && dial.Op == "dial" && r.Context().Err() == nil
		switch {
		case err == nil:
			p.passed(x, ejected)
		case unsent:
			p.against(x, err, balance.Record.Fail)
		}
		if !unsent {
			break
		}
		tried = tried.With(i)
	}
	return resp, err
}

// keptBody stays open until it is released, for another instance may be sent it.
type keptBody struct {
	io.ReadCloser
	mu               sync.Mutex
	closed, released bool
}

// Close implements io.Closer.
func (k *keptBody) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed = true; k.released {
		return k.ReadCloser.Close()
	}
	return nil
}

func (k *keptBody) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.released = true; k.closed {
		_ = k.ReadCloser.Close() // of a request that is over
	}
}

// backend gives the one that is in force and its instances, or the one that will be, with
// none.
func (a *anyInstance) backend() (*routes.Backend, *pool) {
	a.router.mu.Lock()
	b := a.router.backends[a.first.Name]
	a.router.mu.Unlock()
	if b == nil || b.pool == nil {
		return &a.first, nil
	}
	return &b.Backend, b.pool
}

// send sends the request to the instance at a base URL.
func (a *anyInstance) send(r *http.Request, b *routes.Backend, base string) (*http.Response, error) {
	target, err := url.Parse(base) // judged by package routes
	if err != nil {
		return nil, err
	}
	to, again := *r.URL, *r
	to.Scheme, to.Host = target.Scheme, target.Host
	again.URL, again.Host = &to, ""
	return a.transport(b).RoundTrip(&again)
}

// transport keeps connections for as long as the authorities stay the same.
func (a *anyInstance) transport(b *routes.Backend) *http.Transport {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over == nil || a.judges.CA != b.CA || a.judges.ServerName != b.ServerName {
		if a.over != nil {
			a.over.CloseIdleConnections() // those in use close by their idle time
		}
		a.judges, a.over = *b, web.NewTransport(web.TransportOptions{})
		a.over.TLSClientConfig = b.TLS()
	}
	return a.over
}
