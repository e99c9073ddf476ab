package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/canary"
	"banyan/proxy/routes"
)

// TestInternalCalls follow the same decision as requests from outside.
func TestInternalCalls(t *testing.T) {
	far := startBackend(t, named("flights"))
	w := start(t, config(far.URL, flightsRoute(5000)), nil)
	client := &http.Client{Transport: w.router.Transport()}
	seen := map[string]int{}
	for c := range 100 {
		outside, _ := w.get(c)
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://flights/v1/flights", nil)
		r.Header.Set("X-Customer-Id", fmt.Sprint("customer-", c))
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		inside := resp.Header.Get(proxy.BackendHeader)
		if inside != outside || !strings.HasPrefix(string(body), inside+" GET /v1/flights") {
			t.Fatalf("customer %d: %s from outside, %s from inside, body %q", c, outside, inside, body)
		}
		seen[inside]++
	}
	if len(seen) != 2 {
		t.Errorf("only %v answered", seen)
	}
}

// inProcess makes a client of a router whose monolith is h.
func inProcess(t *testing.T, h http.HandlerFunc) *http.Client {
	t.Helper()
	p, err := proxy.New(t.Context(), proxy.Options{Modules: map[string]http.Handler{routes.Monolith: h}})
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: p.Transport()}
}

// TestInternalStream: the handler goes at the reader's pace, so nothing piles up.
func TestInternalStream(t *testing.T) {
	wrote := make(chan int, 1000)
	ended := make(chan error, 1)
	client := inProcess(t, func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for i := 0; err == nil; i++ {
			_, err = w.Write(make([]byte, 1<<10))
			wrote <- i
		}
		ended <- err
	})
	resp, err := client.Get("http://x/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 3<<10)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	if n := len(wrote); n > 4 {
		t.Errorf("the handler is %d writes ahead of the reader", n-3)
	}
	_ = resp.Body.Close()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the handler goes on after the reader has left")
	}
}

func TestInternalPanic(t *testing.T) {
	client := inProcess(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			_, _ = w.Write([]byte("part"))
		}
		panic("defect")
	})
	if resp, err := client.Get("http://x/early"); err == nil {
		_ = resp.Body.Close()
		t.Error("a handler that panicked answered")
	}
	resp, err := client.Get("http://x/late")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err := io.ReadAll(resp.Body); err == nil || string(body) != "part" {
		t.Errorf("a torn answer reads as %q, %v", body, err)
	}
}

// TestInternalContext: deadlines and the request id go along.
func TestInternalContext(t *testing.T) {
	gone := make(chan struct{})
	client := inProcess(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/id" {
			_, _ = io.WriteString(w, web.RequestID(r.Context())+" "+r.Header.Get(web.RequestIDHeader))
			return
		}
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithTimeout(web.WithRequestID(t.Context(), "id-7"), time.Second)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://x/id", nil)
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(resp.Body); string(body) != "id-7 id-7" {
		t.Errorf("the handler saw the request id as %q", body)
	}
	_ = resp.Body.Close()
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	r, _ = http.NewRequestWithContext(short, http.MethodGet, "http://x/hang", nil)
	if resp, err := client.Do(r); err == nil {
		_ = resp.Body.Close()
		t.Error("a call outlived its deadline")
	}
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Error("the handler never learned that its caller left")
	}
}

// TestFullWeightIsEveryone and a weight of 0 is no one, whatever the key.
func TestFullWeightIsEveryone(t *testing.T) {
	far := startBackend(t, named("flights"))
	for share, want := range map[canary.Weight]string{canary.Full: "flights", canary.None: "monolith"} {
		w := start(t, config(far.URL, flightsRoute(share)), nil)
		if got := w.shares(200); got[want] != 200 {
			t.Errorf("at %s: %v", share, got)
		}
	}
}
