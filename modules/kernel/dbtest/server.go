package dbtest

import (
	"testing"
)

// Server is a database server of one test, which may kill and restart it.
type Server struct {
	Addr string // host:port
	DSN  string // MariaDB only; its schema is "banyan"

	t        testing.TB
	instance *instance
}

// StartMariaDB starts a MariaDB that no other test uses.
func StartMariaDB(t testing.TB) *Server {
	t.Helper()
	return own(t, startMariaDB)
}

// StartRedis starts a Redis that no other test uses. Settings, such as "--appendfsync",
// "everysec", are added to its command line.
func StartRedis(t testing.TB, settings ...string) *Server {
	t.Helper()
	return own(t, func() (*instance, error) { return startRedis(settings...) })
}

func own(t testing.TB, start func() (*instance, error)) *Server {
	t.Helper()
	i, err := start()
	need(t, err)
	t.Cleanup(i.remove)
	return &Server{Addr: i.addr, DSN: i.dsn, t: t, instance: i}
}

// Kill9 ends the server as a power cut to its process would; it is gone on return.
func (s *Server) Kill9() {
	s.t.Helper()
	s.instance.kill()
}

// Restart starts the server again, on the same port and data, and waits until it
// answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.instance.kill()
	if err := s.instance.start(); err != nil {
		s.t.Fatal(err)
	}
}
