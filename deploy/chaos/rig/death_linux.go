package rig

import "syscall"

// apart keeps the terminal's interrupts from a process, and has the kernel kill it when
// its parent dies.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
