//go:build linux && (amd64 || arm64) && !race

package rawnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// conn is a TCP connection with system calls of its own.
type conn struct {
	*net.TCPConn
	raw     syscall.RawConn
	in, out transfer
}

// mostAtOnce bounds what one system call copies, since the scheduler cannot stop it.
const mostAtOnce = 64 << 10

// transfer is a read or a write under way. Its step is made once: a closure for each
// would be an allocation.
type transfer struct {
	mu    sync.Mutex // one at a time
	step  func(fd uintptr) bool
	p     []byte
	n     int
	errno syscall.Errno
}

func wrap(tcp *net.TCPConn) net.Conn {
	raw := Raw(tcp)
	if raw == nil {
		return tcp
	}
	c := &conn{TCPConn: tcp, raw: raw}
	c.in.step, c.out.step = c.in.read, c.out.write
	return c
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	t := &c.in
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p, t.n, t.errno = p, 0, 0
	err := c.raw.Read(t.step)
	t.p = nil
	switch {
	case err != nil:
		return 0, c.failed("read", err)
	case t.errno != 0:
		return 0, c.failed("read", os.NewSyscallError("read", t.errno))
	case t.n == 0:
		return 0, io.EOF
	}
	return t.n, nil
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	t := &c.out
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p, t.n, t.errno = p, 0, 0
	err := c.raw.Write(t.step)
	t.p = nil
	switch {
	case err != nil:
		return t.n, c.failed("write", err)
	case t.errno != 0:
		return t.n, c.failed("write", os.NewSyscallError("write", t.errno))
	}
	return t.n, nil
}

// failed names the connection in an error, once.
func (c *conn) failed(op string, err error) error {
	if of, ok := err.(*net.OpError); ok { //nolint:errorlint // RawConn gives it bare
		err = of.Err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// read reads once and tells whether there was anything to be told.
func (t *transfer) read(fd uintptr) bool {
	t.n, t.errno = call(syscall.SYS_READ, fd, t.p, 0)
	return t.errno != syscall.EAGAIN
}

// write writes what is left as far as it goes.
func (t *transfer) write(fd uintptr) bool {
	for t.errno = 0; t.n < len(t.p) && t.errno == 0; {
		var n int
		n, t.errno = call(syscall.SYS_WRITE, fd, t.p[t.n:], 0)
		t.n += n
	}
	return t.errno != syscall.EAGAIN
}

// TryRead reads what has come to a socket, without waiting: ErrAgain if nothing has.
func TryRead(fd uintptr, p []byte) (int, error) {
	n, errno := call(syscall.SYS_READ, fd, p, 0)
	return read(n, errno)
}

// peeked tells what is to be read next without taking it.
func peeked(fd uintptr, p []byte) (int, error) {
	n, errno := call(syscall.SYS_RECVFROM, fd, p, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return read(n, errno)
}

// call makes a system call on a socket that does not block, unseen by the scheduler.
func call(number, fd uintptr, p []byte, flags uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(min(len(p), mostAtOnce)), flags, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
