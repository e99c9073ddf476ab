package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/web"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate, in PEM form
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t), file: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.writeTo(a.file, der)
	return a
}

func (a *authority) writeTo(file string, der []byte) {
	a.t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate for 127.0.0.1 that is good for an hour, once spoilt.
func (a *authority) issue(spoil func(*x509.Certificate)) tls.Certificate {
	a.t.Helper()
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test backend"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if spoil != nil {
		spoil(cert)
	}
	key := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// startSecure is startWire under TLS. It would speak HTTP/2, too, were it asked to.
func startSecure(t *testing.T, cert tls.Certificate, answer func(c net.Conn, br *bufio.Reader, request string) bool) *wire {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	return serveWire(t, l, answer)
}

func (b *wire) secureURL() string { return "https://" + b.l.Addr().String() }

// beforeSecure puts a router before a backend whose certificate a ca file judges.
func beforeSecure(t *testing.T, url, ca, more string) *world {
	t.Helper()
	return start(t, secureFile(url, ca, more), nil)
}

func secureFile(url, ca, more string) string {
	return fmt.Sprintf("version: 1\nbackends:\n  monolith: { kind: http, url: %q, ca: %q, timeout: 2s%s }\n", url, ca, more)
}

// logged puts the edge's access log before the router: it tells why a request failed.
func (w *world) logged() *world {
	log := logrus.New()
	log.SetOutput(w.log)
	front := startFront(w.t, web.Edge{Log: logrus.NewEntry(log)}.Wrap(w.router))
	return &world{t: w.t, router: w.router, front: front, file: w.file, log: w.log}
}

// says fails the test unless the log comes to say it.
func (w *world) says(words string) {
	w.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(w.log.String(), words); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Errorf("the log does not say %q:\n%s", words, w.log)
			return
		}
	}
}

// TestSecureBackend: requests reach it, on one connection, under the name that its
// certificate has.
func TestSecureBackend(t *testing.T) {
	ca := newAuthority(t)
	far := startSecure(t, ca.issue(nil), nil)
	w := beforeSecure(t, far.secureURL(), ca.file, "")
	for i := range 20 {
		resp := w.post(t, "/a", strings.NewReader("body"))
		if body, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || string(body) != "ok" || err != nil {
			t.Fatalf("request %d: %s %q %v", i, resp.Status, body, err)
		}
	}
	got := far.requests()
	if len(got) != 20 || far.connections() != 1 {
		t.Errorf("%d requests on %d connections, want 20 on 1", len(got), far.connections())
	}
	for _, want := range []string{"POST /a HTTP/1.1\r\nHost: " + far.l.Addr().String() + "\r\n", "\r\nX-Forwarded-Proto: http\r\n", "\r\n\r\nbody"} {
		if !strings.Contains(got[0], want) {
			t.Errorf("the backend got %q, without %q", got[0], want)
		}
	}
}

// TestServerName: a backend's certificate is for the name that the file has for it, which
// the backend is told; without it, nothing is sent. The name may change under way.
func TestServerName(t *testing.T) {
	ca := newAuthority(t)
	far := startSecure(t, ca.issue(forInstances), nil)
	file := func(name string) string {
		return secureFile(far.secureURL(), ca.file, ", slowStart: 0s, health: { path: /health, interval: 250ms }"+name)
	}
	w := start(t, file(""), nil)
	status := func() int { return w.post(t, "/a", nil).StatusCode }
	if got := status(); got != http.StatusBadGateway {
		t.Errorf("without a name: %d", got)
	}
	eventually(t, "it is unhealthy", func() bool { return soakStates(w) == "unhealthy" })
	for _, step := range []struct {
		name    string
		becomes int
		state   string
	}{{instancesName, http.StatusOK, "healthy"}, {"others.example.org", http.StatusBadGateway, "unhealthy"}, {instancesName, http.StatusOK, "healthy"}} {
		if err := os.WriteFile(w.file, []byte(file(", serverName: "+step.name)), 0o600); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the answer under the name "+step.name, func() bool { return status() == step.becomes })
		asked := strings.Count(strings.Join(far.requests(), ""), "GET /health")
		eventually(t, "the health under it", func() bool {
			checked := strings.Count(strings.Join(far.requests(), ""), "GET /health") > asked
			return soakStates(w) == step.state && checked == (step.state == "healthy")
		})
	}
	for _, request := range far.requests() {
		if strings.Contains(request, "POST") && !strings.Contains(request, "\r\nHost: "+far.l.Addr().String()+"\r\n") {
			t.Errorf("the backend got %q", request)
		}
	}
}

// TestUntrustedBackend: nothing is sent to one whose certificate is not as it should be;
// the log says what is wrong with it, and the client that nothing was sent.
func TestUntrustedBackend(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	if _, err := x509.SystemCertPool(); err != nil { // which takes long the first time
		t.Fatal(err)
	}
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	}
	for _, c := range []struct {
		name  string
		cert  tls.Certificate
		ca    string
		cause string
	}{
		{"of another authority", others.issue(nil), ours.file, "signed by unknown authority"},
		{"of none that the system knows", ours.issue(nil), "", "signed by unknown authority"},
		{"of another name", ours.issue(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 2)} }), ours.file, "valid for 127.0.0.2, not 127.0.0.1"},
		{"expired", ours.issue(expired), ours.file, "expired"},
		{"of the future", ours.issue(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour / 2) }), ours.file, "not yet valid"},
		{"of a client", ours.issue(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), ours.file, "incompatible key usage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			far := startSecure(t, c.cert, nil)
			file := secureFile(far.secureURL(), c.ca, ", health: { path: /health, interval: 250ms }")
			if c.ca == "" {
				file = strings.Replace(file, `ca: ""`, "slowStart: 0s", 1)
			}
			w := start(t, file, nil).logged()
			for _, body := range []io.Reader{nil, strings.NewReader("x"), io.MultiReader(strings.NewReader("chunked"))} {
				resp := w.post(t, "/a", body)
				e := web.ErrorFrom(resp)
				if resp.StatusCode != http.StatusBadGateway || errs.CodeOf(e) != errs.BadGateway || !strings.Contains(fmt.Sprint(e), "certificate that is not trusted; nothing was sent") {
					t.Errorf("got %s, %v", resp.Status, e)
				}
			}
			w.says(c.cause)
			eventually(t, "its health checks fail", func() bool { return soakStates(w) == "unhealthy" })
			if got := far.requests(); len(got) > 0 {
				t.Errorf("it got %q", got)
			}
		})
	}
}

// TestUntrustedInstance: another one answers instead, and the log says why.
func TestUntrustedInstance(t *testing.T) {
	ca := newAuthority(t)
	good := startSecure(t, ca.issue(nil), nil)
	bad := startSecure(t, newAuthority(t).issue(nil), nil)
	file := strings.Replace(secureFile("", ca.file, ", outlier: { failures: 2, base: 1h, max: 1h }"), `url: ""`, fmt.Sprintf("urls: [%q, %q]", good.secureURL(), bad.secureURL()), 1)
	w := start(t, file, nil)
	eventually(t, "it is ejected", func() bool {
		if resp := w.post(t, "/a", strings.NewReader("x")); resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		return soakStates(w) == "unchecked ejected"
	})
	if !strings.Contains(w.log.String(), "unknown authority") || len(bad.requests()) > 0 {
		t.Errorf("it got %q, and the log says\n%s", bad.requests(), w.log)
	}
}

// TestNoHandshake: whoever does not answer in TLS, or not at all, is given up soon.
func TestNoHandshake(t *testing.T) {
	ca := newAuthority(t)
	old, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.issue(nil)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}) //nolint:gosec // that is what it is refused for
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for name, c := range map[string]struct{ address, cause string }{
		"plain HTTP": {strings.TrimPrefix(startBackend(t, named("plain")).URL, "http://"), "handshake: tls: first record does not look like"},
		"old TLS":    {serveWire(t, old, nil).l.Addr().String(), "protocol version"},
		"silence":    {silent.Addr().String(), "handshake: context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, strings.Replace(secureFile("https://"+c.address, ca.file, ""), "timeout: 2s", "timeout: 200ms", 1), nil).logged()
			began := time.Now()
			resp := w.post(t, "/a", strings.NewReader("x"))
			if took := time.Since(began); took > 15*time.Second { // bounded, however busy the machine is
				t.Errorf("it took %s", took)
			}
			if e := web.ErrorFrom(resp); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(fmt.Sprint(e), "nothing was sent") {
				t.Errorf("got %s, %v", resp.Status, e)
			}
			w.says(c.cause)
		})
	}
}

// TestSecureHealth: checks go by the same certificates.
func TestSecureHealth(t *testing.T) {
	ca := newAuthority(t)
	status := make(chan string, 1)
	status <- "500 No"
	far := startSecure(t, ca.issue(nil), func(c net.Conn, _ *bufio.Reader, _ string) bool {
		now := <-status
		status <- now
		_, _ = io.WriteString(c, "HTTP/1.1 "+now+"\r\nContent-Length: 0\r\n\r\n")
		return true
	})
	w := beforeSecure(t, far.secureURL(), ca.file, ", slowStart: 0s, health: { path: /up, interval: 250ms }")
	eventually(t, "it is unhealthy", func() bool { return soakStates(w) == "unhealthy" })
	<-status
	status <- "204 Yes"
	eventually(t, "it is healthy again", func() bool { return soakStates(w) == "healthy" })
	if got := far.requests(); len(got) == 0 || !strings.HasPrefix(got[0], "GET /up HTTP/1.1\r\n") {
		t.Errorf("it was checked by %q", got)
	}
}

// TestSecureIdleClose: a kept connection that the backend has closed is not used for a
// write, which nobody would dare to send again.
func TestSecureIdleClose(t *testing.T) {
	ca := newAuthority(t)
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{}, 1)
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.issue(nil)}, MinVersion: version, MaxVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			far := serveWire(t, l, func(c net.Conn, _ *bufio.Reader, _ string) bool {
				_, _ = io.WriteString(c, fine)
				_ = c.Close()
				closed <- struct{}{}
				return false
			})
			w := beforeSecure(t, far.secureURL(), ca.file, "")
			for i := range 10 {
				resp := w.post(t, "/a", strings.NewReader("x"))
				if resp.StatusCode != http.StatusOK {
					t.Fatalf("request %d: %s", i, resp.Status)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				<-closed
				time.Sleep(20 * time.Millisecond) // the end arrives
			}
			if n := len(far.requests()); n != 10 {
				t.Errorf("it got %d requests", n)
			}
		})
	}
}

// TestSecureStreams: trailers, upgrades and long bodies.
func TestSecureStreams(t *testing.T) {
	ca := newAuthority(t)
	t.Run("trailers", func(t *testing.T) {
		far := startSecure(t, ca.issue(nil), func(c net.Conn, _ *bufio.Reader, _ string) bool {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")
			return true
		})
		c := beforeSecure(t, far.secureURL(), ca.file, "").dial(t)
		c.send("POST /a HTTP/1.1\r\nHost: h\r\nTrailer: X-Check\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Check: 7\r\n\r\n")
		resp := c.response(http.MethodPost)
		if body, err := io.ReadAll(resp.Body); string(body) != "abc" || err != nil || resp.Trailer.Get("X-Sum") != "1" {
			t.Errorf("got %q %v, %v", body, resp.Trailer, err)
		}
		if got := far.requests()[0]; !strings.HasSuffix(got, "1\r\nx\r\n0\r\nX-Check: 7\r\n\r\n") {
			t.Errorf("the backend got %q", got)
		}
	})
	t.Run("upgrade", func(t *testing.T) {
		far := startSecure(t, ca.issue(nil), func(c net.Conn, br *bufio.Reader, _ string) bool {
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello ")
			all, _ := io.ReadAll(br) // until the client's half is closed
			_, _ = io.WriteString(c, "you said "+string(all))
			return false
		})
		c := beforeSecure(t, far.secureURL(), ca.file, "").dial(t)
		c.send("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		if resp := c.response(http.MethodGet); resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("got %s", resp.Status)
		}
		long := strings.Repeat("x", 100_000) // several records
		c.send(long)
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(c.br); string(got) != "hello you said "+long || err != nil {
			t.Errorf("the client got %d bytes, %v", len(got), err)
		}
	})
	t.Run("long bodies", func(t *testing.T) {
		sent := bytes.Repeat([]byte("abcdefg\n"), 1<<17)
		far := startSecure(t, ca.issue(nil), func(c net.Conn, _ *bufio.Reader, request string) bool {
			_, body, _ := strings.Cut(request, "\r\n\r\n")
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			return true
		})
		resp := beforeSecure(t, far.secureURL(), ca.file, "").post(t, "/a", bytes.NewReader(sent))
		if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d bytes came back as %d, %v", len(sent), len(got), err)
		}
	})
}

// TestCAChanges: a ca file is watched as routes.yaml is, and one that is no good is
// refused; what was in force stays.
func TestCAChanges(t *testing.T) {
	old, fresh := newAuthority(t), newAuthority(t)
	far := startSecure(t, fresh.issue(nil), nil)
	w := beforeSecure(t, far.secureURL(), old.file, "")
	status := func() int { return w.post(t, "/a", nil).StatusCode }
	if got := status(); got != http.StatusBadGateway {
		t.Fatalf("got %d", got)
	}
	if err := os.WriteFile(old.file, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is refused", func() bool { return strings.Contains(w.log.String(), "has no certificate") })
	good, err := os.ReadFile(fresh.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old.file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is trusted", func() bool { return status() == http.StatusOK })
}
