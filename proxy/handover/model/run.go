package model

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"banyan/modules/kernel/errs"
)

// Run checks the protocol with 1, 2 … epochs, hunts every mutant, and prints a table of
// each, and the traces by which the mutants were caught. It gives errs.Internal if the
// protocol breaks an invariant or a mutant does not, and the errors of Check.
func Run(ctx context.Context, w io.Writer, epochs int) error {
	clean, err := runClean(ctx, w, epochs)
	if err != nil {
		return err
	}
	survivors, err := runMutants(ctx, w, epochs)
	if err != nil {
		return err
	}
	if !clean {
		return errs.E(errs.Internal, "the protocol breaks an invariant")
	}
	if len(survivors) > 0 {
		return errs.E(errs.Internal, "nothing catches the mutants: %s", strings.Join(survivors, ", "))
	}
	return nil
}

// coordinators says what Options.Hasty means.
func coordinators(hasty bool) string {
	if hasty {
		return "hasty"
	}
	return "careful"
}

func verdict(broken string) string {
	if broken == "" {
		return "all hold"
	}
	return broken + " BROKEN"
}

func runClean(ctx context.Context, w io.Writer, epochs int) (bool, error) {
	clean := true
	var traces strings.Builder
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "epochs\tcoordinators\tstates\ttransitions\tdepth\ttime\tinvariants")
	for n := 1; n <= epochs; n++ {
		for _, hasty := range []bool{false, true} {
			began := time.Now()
			r, err := Check(ctx, Options{Epochs: n, Hasty: hasty})
			if err != nil {
				return false, err
			}
			fmt.Fprintf(t, "%d\t%s\t%d\t%d\t%d\t%s\t%s\n", n, coordinators(hasty), r.States, r.Transitions, r.Depth,
				time.Since(began).Round(time.Millisecond), verdict(r.Broken))
			if r.Broken != "" {
				clean = false
				printTrace(&traces, fmt.Sprintf("%d epochs, %s", n, coordinators(hasty)), r)
			}
		}
	}
	if err := t.Flush(); err != nil {
		return false, errs.E(errs.Internal, "the table could not be written").Because(err)
	}
	_, err := io.WriteString(w, traces.String())
	return clean, err
}

func runMutants(ctx context.Context, w io.Writer, epochs int) (survivors []string, err error) {
	var traces strings.Builder
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nmutant\tcareful\tsteps\tepochs\thasty\tsteps\tepochs")
	for _, m := range Mutants() {
		fmt.Fprint(t, m)
		for _, hasty := range []bool{false, true} {
			r, n, err := Hunt(ctx, Options{Epochs: epochs, Mutant: m, Hasty: hasty})
			if err != nil {
				return nil, err
			}
			if r.Broken == "" {
				survivors = append(survivors, fmt.Sprintf("%s (%s)", m, coordinators(hasty)))
				r.Broken = "SURVIVES"
			}
			fmt.Fprintf(t, "\t%s\t%d\t%d", r.Broken, len(r.Trace), n)
			if !hasty {
				printTrace(&traces, m.String(), r)
			}
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return nil, errs.E(errs.Internal, "the table could not be written").Because(err)
	}
	_, err = io.WriteString(w, traces.String())
	return survivors, err
}

func printTrace(w io.Writer, title string, r Result) {
	fmt.Fprintf(w, "\n%s: %s\n", title, r.Broken)
	for _, line := range r.Trace {
		fmt.Fprintln(w, line)
	}
	if r.Broken == Stuck {
		fmt.Fprintln(w, "    From here no order that anybody can still give leads to a settled state.")
	}
}
