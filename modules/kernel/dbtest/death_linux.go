package dbtest

import "syscall"

// dieWithParent asks the kernel to kill the server with the test process, and keeps
// the terminal's interrupts from it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
