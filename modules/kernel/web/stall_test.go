package web_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"banyan/modules/kernel/web"
)

const stallLimit = 200 * time.Millisecond

// TestStall: a body that stops is given up; an answer that takes long is not, nor is what
// the connection is used for after a pause.
func TestStall(t *testing.T) {
	read, left := make(chan error, 1), make(chan bool, 1)
	addr, _, _ := start(t, web.Stall(stallLimit)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		read <- err
		time.Sleep(3 * stallLimit)
		left <- r.Context().Err() != nil
		_, _ = io.WriteString(w, "done")
	})), web.ServerOptions{ReadTimeout: -1, WriteTimeout: stallLimit})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(conn)
	for range 2 { // the second time after a pause longer than the limit
		_, _ = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
		if err := <-read; err != nil {
			t.Fatalf("a whole body: %v", err)
		}
		if <-left {
			t.Error("the request was cancelled while its answer took long")
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%+v %v", resp, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		time.Sleep(2 * stallLimit)
	}
	_, _ = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
	select {
	case err := <-read:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("half a body: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("half a body is waited for for ever")
	}
}

// TestStalledReader: a client that takes nothing ends its answer.
func TestStalledReader(t *testing.T) {
	wrote := make(chan error, 1)
	addr, _, _ := start(t, web.Stall(stallLimit)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for block := make([]byte, 1<<20); err == nil; {
			_, err = w.Write(block)
		}
		wrote <- err
	})), web.ServerOptions{ReadTimeout: -1, WriteTimeout: stallLimit})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-wrote:
	case <-time.After(20 * time.Second):
		t.Error("the answer waits for its reader for ever")
	}
}
