package proxy_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"banyan/modules/kernel/web"
)

// front is a server before a router, the one that ships.
type front struct {
	URL      string
	Listener net.Listener
	client   *http.Client
	once     sync.Once
	stop     func()
}

// startFront serves h as banyan proxy does, until it is closed.
func startFront(t testing.TB, h http.Handler) *front {
	t.Helper()
	return startFrontWith(t, h, nil, &http.Client{Transport: &http.Transport{}})
}

// startSecureFront is startFront under TLS, with a client that speaks HTTP/2.
func startSecureFront(t testing.TB, h http.Handler) *front {
	t.Helper()
	far := httptest.NewUnstartedServer(nil) // for its certificate
	far.EnableHTTP2 = true
	far.StartTLS()
	t.Cleanup(far.Close)
	f := startFrontWith(t, h, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: far.TLS.Certificates}, far.Client())
	f.URL = "https://" + f.Listener.Addr().String()
	return f
}

func startFrontWith(t testing.TB, h http.Handler, secure *tls.Config, c *http.Client) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- web.Serve(ctx, l, h, web.ServerOptions{ReadTimeout: -1, WriteTimeout: -1, TLS: secure})
	}()
	f := &front{URL: "http://" + l.Addr().String(), Listener: l, client: c}
	f.stop = func() {
		f.client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the front ended with %v", err)
		}
	}
	t.Cleanup(f.Close)
	return f
}

// Client gives a client whose connections end with the front.
func (f *front) Client() *http.Client { return f.client }

// Close waits for requests under way.
func (f *front) Close() { f.once.Do(f.stop) }
