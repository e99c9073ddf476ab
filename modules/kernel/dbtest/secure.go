package dbtest

import (
	"net"
	"strconv"
	"testing"
	"time"

	"banyan/modules/kernel/certtest"
)

// SecureRedis starts a Redis that answers over TLS, and only to who shows a certificate.
// One pair of files is the server's, its clients' and their authority's.
func SecureRedis(t testing.TB) (addr, certFile, keyFile string) {
	t.Helper()
	certFile, keyFile = certtest.WritePair(t, t.TempDir(), 1, time.Now().Add(time.Hour))
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	StartRedis(t, "--tls-port", strconv.Itoa(port), "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", certFile)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), certFile, keyFile
}
