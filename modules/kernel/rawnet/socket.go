//go:build unix

package rawnet

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// Raw gives access to a TCP connection's socket, nil if c is none.
func Raw(c net.Conn) syscall.RawConn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// Quiet tells whether a connection is open and has nothing to be read, without waiting.
func Quiet(raw syscall.RawConn) bool {
	quiet := false
	err := raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, err := peeked(fd, b[:])
		quiet = errors.Is(err, ErrAgain)
		return true
	})
	return err == nil && quiet
}

// read puts what a system call gave into Go's terms.
func read(n int, errno syscall.Errno) (int, error) {
	switch {
	case errno == syscall.EAGAIN:
		return 0, ErrAgain
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
