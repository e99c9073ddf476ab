package routes_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"banyan/proxy/routes"
)

// authority gives a certificate in PEM form.
func authority(t *testing.T, until time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Unix(0, 0), NotAfter: until, IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestCA: a path starts from the file's folder, and what is wrong is told with its line.
func TestCA(t *testing.T) {
	dir := t.TempDir()
	good := authority(t, time.Now().Add(time.Hour))
	for name, text := range map[string][]byte{
		"good.pem": good, "two.pem": append(good, good...), "empty.pem": nil, "text.pem": []byte("hello"),
		"key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}),
		"bad.pem": append(good, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})...),
		"old.pem": authority(t, time.Now().Add(-time.Hour)), "big.pem": make([]byte, 2<<20),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	parse := func(backend string) (*routes.Config, error) {
		file := "version: 1\nbackends:\n  a: { kind: http, store: s, " + backend + " }\n"
		return routes.Parse(filepath.Join(dir, "routes.yaml"), []byte(file))
	}
	for _, c := range []struct{ backend, want string }{
		{"url: \"https://h\", ca: good.pem", ""},
		{"url: \"https://h\", ca: " + filepath.Join(dir, "two.pem"), ""},
		{"url: \"https://h\", ca: none.pem", "none.pem cannot be read: no such file"},
		{"url: \"https://h\", ca: empty.pem", "has no certificate"},
		{"url: \"https://h\", ca: text.pem", "-----BEGIN CERTIFICATE-----"},
		{"url: \"https://h\", ca: key.pem", "has a private key in it"},
		{"url: \"https://h\", ca: bad.pem", "has a certificate that cannot be read"},
		{"url: \"https://h\", ca: big.pem", "is larger than 1 MiB"},
		{"url: \"https://h\", ca: pipe", "is no regular file"},
		{"url: \"https://h\", ca: [good.pem]", "must be a single value"},
		{"url: \"http://h\", ca: good.pem", "write https:// or remove the ca"},
		{"urls: [\"https://h\", \"http://i\"], ca: good.pem", "write https:// or remove the ca"},
		{"url: \"https://h\", ca: good.pem, serverName: Flights-2.example.org", ""},
		{"url: \"https://h\", ca: good.pem, serverName: 10.0.0.7", ""},
		{"url: \"https://h\", ca: good.pem, serverName: \"2001:db8::7\"", ""},
		{"url: \"https://h\", protocol: h2c", "HTTP/2 without TLS, at an https url"},
	} {
		config, err := parse(c.backend)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "routes.yaml:3: ")):
			t.Errorf("%s: got %v, want …%s…", c.backend, err, c.want)
		case c.want == "":
			if b, _ := config.Backend("a"); b.TLS().RootCAs == nil || len(config.Warnings) > 0 {
				t.Errorf("%s: %+v %q", c.backend, b, config.Warnings)
			}
		}
	}
	if _, err := routes.Parse("routes.yaml", []byte("version: 1\nbackends:\n  a: { kind: inproc, ca: x }\n")); err == nil || !strings.Contains(err.Error(), "needs no ca") {
		t.Errorf("in this process: %v", err)
	}
	old, err := parse("url: \"https://h\", ca: old.pem")
	if err != nil || !strings.Contains(fmt.Sprint(old.Warnings), "has expired") {
		t.Errorf("an old one: %v %v", old, err)
	}
	plain, err := parse("url: \"https://h\"")
	if b, _ := plain.Backend("a"); err != nil || b.TLS().RootCAs != nil || b.TLS().ServerName != "" {
		t.Errorf("without a ca: %+v %v", b, err)
	}
}

// TestServerNames: what is no name is refused with the line and what to write.
func TestServerNames(t *testing.T) {
	for _, c := range []struct{ backend, want string }{
		{"url: \"https://h\", serverName: \"flights.example.org:443\"", "write the name that its certificate is for"},
		{"url: \"https://h\", serverName: \"https://flights\"", "write the name that its certificate is for"},
		{"url: \"https://h\", serverName: \"*.example.org\"", "write the name that its certificate is for"},
		{"url: \"https://h\", serverName: \"fe80::1%eth0\"", "write the name that its certificate is for"},
		{"url: \"https://h\", serverName: -a.b", "write the name that its certificate is for"},
		{"url: \"https://h\", serverName: a..b", "write the name that its certificate is for"},
		{"url: \"https://h\", serverName: " + strings.Repeat("a", 64), "write the name that its certificate is for"},
		{"url: \"https://h\", serverName: " + strings.Repeat("a.", 126) + "aa", "write the name that its certificate is for"},
		{"url: \"https://h\", serverName: \"\"", "write the name that its certificate is for"},
		{"url: \"http://h\", serverName: flights", "write https:// or remove the serverName"},
	} {
		_, err := routes.Parse("routes.yaml", []byte("version: 1\nbackends:\n  a: { kind: http, store: s, "+c.backend+" }\n"))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "routes.yaml:3: ") {
			t.Errorf("%s: got %v, want …%s…", c.backend, err, c.want)
		}
	}
}

// TestWatcher: its stamp is the configuration's until the file or a ca changes.
func TestWatcher(t *testing.T) {
	dir := t.TempDir()
	file, ca := filepath.Join(dir, "routes.yaml"), filepath.Join(dir, "ca.pem")
	write := func(path string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(ca, authority(t, time.Now().Add(time.Hour)))
	write(file, []byte("version: 1\nbackends:\n  b: { kind: http, url: \"https://h\", ca: ca.pem }\n  a: { kind: http, url: \"https://h\", ca: "+ca+" }\n  c: { kind: http, url: \"https://h\" }\n"))
	c, err := routes.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	w := routes.NewWatcher(file)
	seen := c.Stamp()
	changed := func(want bool) {
		t.Helper()
		_, stamp, _ := w.Read()
		if (stamp != seen) != want {
			t.Errorf("changed is %t, want %t", stamp != seen, want)
		}
		seen = stamp
	}
	changed(false)
	changed(false)
	write(ca, authority(t, time.Now().Add(time.Hour)))
	changed(true)
	if err := os.Remove(ca); err != nil {
		t.Fatal(err)
	}
	changed(true)
	changed(false)
	write(file, []byte("version: [\n"))
	changed(true)
	changed(false)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	changed(true)
	changed(false)
}
