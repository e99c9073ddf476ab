package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banyan/proxy/canary"
)

// lively answers plain requests by name, /v1/flights/events with an endless numbered
// stream, and upgrades with an echo.
func lively(t *testing.T) string {
	t.Helper()
	s := startBackend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Upgrade") != "":
			echo(w)
		case r.URL.Path == "/v1/flights/events":
			for n := 0; r.Context().Err() == nil; n++ {
				_, _ = fmt.Fprintf(w, "data: %d\n\n", n)
				_ = http.NewResponseController(w).Flush()
				time.Sleep(5 * time.Millisecond)
			}
		default:
			named("flights").ServeHTTP(w, r)
		}
	}))
	return s.URL
}

// echo switches protocols and gives back what it gets.
func echo(w http.ResponseWriter) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	_, _ = io.Copy(conn, rw)
}

// listen reads the numbered stream until ctx ends; it must be whole.
func (w *world) listen(ctx context.Context, read *atomic.Int64) error {
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, w.front.URL+"/v1/flights/events", nil)
	resp, err := w.front.Client().Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for n := 0; lines.Scan(); {
		if lines.Text() == "" {
			continue
		}
		if want := fmt.Sprintf("data: %d", n); lines.Text() != want {
			return fmt.Errorf("the stream says %q, want %q", lines.Text(), want)
		}
		n++
		read.Add(1)
	}
	if ctx.Err() == nil {
		return fmt.Errorf("the stream ended: %w", lines.Err())
	}
	return nil
}

// talk upgrades and has every line echoed until ctx ends.
func (w *world) talk(ctx context.Context, echoed *atomic.Int64) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(w.front.URL, "http://"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(conn, "GET /v1/flights/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("no upgrade: %+v %w", resp, err)
	}
	_ = resp.Body.Close()
	for n := 0; ctx.Err() == nil; n++ {
		line := fmt.Sprintf("line %d\n", n)
		if _, err := io.WriteString(conn, line); err != nil {
			return err
		}
		if got, err := in.ReadString('\n'); err != nil || got != line {
			return fmt.Errorf("echo %q: %w", got, err)
		}
		echoed.Add(1)
		time.Sleep(time.Millisecond)
	}
	return nil
}

// TestReloadDropsNothing: the file changes every 50 ms, instances come and go, and no
// request fails, no stream and no upgraded connection ends, and who waits gets an answer.
func TestReloadDropsNothing(t *testing.T) {
	one, two, three := lively(t), lively(t), lively(t)
	slow := hold(t)
	first := pooled(canary.Full, "slowStart: 0s", slow.URL)
	w := start(t, first, nil)
	waited := make(chan int, 1)
	go func() { waited <- w.ask("GET", "/v1/flights") }()
	eventually(t, "somebody waits", func() bool { return slow.begun.Load() == 1 })
	w.router.Reload(t.Context(), w.file, []byte(pooled(canary.Full, "slowStart: 0s", one, two)))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var read, echoed atomic.Int64
	var streams sync.WaitGroup
	for range 3 {
		streams.Go(func() {
			if err := w.listen(ctx, &read); err != nil {
				t.Error(err)
			}
		})
		streams.Go(func() {
			if err := w.talk(ctx, &echoed); err != nil {
				t.Error(err)
			}
		})
	}
	l := w.load(http.MethodGet, http.MethodPost)
	lists := [][]string{{one}, {two, three}, {three, one}, {one, two, three}, {two}}
	const reloads = 40
	for n := range reloads {
		share := canary.Full - canary.Weight(n%3)*2000
		w.router.Reload(t.Context(), w.file, []byte(pooled(share, fmt.Sprintf("slowStart: %ds", n%2), lists[n%len(lists)]...)))
		if w.effective() != share {
			t.Fatalf("reload %d is not in force", n)
		}
		time.Sleep(50 * time.Millisecond)
	}
	readBy, echoedBy := read.Load(), echoed.Load()
	eventually(t, "the streams still run", func() bool { return read.Load() > readBy+10 && echoed.Load() > echoedBy+10 })
	cancel()
	streams.Wait()
	l.none(t)
	close(slow.goOn)
	if status := <-waited; status != 200 {
		t.Errorf("who waited since before the first reload got %d", status)
	}
	t.Logf("%d reloads, %d events, %d echoes", reloads, read.Load(), echoed.Load())
}
