package rawnet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"banyan/modules/kernel/rawnet"
)

// pair gives the two ends of a TCP connection, the first as wrap makes it.
func pair(t *testing.T, wrap func(net.Conn) net.Conn) (near net.Conn, far *net.TCPConn) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	dialled, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	near, far = wrap(accepted), dialled.(*net.TCPConn)
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	return near, far
}

// each runs a test on a connection of the net package, which it must agree with, and on
// one of ours.
func each(t *testing.T, test func(t *testing.T, near net.Conn, far *net.TCPConn)) {
	t.Helper()
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"net": func(c net.Conn) net.Conn { return c }, "wrapped": rawnet.Wrap,
	} {
		t.Run(name, func(t *testing.T) {
			near, far := pair(t, wrap)
			test(t, near, far)
		})
	}
}

// TestLongWrite: what does not fit into the kernel's buffers waits, and comes in order.
func TestLongWrite(t *testing.T) {
	each(t, func(t *testing.T, near net.Conn, far *net.TCPConn) {
		sent := make([]byte, 8<<20)
		for i := range sent {
			sent[i] = byte(i * 7 >> 3)
		}
		var got []byte
		var wait sync.WaitGroup
		wait.Go(func() { got, _ = io.ReadAll(far) })
		if n, err := near.Write(sent); n != len(sent) || err != nil {
			t.Errorf("wrote %d: %v", n, err)
		}
		_ = near.Close()
		if wait.Wait(); !bytes.Equal(got, sent) {
			t.Errorf("%d bytes came, not the %d that were sent", len(got), len(sent))
		}
	})
}

// TestWritersTakeTurns: writes at the same time are not mixed with each other.
func TestWritersTakeTurns(t *testing.T) {
	each(t, func(t *testing.T, near net.Conn, far *net.TCPConn) {
		const size = 1 << 20
		var wait sync.WaitGroup
		for _, b := range []byte("ab") {
			wait.Go(func() { _, _ = near.Write(bytes.Repeat([]byte{b}, size)) })
		}
		got := make([]byte, 2*size)
		if _, err := io.ReadFull(far, got); err != nil {
			t.Fatal(err)
		}
		wait.Wait()
		for _, half := range [][]byte{got[:size], got[size:]} {
			if bytes.Count(half, half[:1]) != size {
				t.Error("the writes are mixed")
			}
		}
	})
}

// TestReadFails: a deadline, the other side's end, its reset and our own close are told
// as the net package tells them.
func TestReadFails(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(near net.Conn, far *net.TCPConn)
		want error
	}{
		{"deadline", func(near net.Conn, _ *net.TCPConn) { _ = near.SetReadDeadline(time.Now().Add(time.Millisecond)) }, os.ErrDeadlineExceeded},
		{"past deadline", func(near net.Conn, _ *net.TCPConn) { _ = near.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		{"end", func(_ net.Conn, far *net.TCPConn) { _ = far.CloseWrite() }, io.EOF},
		{"reset", func(_ net.Conn, far *net.TCPConn) { _ = far.SetLinger(0); _ = far.Close() }, syscall.ECONNRESET},
		{"close", func(near net.Conn, _ *net.TCPConn) { _ = near.Close() }, net.ErrClosed},
		{"close meanwhile", func(near net.Conn, _ *net.TCPConn) { time.AfterFunc(10*time.Millisecond, func() { _ = near.Close() }) }, net.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, near net.Conn, far *net.TCPConn) {
				c.do(near, far)
				n, err := near.Read(make([]byte, 10))
				if n != 0 || !errors.Is(err, c.want) {
					t.Errorf("read %d: %v, not %v", n, err, c.want)
				}
				var failed net.Error
				if timeout := errors.As(err, &failed) && failed.Timeout(); timeout != errors.Is(c.want, os.ErrDeadlineExceeded) {
					t.Errorf("%v says of itself that timeout is %v", err, timeout)
				}
			})
		})
	}
}

// TestWriteFails: a write that cannot go on says how far it came.
func TestWriteFails(t *testing.T) {
	each(t, func(t *testing.T, near net.Conn, far *net.TCPConn) {
		much := make([]byte, 64<<20) // before the time runs
		_ = near.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		n, err := near.Write(much)
		if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n >= 64<<20 {
			t.Errorf("wrote %d: %v", n, err)
		}
		if got, err := io.CopyN(io.Discard, far, int64(n)); err != nil {
			t.Errorf("%d of %d bytes came: %v", got, n, err)
		}
		_ = near.Close()
		if n, err := near.Write([]byte("x")); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("wrote %d: %v", n, err)
		}
	})
}

// TestLooking: without waiting one sees nothing, something and the end.
func TestLooking(t *testing.T) {
	near, far := pair(t, func(c net.Conn) net.Conn { return c })
	raw := rawnet.Raw(near)
	try := func(p []byte) (n int, err error) {
		_ = raw.Read(func(fd uintptr) bool { n, err = rawnet.TryRead(fd, p); return true })
		return n, err
	}
	p := make([]byte, 10)
	if n, err := try(p); n != 0 || !errors.Is(err, rawnet.ErrAgain) || !rawnet.Quiet(raw) {
		t.Errorf("before anything was sent: %d, %v", n, err)
	}
	until := func(quiet bool) {
		t.Helper()
		for range 10_000 {
			if rawnet.Quiet(raw) == quiet {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatalf("quiet does not become %v", quiet)
	}
	_, _ = far.Write([]byte("abc"))
	until(false)
	if n, err := try(p); string(p[:n]) != "abc" || err != nil || !rawnet.Quiet(raw) {
		t.Errorf("%q, %v", p[:n], err)
	}
	_ = far.Close()
	until(false)
	if n, err := try(p); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
}
