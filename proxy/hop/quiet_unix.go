//go:build unix

package hop

import "syscall"

// quiet tells whether a kept connection is open and silent, without waiting: one that
// the backend has closed, or on which it sent something unasked, must not be used.
func (k *conn) quiet() bool {
	// Under TLS session tickets were read with the first answer: what waits now is most
	// likely the alert that it is closed.
	quiet := false
	err := k.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = err == syscall.EAGAIN
		return true
	})
	return err == nil && quiet
}
