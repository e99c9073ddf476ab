// Package rig runs the programs of this tree and the servers they need as processes of
// their own, in a folder of their own, on the loopback: so that they can be killed,
// stopped and started again on the same data.
package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	startWithin = 90 * time.Second // of a process, from its first start to its first answer
	stopWithin  = 20 * time.Second // between asking for an end and insisting
	askEvery    = 30 * time.Millisecond
	logTail     = 1500 // bytes
	firstTries  = 3    // of a program that has never answered
)

// Process is a program that is started again after it was killed. Its methods may be
// called by several goroutines; two of them should not start it at once.
type Process struct {
	Name    string
	log     string
	command []string
	ready   func(context.Context) error // nil as soon as it answers

	mu       sync.Mutex
	process  *os.Process
	gone     chan struct{} // closed when the process has ended
	answered bool          // once at least; for Start alone
}

func newProcess(dir, name string, ready func(context.Context) error, command ...string) *Process {
	return &Process{Name: name, log: filepath.Join(dir, name+".log"), command: command, ready: ready}
}

// Start runs the program and waits until it answers. One that ends before is started
// again: what it needs may not be there yet.
func (p *Process) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	var last error
	for spawned := 0; ; {
		if !p.Running() {
			if spawned++; spawned > firstTries && !p.answered {
				return fmt.Errorf("%s ends at once; its log ends with\n%s", p.Name, p.LogTail())
			}
			if err := p.spawn(); err != nil {
				return err
			}
		}
		if last = p.ready(ctx); last == nil {
			p.answered = true
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w; its log ends with\n%s", p.Name, last, p.LogTail())
		case <-time.After(askEvery):
		}
	}
}

// spawn starts the process from a thread that lives as long as it does: the kernel's
// parent-death signal is tied to the thread.
func (p *Process) spawn() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(p.command[0], p.command[1:]...) //nolint:noctx // Close ends it, and the kernel does if we die
	cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = apart()
	gone, started := make(chan struct{}), make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(gone)
	}()
	if err := <-started; err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.process, p.gone = cmd.Process, gone
	return nil
}

// Running tells whether the process has not ended; one that is stopped runs.
func (p *Process) Running() bool {
	_, gone := p.current()
	if gone == nil {
		return false
	}
	select {
	case <-gone:
		return false
	default:
		return true
	}
}

func (p *Process) current() (*os.Process, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process, p.gone
}

// Kill ends the process as a power cut would; it is gone on return.
func (p *Process) Kill() {
	if process, gone := p.current(); process != nil {
		_ = process.Kill()
		<-gone
	}
}

// Freeze stops the process in the middle of whatever it does; Thaw lets it go on.
func (p *Process) Freeze() { p.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (p *Process) Thaw() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) {
	if process, _ := p.current(); process != nil && p.Running() {
		_ = process.Signal(s)
	}
}

// Close asks for an end, and insists after a while.
func (p *Process) Close() {
	process, gone := p.current()
	if process == nil {
		return
	}
	p.Thaw()
	p.signal(syscall.SIGTERM)
	select {
	case <-gone:
	case <-time.After(stopWithin):
		p.Kill()
	}
}

// LogTail is the end of what the program wrote.
func (p *Process) LogTail() string {
	text, _ := os.ReadFile(p.log)
	return string(text[max(0, len(text)-logTail):])
}
