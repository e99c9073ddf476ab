//go:build unix

package hop

import "syscall"

// quiet tells whether a kept connection is open and silent, without waiting: one that
// the backend has closed, or on which it sent something unasked, must not be used.
func (k *conn) quiet() bool {
	if k.raw == nil {
		return true // under TLS a session ticket may wait to be read
	}
	quiet := false
	err := k.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = err == syscall.EAGAIN
		return true
	})
	return err == nil && quiet
}
