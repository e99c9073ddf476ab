//go:build !unix

package rawnet

import "syscall"

// Quiet cannot be told here: connections are taken for quiet.
func Quiet(syscall.RawConn) bool { return true }
