//go:build !linux || !(amd64 || arm64) || race

package rawnet

import "net"

func wrap(tcp *net.TCPConn) net.Conn { return tcp }
