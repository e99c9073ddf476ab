package dbtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

const (
	readyWithin = 60 * time.Second // a busy machine with two cores
	portTries   = 5
)

// instance is one server process with its folder.
type instance struct {
	dir     string
	addr    string
	dsn     string
	port    int
	command func(*instance) *exec.Cmd
	ready   func(*instance) error // nil as soon as the server answers

	process *os.Process
	gone    chan struct{} // closed when the process has ended
	guard   *os.File      // closing it lets the guard tidy up
}

var errMissing = errors.New("not installed")

func missing(err error) bool { return errors.Is(err, errMissing) }

// binary finds a program, also where servers are kept off an ordinary user's path.
func binary(names ...string) (string, error) {
	for _, name := range names {
		for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
			if path, err := exec.LookPath(candidate); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%s: %w; deploy/local/install.sh installs it", names[0], errMissing)
}

// newInstance makes the folder and the guard that removes it.
func newInstance(kind string) (*instance, error) {
	dir, err := os.MkdirTemp("", "banyan-test-"+kind+"-")
	if err != nil {
		return nil, err
	}
	i := &instance{dir: dir}
	if err := i.setGuard(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return i, nil
}

// setGuard starts a shell that waits for the end of this process, however it ends,
// then kills the server and removes its folder. It is in a process group of its own so
// that an interrupt at the terminal does not end it first.
func (i *instance) setGuard() error {
	const script = `read -r line; [ -f "$1/pid" ] && kill -9 "$(cat "$1/pid")" 2>/dev/null; sleep 0.1; rm -rf "$1"`
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	guard := exec.Command("/bin/sh", "-c", script, "guard", i.dir) //nolint:noctx // must outlive every context
	guard.Stdin = read
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = guard.Start()
	_ = read.Close()
	if err != nil {
		_ = write.Close()
		return err
	}
	i.guard = write
	go func() { _ = guard.Wait() }()
	return nil
}

// launch starts the server on a free port, another one if somebody was faster.
func (i *instance) launch() (err error) {
	for range portTries {
		if i.port, err = freePort(); err != nil {
			return err
		}
		i.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(i.port))
		if err = i.start(); err == nil {
			return nil
		}
	}
	return err
}

// start runs the command and waits until the server answers.
func (i *instance) start() error {
	if err := i.spawn(); err != nil {
		return err
	}
	var err error
	for deadline := time.Now().Add(readyWithin); time.Now().Before(deadline); {
		if err = i.ready(i); err == nil {
			return nil
		}
		select {
		case <-i.gone:
			return fmt.Errorf("%s ended at once:\n%s", i.dir, i.logTail())
		case <-time.After(20 * time.Millisecond):
		}
	}
	i.kill()
	return fmt.Errorf("no answer at %s within %s: %w\n%s", i.addr, readyWithin, err, i.logTail())
}

// spawn starts the process from a thread that lives as long as it does: the kernel's
// parent-death signal is tied to the thread.
func (i *instance) spawn() error {
	log, err := os.OpenFile(filepath.Join(i.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := i.command(i)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	i.gone = make(chan struct{})
	started := make(chan error)
	go func(gone chan struct{}) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(gone)
	}(i.gone)
	if err := <-started; err != nil {
		return err
	}
	i.process = cmd.Process
	return os.WriteFile(filepath.Join(i.dir, "pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600)
}

// kill ends the process with SIGKILL and waits until it is gone.
func (i *instance) kill() {
	if i.process == nil {
		return
	}
	_ = i.process.Kill()
	<-i.gone
	_ = os.Remove(filepath.Join(i.dir, "pid")) // the number may soon be another process's
	i.process = nil
}

// remove ends the server and leaves nothing behind.
func (i *instance) remove() {
	i.kill()
	_ = os.RemoveAll(i.dir)
	_ = i.guard.Close()
}

func (i *instance) logTail() string {
	text, _ := os.ReadFile(filepath.Join(i.dir, "log"))
	return string(text[max(0, len(text)-2000):])
}

// freePort finds a port that is free together with the one 10,000 above it, which a
// Redis Cluster node uses for its bus.
func freePort() (int, error) {
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		var bus net.Listener
		if port <= 55_000 {
			bus, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+10_000))) //nolint:noctx // returns at once
		}
		_ = l.Close()
		if bus != nil && err == nil {
			_ = bus.Close()
			return port, nil
		}
	}
	return 0, errors.New("no free pair of ports")
}
