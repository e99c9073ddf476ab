package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"banyan/modules/kernel/errs"
)

// lockFile in the data directory names the process that uses it.
const lockFile = "LOCK"

// lockDir makes the directory if need be and takes it for this process alone; closing
// the file gives it back, and so does the process's end, however it ends. errs:
// PreconditionFailed when another process has it.
func lockDir(dir, command string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, errs.E(errs.PreconditionFailed, "the data directory %s cannot be made", dir).Because(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errs.E(errs.PreconditionFailed, "the data directory %s cannot be used", dir).Because(err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 256))
		_ = f.Close()
		return nil, errs.E(errs.PreconditionFailed, "the data directory %s is in use by %s; stop it first, or choose another --data-dir", dir, describe(holder))
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintf(f, "process %d (%s)\n", os.Getpid(), command)
	}
	if err != nil {
		_ = f.Close()
		return nil, errs.E(errs.PreconditionFailed, "the data directory %s cannot be locked", dir).Because(err)
	}
	return f, nil
}

func describe(holder []byte) string {
	if text := strings.TrimSpace(string(holder)); text != "" {
		return text
	}
	return "another process"
}
