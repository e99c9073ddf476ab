//go:build !linux

package rig

import "syscall"

// apart keeps the terminal's interrupts from a process.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
