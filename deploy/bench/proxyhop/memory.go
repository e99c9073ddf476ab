package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

const (
	idleConnections = 10_000
	slowConnections = 1_000
)

// memory shows what Banyan holds under idle connections and slow ones: the first have
// had an answer and are kept, the others are in the middle of sending a head.
func (b *bench) memory(ctx context.Context) error {
	for _, s := range b.subjects {
		if s.name != "Banyan" {
			continue
		}
		empty := s.resident()
		var open []net.Conn
		defer func() {
			for _, c := range open {
				_ = c.Close()
			}
		}()
		for i := range idleConnections + slowConnections {
			c, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", fmt.Sprint("127.0.0.1:", s.port))
			if err != nil {
				return fmt.Errorf("connection %d (is ulimit -n above 12000?): %w", i, err)
			}
			open = append(open, c)
			if i >= idleConnections {
				_, _ = c.Write([]byte("GET /v1/orders/1 HTTP/1.1\r\nHost: x\r\nX-Slow: "))
				continue
			}
			_, _ = c.Write([]byte("GET /v1/orders/1 HTTP/1.1\r\nHost: x\r\n\r\n"))
			_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
			buf := make([]byte, 4096)
			if n, err := c.Read(buf); err != nil || !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 200") {
				return fmt.Errorf("connection %d got %.40q: %w", i, buf[:n], err)
			}
		}
		_, _ = fmt.Fprintf(b.out, "\nmemory of Banyan: %d MB before, %d MB under %d idle connections and %d slow ones\n",
			empty>>20, s.resident()>>20, idleConnections, slowConnections)
	}
	return nil
}
