package playbook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"banyan/modules/kernel/errs"
)

// Bounds of a block.
const (
	maxShown  = 1 << 20 // bytes that are looked at
	maxValue  = 2 << 10 // bytes of an exported value
	maxEnv    = 1 << 20 // bytes
	killGrace = 5 * time.Second
)

// Every block runs in a process group of its own. A watcher in it waits for the end of
// the runner, however it comes, and then ends the group: whoever resumes the run must not
// meet the old block still at work. After the block, its environment goes to the runner.
const (
	before = `{ read -r -u 4 _ || :; kill -KILL -- -$$; } </dev/null >/dev/null 2>&1 3>&- & disown; exec 4<&-; `
	after  = "\nenv -0 >&3\n"
)

// shown is what a block has shown.
type shown struct {
	text    string // both outputs as they came, the first MiB
	exports map[string]string
	err     error // it failed: nil, *exec.ExitError or that of ctx
}

// capture keeps the beginning of an output, its end, and passes it on.
type capture struct {
	mu   sync.Mutex
	kept bytes.Buffer
	last []byte // of what came after kept was full
	to   io.Writer
}

// Write implements io.Writer.
func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	room := min(len(p), maxShown-c.kept.Len())
	c.kept.Write(p[:room])
	if room < len(p) {
		c.last = append(c.last, p[room:]...)
		c.last = c.last[max(0, len(c.last)-MaxOutput):]
	}
	_, _ = c.to.Write(p) // whoever looks on may go away
	return len(p), nil
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.String() + string(c.last)
}

// shell runs a block of commands with bash until it ends or ctx does. errs: those of the
// system, when the block could not be started.
func shell(ctx context.Context, a Action, environ []string, to io.Writer) (shown, error) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		return shown{}, errs.E(errs.PreconditionFailed, "playbooks need bash on the PATH").Because(err)
	}
	envOut, envIn, err := os.Pipe()
	if err != nil {
		return shown{}, errs.E(errs.Unavailable, "no pipe could be made").Because(err)
	}
	defer func() { _ = envOut.Close() }()
	held, hold, err := os.Pipe()
	if err != nil {
		_ = envIn.Close()
		return shown{}, errs.E(errs.Unavailable, "no pipe could be made").Because(err)
	}
	defer func() { _ = hold.Close() }() // ends what the block has left in its group
	out := &capture{to: to}
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	cmd := exec.CommandContext(ctx, bash, "-euo", "pipefail", "-c", before+a.Commands+after) //nolint:gosec // commands are what a page is made of
	cmd.Env, cmd.Stdout, cmd.Stderr = environ, out, out
	cmd.ExtraFiles = []*os.File{envIn, held}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = killGrace
	err = cmd.Start()
	_, _ = envIn.Close(), held.Close()
	if err != nil {
		return shown{}, errs.E(errs.Unavailable, "bash could not be started").Because(err)
	}
	read := make(chan map[string]string, 1)
	go func() { read <- readExports(envOut, a.exports()) }()
	err = cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the watcher, and what ignored SIGTERM
	s := shown{text: out.String(), err: err}
	if ctx.Err() != nil {
		s.err = ctx.Err()
	}
	_ = envOut.SetReadDeadline(time.Now().Add(killGrace)) // a process that left the group may hold it
	s.exports = <-read
	return s, nil
}

// readExports reads an environment and keeps what is named.
func readExports(r io.Reader, names []string) map[string]string {
	text, err := io.ReadAll(io.LimitReader(r, maxEnv))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	kept := map[string]string{}
	for line := range strings.SplitSeq(string(text), "\x00") {
		name, value, ok := strings.Cut(line, "=")
		if ok && slices.Contains(names, name) {
			kept[name] = value
		}
	}
	return kept
}

// judge says what is wrong with what a block has shown, "" if nothing is.
func (a Action) judge(s shown) string {
	var exit *exec.ExitError
	switch {
	case errors.Is(s.err, context.DeadlineExceeded):
		return fmt.Sprintf("it did not end within %s", a.Within)
	case errors.As(s.err, &exit):
		return fmt.Sprintf("its commands ended with exit code %d", exit.ExitCode())
	case s.err != nil:
		return s.err.Error()
	}
	for _, pattern := range a.Abort {
		if found := pattern.FindString(s.text); found != "" {
			return fmt.Sprintf("it shows %q, which ends the run", cut(found, 200))
		}
	}
	for _, pattern := range a.Expect {
		if !pattern.MatchString(s.text) {
			return fmt.Sprintf("it does not show %s", pattern)
		}
	}
	for name, value := range s.exports {
		if len(value) > maxValue {
			return fmt.Sprintf("it exports more than %d bytes in %s", maxValue, name)
		}
	}
	return ""
}
