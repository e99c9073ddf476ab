//go:build unix && (!linux || !(amd64 || arm64) || race)

package rawnet

import (
	"errors"
	"syscall"
)

// TryRead reads what has come to a socket, without waiting: ErrAgain if nothing has.
func TryRead(fd uintptr, p []byte) (int, error) {
	return plain(func() (int, error) { return syscall.Read(int(fd), p) })
}

// peeked tells what is to be read next without taking it.
func peeked(fd uintptr, p []byte) (int, error) {
	return plain(func() (int, error) {
		n, _, err := syscall.Recvfrom(int(fd), p, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return n, err
	})
}

func plain(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		var errno syscall.Errno
		if err != nil && !errors.As(err, &errno) {
			return 0, err
		}
		if errno != syscall.EINTR {
			return read(n, errno)
		}
	}
}
