package bench_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkIdleMemory starts banyan serve with sample data and reads how much memory the
// process has resident after it has answered and rested.
func BenchmarkIdleMemory(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "banyan")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, "../../app").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	for b.Loop() {
		mb := idleMemory(b, binary)
		b.ReportMetric(mb, "MB")
		report(b, mb, "<= 60 MB", mb <= 60)
	}
}

func idleMemory(b *testing.B, binary string) float64 {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	ctx, cancel := context.WithCancel(b.Context())
	cmd := exec.CommandContext(ctx, binary, "serve", "--sample-data", "--data-dir", b.TempDir(), "--listen", addr, "--admin-listen", "127.0.0.1:0")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	for deadline := time.Now().Add(30 * time.Second); !answers(ctx, "http://"+addr+"/health"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatal("banyan serve does not start")
		}
	}
	time.Sleep(5 * time.Second) // idle, as asked for
	return resident(b, cmd.Process.Pid)
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// resident reads VmRSS of a process, in MB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 {
			return kb / 1000
		}
	}
	b.Fatal("the system does not tell VmRSS")
	return 0
}
