//go:build !unix

package rawnet

import (
	"net"
	"syscall"
)

// Raw gives nothing: sockets cannot be looked at here.
func Raw(net.Conn) syscall.RawConn { return nil }

// Quiet cannot be told here: connections are taken for quiet.
func Quiet(syscall.RawConn) bool { return true }

// TryRead is never called, for want of a Raw.
func TryRead(uintptr, []byte) (int, error) { return 0, ErrAgain }
