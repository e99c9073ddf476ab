// Command mutants breaks the handover's rules one by one in the product's code and runs
// the tests that must notice. It fails if one does not. Run it with make mutants.
//
// The breaches are compiled in by the tag mutants only and chosen by BANYAN_MUTANT; see
// modules/kernel/handover/mutant.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	only := flag.String("only", "", "the one mutant to run")
	flag.Parse()
	if err := run(ctx, os.Stdout, *only); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1) //nolint:forbidigo // a program's end
	}
}

// run builds the tests, sees that all pass without a mutant, and then that each mutant
// makes each of its tests fail.
func run(ctx context.Context, out io.Writer, only string) error {
	dir, err := os.MkdirTemp("", "banyan-mutants-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	list := slices.DeleteFunc(mutants(), func(m mutant) bool { return only != "" && m.name != only })
	if len(list) == 0 {
		return fmt.Errorf("there is no mutant %s", only)
	}
	r := &runner{out: out, dir: dir, built: map[string]string{}}
	if err := r.sound(ctx, list); err != nil {
		return err
	}
	var table []verdict
	for i, m := range list {
		for _, c := range m.checks {
			r.say("%2d/%d  %s: %s %s …", i+1, len(list), m.name, c.pack, c.run)
			v, err := r.try(ctx, m.name, c)
			if err != nil {
				return err
			}
			r.say("%s by %s in %s", v.fate(), v.killer, v.took.Round(10*time.Millisecond))
			table = append(table, v)
		}
	}
	write(out, table)
	if slices.ContainsFunc(table, func(v verdict) bool { return v.killer == "" }) {
		return errors.New("a mutant survived")
	}
	return nil
}

// sound wants all tests to pass under the tag when no rule is broken.
func (r *runner) sound(ctx context.Context, list []mutant) error {
	done := map[[2]string]bool{}
	for _, m := range list {
		for _, c := range m.checks {
			if done[[2]string{c.pack, c.run}] {
				continue
			}
			done[[2]string{c.pack, c.run}] = true
			r.say("without a mutant: %s %s …", c.pack, c.run)
			v, err := r.try(ctx, "", c)
			if err != nil {
				return err
			}
			if v.killer != "" {
				return fmt.Errorf("%s of %s fails without a mutant:\n%s", v.killer, c.pack, v.output)
			}
			r.say("passed in %s", v.took.Round(10*time.Millisecond))
		}
	}
	return nil
}

func (r *runner) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.out, format+"\n", args...)
}

// write prints the table, as docs/proofs/mutants.md has it.
func write(out io.Writer, table []verdict) {
	_, _ = fmt.Fprint(out, "\n| mutant | where | killed by | time |\n|---|---|---|---|\n")
	for _, v := range table {
		killer := v.killer
		if killer == "" {
			killer = "**survived** " + v.check.run
		}
		_, _ = fmt.Fprintf(out, "| %s | %s | %s %s | %.1f s |\n", v.mutant, v.check.where, filepath.Base(v.check.pack), killer, v.took.Seconds())
	}
}
