package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"banyan/modules/kernel/config"
	"banyan/modules/kernel/errs"
)

// Process is what a program gets from its surroundings, so that a test can give it its
// own.
type Process struct {
	Args    []string // without the program's name
	Environ []string
	Stdout  io.Writer
	Stderr  io.Writer
}

// Main runs a program in this process and ends it with the exit code of its error.
// SIGTERM and SIGINT end the context; a second one ends the process at once.
func Main(name string, run func(context.Context, Process) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop)
	os.Exit(Run(ctx, name, Process{os.Args[1:], os.Environ(), os.Stdout, os.Stderr}, run))
}

// Run is Main without the process around it.
func Run(ctx context.Context, name string, p Process, run func(context.Context, Process) error) int {
	err := run(ctx, p)
	if err != nil {
		_, _ = fmt.Fprintf(p.Stderr, "%s: %s\n", name, Explain(err))
	}
	return config.ExitCode(err)
}

// Explain is an error as a person at a terminal reads it: the sentence, then its cause.
func Explain(err error) string {
	var e *errs.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if cause := errors.Unwrap(e); cause != nil {
		return e.Message + "\n  cause: " + cause.Error()
	}
	return e.Message
}
