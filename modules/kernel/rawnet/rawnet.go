// Package rawnet makes the system calls of TCP connections cheaper. The scheduler is told
// of every system call, since it may block: it then wakes another thread for what else is
// to be run, and watches the call from a thread of its own, every 20 microseconds. Reads
// and writes of a socket that does not block need none of that, and on a busy server it
// costs a tenth of a proxied request. On other systems than Linux, and under the race
// detector, which learns from those calls what happened before what, connections stay as
// they are.
package rawnet

import (
	"errors"
	"net"
)

// ErrAgain is that of a TryRead where there is nothing to be read yet.
var ErrAgain = errors.New("rawnet: nothing to be read yet")

// Wrap gives a connection that is used as before. What is no TCP connection comes back as
// it is.
func Wrap(c net.Conn) net.Conn {
	if tcp, ok := c.(*net.TCPConn); ok {
		return wrap(tcp)
	}
	return c
}
