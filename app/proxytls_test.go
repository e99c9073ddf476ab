package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/service"
)

// proxyArguments are what TestProxyProcess is told.
const proxyArguments = "BANYAN_TEST_PROXY_ARGUMENTS"

// TestProxyProcess is no test but banyan in a process of its own, which reads the system's
// certificates anew.
func TestProxyProcess(t *testing.T) {
	args := os.Getenv(proxyArguments)
	if args == "" {
		return
	}
	os.Exit(service.Run(t.Context(), "banyan", service.Process{Args: strings.Fields(args), Stdout: os.Stdout, Stderr: os.Stderr}, run))
}

// secureApplication answers over TLS; ca is its certificate, in PEM form.
func secureApplication(t *testing.T, dir string) (url, ca string) {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "secure %s %s", r.Host, r.URL.Path)
	}))
	t.Cleanup(s.Close)
	ca = filepath.Join(dir, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return s.URL, ca
}

// TestProxyTLS: an https monolith is judged by the ca file that routes.yaml names, which
// is beside it, or by the system's roots.
func TestProxyTLS(t *testing.T) {
	dir := t.TempDir()
	url, ca := secureApplication(t, dir)
	answer := "secure " + strings.TrimPrefix(url, "https://") + " /a"
	file := filepath.Join(dir, "routes.yaml")
	routes := fmt.Sprintf("version: 1\nbackends:\n  monolith: { kind: http, url: %q, ca: ca.pem, health: { path: /up } }\n", url)
	if err := os.WriteFile(file, []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("by the file", func(t *testing.T) {
		s := runIn(t, "proxy", "--data-dir", t.TempDir(), "--routes", file, "--log-level", "error")
		if status, body := text(t, s.url+"/a"); status != 200 || body != answer {
			t.Errorf("got %d %s", status, body)
		}
	})
	t.Run("by no file", func(t *testing.T) {
		bad := strings.Replace(routes, "ca.pem", "none.pem", 1)
		if code, _, stderr := command(t, nil, "proxy", "--routes", writeFile(t, "routes.yaml", bad)); code != 2 || !strings.Contains(stderr, "routes.yaml:3: the ca of backend monolith cannot be used") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
	})
	t.Run("by the system", func(t *testing.T) {
		s, _ := proxyProcess(t, ca, url)
		if status, body := text(t, s.url+"/a"); status != 200 || body != answer {
			t.Errorf("got %d %s", status, body)
		}
	})
	t.Run("unknown to the system", func(t *testing.T) {
		s, log := proxyProcess(t, "/dev/null", url)
		if status, body := text(t, s.url+"/a"); status != 502 || !strings.Contains(body, `"code":"bad_gateway"`) || !strings.Contains(body, "not trusted; nothing was sent") {
			t.Errorf("got %d %s", status, body)
		}
		for deadline := time.Now().Add(5 * time.Second); !strings.Contains(log.String(), "signed by unknown authority"); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the log does not say why:\n%s", log)
			}
		}
	})
}

// proxyProcess runs banyan proxy where the system's roots are one file.
func proxyProcess(t *testing.T, roots, monolith string) (served, *output) {
	t.Helper()
	var stdout, stderr output
	cmd := exec.CommandContext(context.Background(), os.Args[0], "-test.run=^TestProxyProcess$")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+roots, "SSL_CERT_DIR="+t.TempDir(),
		proxyArguments+"=proxy --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --data-dir "+t.TempDir()+" --monolith "+monolith)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	return greeted(t, &stdout, func() bool {
		select {
		case <-ended:
			t.Logf("standard error:\n%s", stderr.String())
			return true
		default:
			return false
		}
	}), &stderr
}
