package hop

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// tunnel takes over both connections after an upgrade. It runs once the exchange is over.
func (x *exchange) tunnel() {
	x.w.WriteHeader(http.StatusSwitchingProtocols)
	client, early, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		x.torn = true
		return
	}
	k := x.k
	x.after = func() {
		defer func() { _ = client.Close() }()
		defer func() { _ = k.Close() }()
		_, _ = client, k.SetDeadline(time.Time{})
		t := &tunnel{stall: x.u.stall, idle: x.u.idle}
		t.moved.Store(time.Now().UnixNano())
		var both sync.WaitGroup
		both.Go(func() { t.copy(k.Conn, early.Reader, client) })
		t.copy(client, &k.in, k.Conn)
		both.Wait()
	}
}

type tunnel struct {
	moved       atomic.Int64
	stall, idle time.Duration
}

// Read implements io.Reader.
func (b *reader) Read(p []byte) (int, error) {
	if b.buffered() == 0 {
		return b.src.Read(p)
	}
	n := copy(p, b.buf[b.r:b.w])
	b.r += n
	return n, nil
}

// copy moves bytes one way until that side has said all, and passes the end on. It gives
// up when nothing has moved either way for the idle time.
func (t *tunnel) copy(to net.Conn, from io.Reader, source net.Conn) {
	buf := sendBuffers.Get().(*[chunkRoom + sendBuffer + 2]byte)
	defer sendBuffers.Put(buf)
	for {
		_ = source.SetReadDeadline(time.Unix(0, t.moved.Load()).Add(t.idle))
		n, err := from.Read(buf[:])
		if n > 0 {
			now := time.Now()
			t.moved.Store(now.UnixNano())
			_ = to.SetWriteDeadline(now.Add(t.stall))
			if _, werr := to.Write(buf[:n]); werr != nil {
				_ = source.Close()
				_ = to.Close()
				return
			}
		}
		switch {
		case err == nil:
		case isTimeout(err) && time.Since(time.Unix(0, t.moved.Load())) < t.idle:
		case err == io.EOF:
			half, ok := to.(interface{ CloseWrite() error })
			if !ok || half.CloseWrite() != nil {
				_ = to.Close()
			}
			return
		default:
			_ = source.Close()
			_ = to.Close()
			return
		}
	}
}
