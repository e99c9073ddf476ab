package proxy_test

import (
	"context"
	"net"
	"net/http"
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(ctx, l, h, web.ServerOptions{ReadTimeout: -1, WriteTimeout: -1}) }()
	f := &front{URL: "http://" + l.Addr().String(), Listener: l, client: &http.Client{Transport: &http.Transport{}}}
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
