//go:build !unix

package httpd

import (
	"net"
	"syscall"
)

// rawOf gives nothing: connections wait with their buffers.
func rawOf(net.Conn) syscall.RawConn { return nil }

func readNow(int, []byte) (int, error) { return 0, errAgain }
