//go:build unix && !linux

package dbtest

import "syscall"

// dieWithParent keeps the terminal's interrupts from the server; the guard ends it.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
