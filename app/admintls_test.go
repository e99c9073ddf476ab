package main

import (
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/certtest"
)

// TestAdminTLS: commands reach an admin API that speaks TLS if they trust its certificate,
// and are told what to do if not.
func TestAdminTLS(t *testing.T) {
	const token = "s3cret-of-the-test"
	cert, key := certtest.WritePair(t, t.TempDir(), 1, time.Now().Add(time.Hour))
	stranger, _ := certtest.WritePair(t, t.TempDir(), 2, time.Now().Add(time.Hour))
	s := serveIn(t, "--data-dir", t.TempDir(), "--log-level", "error", "--admin-token", token, "--admin-tls-cert", cert, "--admin-tls-key", key)
	if !strings.HasPrefix(s.admin, "https://") || !strings.HasPrefix(s.url, "http://") {
		t.Fatalf("the admin API is at %s, the public one at %s", s.admin, s.url)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(s.admin, "https://"), ":")
	byName := "https://localhost:" + port // which the certificate is not for
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"trusted", []string{"--admin", s.admin, "--admin-ca", cert}, 0, ""},
		{"unknown to the system", []string{"--admin", s.admin}, 1, "signed by unknown authority; name its authority with --admin-ca"},
		{"of another", []string{"--admin", s.admin, "--admin-ca", stranger}, 1, "is not trusted here"},
		{"for another name", []string{"--admin", byName, "--admin-ca", cert}, 1, "--admin-server-name"},
		{"for the name given", []string{"--admin", byName, "--admin-ca", cert, "--admin-server-name", "127.0.0.1"}, 0, ""},
		{"in clear text", []string{"--admin", strings.Replace(s.admin, "https", "http", 1)}, 2, "write --admin https://"},
		{"a ca without TLS", []string{"--admin", s.url, "--admin-ca", cert}, 2, "--admin-ca and --admin-server-name judge a certificate"},
		{"no ca", []string{"--admin", s.admin, "--admin-ca", "/nowhere.pem"}, 2, "--admin-ca: open /nowhere.pem"},
		{"no certificate in it", []string{"--admin", s.admin, "--admin-ca", key}, 2, "has no certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := command(t, nil, append([]string{"routes", "list", "--admin-token", token}, c.args...)...)
			if code != c.code || !strings.Contains(stderr, c.says) || strings.Contains(stderr, token) {
				t.Errorf("exit code %d: %s", code, stderr)
			}
		})
	}
}

// TestCommandsOfPagesTrust: what a page's commands start with leads them to the admin API.
func TestCommandsOfPagesTrust(t *testing.T) {
	cert, key := certtest.WritePair(t, t.TempDir(), 1, time.Now().Add(time.Hour))
	s := serveIn(t, "--data-dir", t.TempDir(), "--log-level", "error", "--admin-tls-cert", cert, "--admin-tls-key", key)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.admin, "https://"), ":")
	environ := adminEnviron("https://localhost:"+port, cert, "127.0.0.1")
	if code, _, stderr := command(t, environ, "routes", "list"); code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	own := []string{"BANYAN_ADMIN_CA=/nowhere.pem", "BANYAN_ADMIN_SERVER_NAME=other", "HOME=/root"}
	environ = (&adminClient{base: s.admin, ca: cert}).environ(own)
	if code, _, stderr := command(t, environ, "routes", "list"); code != 0 {
		t.Errorf("exit code %d with %v: %s", code, environ, stderr)
	}
}

func TestAdminTLSIsChecked(t *testing.T) {
	cert, _ := certtest.WritePair(t, t.TempDir(), 1, time.Now().Add(time.Hour))
	for _, args := range [][]string{{"check-config"}, {"proxy", "--check", "--monolith", "http://127.0.0.1:1"}} {
		code, _, stderr := command(t, nil, append(args, "--admin-tls-cert", cert)...)
		if code != 2 || !strings.Contains(stderr, "--admin-tls-cert and --admin-tls-key belong together") {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}
