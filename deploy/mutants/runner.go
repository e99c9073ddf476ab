package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// patience bounds one run of a test binary.
const patience = 3 * time.Minute

// runner runs tests that were built with the tag mutants.
type runner struct {
	out   io.Writer
	dir   string
	built map[string]string // test binaries by package
}

// verdict is what one check said of one mutant.
type verdict struct {
	mutant string
	check  check
	killer string // the test that failed first; "" if none did
	took   time.Duration
	output string
}

func (v verdict) fate() string {
	if v.killer == "" {
		return "NOT killed"
	}
	return "killed"
}

// binary builds the tests of a package, once.
func (r *runner) binary(ctx context.Context, pack string) (string, error) {
	if path, ok := r.built[pack]; ok {
		return path, nil
	}
	r.say("building the tests of %s …", pack)
	path := filepath.Join(r.dir, strings.ReplaceAll(pack, "/", "-")+".test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-tags", "mutants", "-o", path, "./"+pack) //nolint:gosec // from the list
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", pack, err, out)
	}
	r.built[pack] = path
	return path, nil
}

// try runs a check under a mutant, "" for none. The error is one of running: a binary
// that neither passed nor named a test that failed.
func (r *runner) try(ctx context.Context, mutant string, c check) (verdict, error) {
	v := verdict{mutant: mutant, check: c}
	path, err := r.binary(ctx, c.pack)
	if err != nil {
		return v, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	var out bytes.Buffer
	// Started anew each time: go test would remember the answer of another mutant.
	cmd := exec.CommandContext(ctx, path, "-test.run", c.run, "-test.v", "-test.failfast", "-test.timeout", (patience - 10*time.Second).String()) //nolint:gosec // built above
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.pack, &out, &out
	cmd.Env = append(os.Environ(), "BANYAN_MUTANT="+mutant, "CI=1") // a test that is skipped proves nothing
	err = cmd.Run()
	v.took, v.output = time.Since(began), out.String()
	failed := (*exec.ExitError)(nil)
	switch {
	case err == nil && !strings.Contains(v.output, "--- PASS: "):
		return v, fmt.Errorf("%s has no test %s", c.pack, c.run)
	case err == nil:
		return v, nil
	case !errors.As(err, &failed):
		return v, err
	}
	if v.killer = first(v.output); v.killer == "" {
		return v, fmt.Errorf("%s under %q: %w\n%s", c.pack, mutant, err, v.output)
	}
	return v, nil
}

// first gives the innermost test that failed first.
func first(output string) string {
	name := ""
	for _, m := range regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`).FindAllStringSubmatch(output, -1) {
		if name != "" && !strings.HasPrefix(m[1], name+"/") {
			break
		}
		name = m[1]
	}
	return name
}
