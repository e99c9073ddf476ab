package service_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"banyan/modules/kernel/certtest"
	"banyan/modules/kernel/config"
	"banyan/modules/kernel/service"
)

// judge gives settings and what is wrong with them.
func judge(args ...string) (*service.Settings, error) {
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s := service.AddFlags(fs, "127.0.0.1:0")
	p := &config.Problems{}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	s.Check(p)
	return s, p.Err()
}

func TestCertificateIsChecked(t *testing.T) {
	certFile, keyFile := certtest.WritePair(t, t.TempDir(), 1, time.Now().Add(time.Hour))
	_, otherKey := certtest.WritePair(t, t.TempDir(), 2, time.Now().Add(time.Hour))
	oldCert, oldKey := certtest.WritePair(t, t.TempDir(), 3, time.Now().Add(-24*time.Hour))
	for _, c := range []struct{ cert, key, want string }{
		{"", "", ""},
		{certFile, keyFile, ""},
		{certFile, "", "--tls-cert and --tls-key belong together"},
		{"", keyFile, "--tls-cert and --tls-key belong together"},
		{certFile, otherKey, "does not match"},
		{keyFile, keyFile, "--tls-cert"},
		{"/nowhere", keyFile, "/nowhere"},
		{oldCert, oldKey, "expired on"},
	} {
		_, err := judge("--tls-cert", c.cert, "--tls-key", c.key)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s and %s: %v, want %q", c.cert, c.key, err, c.want)
		}
	}
}

func TestNameOfCertificate(t *testing.T) {
	if s, err := judge(); err != nil || s.TLS.Name() != "" || s.TLS.Config() != nil || s.TLS.Scheme() != "http" {
		t.Errorf("without a certificate: %q %s (%v)", s.TLS.Name(), s.TLS.Scheme(), err)
	}
	certFile, keyFile := certtest.WritePair(t, t.TempDir(), 1, time.Now().Add(time.Hour))
	if s, err := judge("--tls-cert", certFile, "--tls-key", keyFile); err != nil || s.TLS.Name() != "127.0.0.1" || s.TLS.Scheme() != "https" {
		t.Errorf("for an address: %q %s (%v)", s.TLS.Name(), s.TLS.Scheme(), err)
	}
	for name, want := range map[string]string{"admin.example.org": "admin.example.org", "*.example.org": "banyan.example.org"} {
		certFile, keyFile := certtest.WritePair(t, t.TempDir(), 1, time.Now().Add(time.Hour), name)
		if s, err := judge("--tls-cert", certFile, "--tls-key", keyFile); err != nil || s.TLS.Name() != want {
			t.Errorf("for %s: %q (%v)", name, s.TLS.Name(), err)
		}
	}
}

// TestTLS: clients speak HTTP/2 or HTTP/1.1 over TLS 1.2 or later, and new files are taken
// without a restart; what is no certificate is not.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := certtest.WritePair(t, dir, 1, time.Now().Add(time.Hour))
	s, err := judge("--tls-cert", certFile, "--tls-key", keyFile)
	if err != nil {
		t.Fatal(err)
	}
	svc, l, err := s.Start(t.Context(), "test", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- svc.Serve(t.Context(), l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.Proto)
		}), s.ServerOptions())
	}()
	t.Cleanup(func() { <-ended })
	address := l.Addr().String()
	for _, c := range []struct {
		config *tls.Config
		want   string
	}{
		{&tls.Config{NextProtos: []string{"h2"}}, "h2"},
		{&tls.Config{NextProtos: []string{"http/1.1"}}, "http/1.1"},
		{&tls.Config{NextProtos: []string{"http/1.1"}, MaxVersion: tls.VersionTLS12}, "http/1.1"},
		{&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "refused"},
	} {
		if got, _ := shake(address, c.config); got != c.want {
			t.Errorf("a handshake gives %s, want %s", got, c.want)
		}
	}
	answered(t, address, certFile)

	if err := os.WriteFile(certFile, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // the files have been looked at by the next handshake; if not, the test is only easier
	if _, serial := shake(address, &tls.Config{}); serial != 1 {
		t.Errorf("a bad file serves %d", serial)
	}
	certtest.WritePair(t, dir, 2, time.Now().Add(time.Hour))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, serial := shake(address, &tls.Config{}); serial == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not served")
		}
	}
}

// shake gives the protocol that was agreed on and the certificate's number.
func shake(address string, c *tls.Config) (string, int64) {
	c.InsecureSkipVerify = true
	conn, err := tls.Dial("tcp", address, c)
	if err != nil {
		return "refused", 0
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().NegotiatedProtocol, conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// answered asks over both protocols as a client that trusts the certificate.
func answered(t *testing.T, address, certFile string) {
	t.Helper()
	text, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	for _, proto := range []string{"HTTP/2.0", "HTTP/1.1"} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: proto == "HTTP/2.0"}
		resp, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second}).Get("https://" + address)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != proto {
			t.Errorf("a client of %s got %s", proto, body)
		}
		tr.CloseIdleConnections()
	}
}
