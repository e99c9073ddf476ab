package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/template"
	"time"
)

//go:embed configs
var configs embed.FS

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-proxy:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

func run() error {
	role := flag.String("serve", "", "be a server: reverseproxy, handler, banyan, inprocess")
	listen := flag.String("listen", "", "address to serve on")
	upstream := flag.String("upstream", "", "address of the backend")
	file := flag.String("routes", "", "routes.yaml for -serve banyan")
	rounds := flag.Int("rounds", 3, "rounds through all proxies")
	duration := flag.Duration("duration", 5*time.Second, "load of one proxy in one round")
	connections := flag.Int("connections", 64, "connections of wrk")
	only := flag.String("only", "", "subjects, comma separated; empty: all")
	memory := flag.Bool("memory", true, "show the memory under idle and slow connections")
	flag.Parse()
	if *role != "" {
		return serve(*role, *listen, *upstream, *file)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	b := &bench{out: os.Stdout}
	defer b.stop()
	if err := b.start(ctx, *only); err != nil {
		return err
	}
	b.load("before")
	for round := range *rounds {
		for _, s := range b.subjects {
			if err := s.round(ctx, *connections, *duration); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(b.out, "round %d  %-22s %6.1f µs CPU per request  %7.0f requests/s\n", round+1, s.name, s.cpu[round], s.rate[round])
		}
	}
	b.load("after")
	b.table()
	if *memory {
		return b.memory(ctx)
	}
	return nil
}

// bench is all processes.
type bench struct {
	out      io.Writer
	dir      string
	backend  int
	procs    []*exec.Cmd
	subjects []*subject
}

// start starts the backend and every proxy.
func (b *bench) start(ctx context.Context, only string) (err error) {
	if b.dir, err = os.MkdirTemp("", "bench-proxy"); err != nil {
		return err
	}
	if err := os.Chmod(b.dir, 0o755); err != nil { // nginx's workers are another user's
		return err
	}
	if b.backend, err = freePort(ctx); err != nil {
		return err
	}
	if _, err := b.process(ctx, "backend.conf", "backend", b.backend, 0, "nginx", "-c"); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, s := range []struct {
		name, config string
		command      []string
	}{
		{"nginx", "nginx.conf", []string{"nginx", "-c"}},
		{"HAProxy", "haproxy.cfg", []string{"haproxy", "-db", "-f"}},
		{"Caddy", "Caddyfile", []string{"caddy", "run", "--adapter", "caddyfile", "--config"}},
		{"ReverseProxy", "", []string{self, "-serve", "reverseproxy"}},
		{"Banyan", "routes.yaml", []string{self, "-serve", "banyan", "-routes"}},
		{"Banyan, in process", "", []string{self, "-serve", "inprocess"}},
		{"nginx and handler", "nginx.conf", []string{"nginx", "-c"}},
	} {
		if only != "" && !slices.Contains(strings.Split(only, ","), s.name) {
			continue
		}
		if err := b.subject(ctx, self, s.name, s.config, s.command); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) subject(ctx context.Context, self, name, config string, command []string) error {
	s := &subject{name: name}
	to := b.backend
	if name == "nginx and handler" {
		port, err := freePort(ctx)
		if err != nil {
			return err
		}
		p, err := b.process(ctx, "", "handler", port, 0, self, "-serve", "handler")
		if err != nil {
			return err
		}
		s.procs, to = append(s.procs, p), port
	}
	var err error
	if s.port, err = freePort(ctx); err != nil {
		return err
	}
	p, err := b.process(ctx, config, strings.ReplaceAll(name, " ", "-"), s.port, to, command...)
	if err != nil {
		return err
	}
	s.procs = append(s.procs, p)
	b.subjects = append(b.subjects, s)
	return nil
}

// process starts one program with its configuration as the last argument, and waits
// until it listens.
func (b *bench) process(ctx context.Context, config, name string, port, upstream int, command ...string) (*exec.Cmd, error) {
	if config != "" {
		t, err := template.ParseFS(configs, "configs/"+config)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(b.dir, name+"-"+config)
		f, err := os.Create(file)
		if err != nil {
			return nil, err
		}
		err = t.Execute(f, map[string]any{
			"Dir": b.dir, "Name": name, "Port": port, "Upstream": upstream, "Backend": port,
			"Threads": runtime.NumCPU(), "Body": answer(),
		})
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		command = append(command, file)
	}
	if slices.Contains(command, "-serve") {
		command = append(command, "-listen", fmt.Sprint("127.0.0.1:", port), "-upstream", fmt.Sprint("127.0.0.1:", upstream))
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+b.dir, "XDG_DATA_HOME="+b.dir, "XDG_CONFIG_HOME="+b.dir)
	log, err := os.Create(filepath.Join(b.dir, name+".out"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b.procs = append(b.procs, cmd)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			return cmd, c.Close()
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("%s did not start: %w\n%s", name, err, text)
		}
	}
}

func (b *bench) stop() {
	for _, p := range b.procs {
		_ = p.Process.Signal(syscall.SIGTERM)
	}
	for _, p := range b.procs {
		ended := time.AfterFunc(5*time.Second, func() { _ = p.Process.Kill() })
		_ = p.Wait()
		ended.Stop()
	}
	_ = os.RemoveAll(b.dir)
}

// load shows what else the machine does.
func (b *bench) load(when string) {
	text, _ := os.ReadFile("/proc/loadavg")
	_, _ = fmt.Fprintf(b.out, "load average %s: %s", when, text)
}

func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
