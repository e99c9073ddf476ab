//go:build unix

package httpd

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// rawOf gives a TCP connection's access to its file, with which one can wait for bytes
// before there is a buffer for them.
func rawOf(rwc net.Conn) syscall.RawConn {
	tcp, ok := rwc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// readNow reads what is there, without waiting.
func readNow(fd int, p []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, p)
		switch {
		case err == nil && n == 0:
			return 0, io.EOF
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EAGAIN):
			return 0, errAgain
		case !errors.Is(err, syscall.EINTR):
			return 0, err
		}
	}
}
