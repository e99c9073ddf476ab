package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/service"
)

// command runs a command line in this process.
func command(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errors bytes.Buffer
	code = service.Run(t.Context(), "banyan", service.Process{Args: args, Environ: environ, Stdout: &out, Stderr: &errors}, run)
	return code, out.String(), errors.String()
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	routes := filepath.Join(dir, "routes.yaml")
	if err := os.WriteFile(routes, []byte("version: 1\nrouts: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		environ []string
		args    []string
		code    int
		says    []string
	}{
		{"help", nil, []string{"--help"}, 0, []string{"serve", "BANYAN_DATA_DIR"}},
		{"completion", nil, []string{"completion", "bash"}, 0, []string{"banyan"}},
		{"version", nil, []string{"version", "-o", "yaml"}, 0, []string{"service: banyan"}},
		{"unknown command", nil, []string{"serv"}, 2, []string{"unknown command", "serve"}},
		{"unknown flag, and more", nil, []string{"serve", "--nope", "1", "--drain-delay", "soon"}, 2, []string{"--nope", "--drain-delay"}},
		{"argument too many", nil, []string{"serve", "now"}, 2, []string{"now"}},
		{"unknown format", nil, []string{"version", "-o", "xml"}, 2, []string{"table, json, yaml"}},
		{"variable of another command", []string{"BANYAN_ADMIN=http://127.0.0.1:1", "BANYAN_DATA_DIR=" + dir}, []string{"check-config"}, 0, []string{"is good"}},
		{
			"everything at once",
			[]string{"BANYAN_LISTN=x", "BANYAN_DRAIN_DELAY=-1s"},
			[]string{
				"check-config", "--listen", "8080", "--admin-listen", "0.0.0.0:8090", "--log-level", "loud",
				"--mysql-dsn", "root:hush@nowhere", "--proxy-dsn", "root:hush@tcp(h)/", "--routes", routes,
			},
			2,
			[]string{"BANYAN_LISTEN?", "--drain-delay", "--listen \"8080\"", "--admin-token-file", "--log-level \"loud\"", "--mysql-dsn", "--proxy-dsn", "routes.yaml:2"},
		},
		{"the same address twice", nil, []string{"check-config", "--listen", "127.0.0.1:9", "--admin-listen", "127.0.0.1:9"}, 2, []string{"address of its own"}},
		{"half a certificate", []string{"BANYAN_TLS_CERT=cert.pem"}, []string{"check-config"}, 2, []string{"--tls-key"}},
		{"half a set of DSNs", nil, []string{"check-config", "--flights-dsn", "u:p@tcp(h:1)/f"}, 2, []string{"--reservations-dsn"}},
		{"unknown context", nil, []string{"migrate", "up", "--context", "trips", "--data-dir", dir}, 2, []string{"flights, reservations, proxy"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := command(t, c.environ, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, not %d: %s", code, c.code, stderr)
			}
			for _, text := range c.says {
				if !strings.Contains(stdout+stderr, text) {
					t.Errorf("it does not say %q:\n%s%s", text, stdout, stderr)
				}
			}
			if strings.Contains(stdout+stderr, "hush") {
				t.Errorf("a password is shown:\n%s%s", stdout, stderr)
			}
		})
	}
}

func TestCheckConfigRefusesUnsafeRoutes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.yaml")
	const text = `version: 1
backends:
  monolith: { kind: inproc, store: monolith }
  other: { kind: http, url: http://127.0.0.1:1 }
routes:
  - id: r
    match: { paths: [/v1/flights] }
    backends: { monolith: 90%, other: 10% }
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := command(t, nil, "check-config", "--routes", file)
	if code != 5 || !strings.Contains(stderr, "routes.yaml:") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestMigrate(t *testing.T) {
	for name, where := range map[string]func(*testing.T) []string{
		"sqlite": func(t *testing.T) []string { return []string{"--data-dir", t.TempDir()} },
		"mysql":  func(t *testing.T) []string { return []string{"--mysql-dsn", dbtest.MySQLDSN(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			to := where(t)
			state := func(want bool) {
				t.Helper()
				code, out, stderr := command(t, nil, append([]string{"migrate", "status", "-o", "json"}, to...)...)
				var list []migrated
				if err := json.Unmarshal([]byte(out), &list); code != 0 || err != nil || len(list) != 3 {
					t.Fatalf("status: %d %v %s%s", code, err, out, stderr)
				}
				for _, c := range list {
					if last := c.Files[len(c.Files)-1]; last.Applied != want {
						t.Errorf("%s: %s applied is %v", c.Context, last.Name, last.Applied)
					}
				}
			}
			for _, step := range []struct {
				action  string
				applied bool
			}{{"up", true}, {"up", true}, {"down", false}, {"up", true}} {
				if code, _, stderr := command(t, nil, append([]string{"migrate", step.action}, to...)...); code != 0 {
					t.Fatalf("migrate %s: %d %s", step.action, code, stderr)
				}
				state(step.applied)
			}
		})
	}
}
