// Command banyan is the single binary: every context in one process, with the router in
// front of them that can hand each over to a service extracted from it.
package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banyan/modules/kernel/config"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/service"
)

func main() { service.Main("banyan", run) }

// run executes a command line. Usage errors are errs.Invalid, so that the exit code is
// decided by codes alone.
func run(ctx context.Context, p service.Process) error {
	c := &cli{Process: p, checks: map[*cobra.Command]func(*config.Problems){}}
	root := c.newRoot() //nolint:contextcheck // commands get theirs from ExecuteContext
	root.SetArgs(p.Args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	var ours *errs.Error
	if err != nil && !errors.As(err, &ours) && (!c.started || strings.HasPrefix(err.Error(), "required flag")) {
		return errs.E(errs.Invalid, "%v; see banyan --help", err)
	}
	return err
}

// cli is what the commands share.
type cli struct {
	service.Process
	checks  map[*cobra.Command]func(*config.Problems) // of a command's settings, before it starts
	started bool                                      // the command line was understood
}

func (c *cli) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "banyan",
		Short: "Sell seats on flights, from one binary or from services extracted from it",
		Long: "Banyan sells seats on flights. It starts as one binary and lets go of its parts one by one,\n" +
			"with the traffic and the data moving at your pace.\n\n" +
			"Every setting is also an environment variable: --data-dir is BANYAN_DATA_DIR. Exit codes:\n" +
			"0 ok, 1 failed, 2 usage or configuration, 3 precondition, 4 verdict failed, 5 refused as unsafe.",
		SilenceErrors: true, SilenceUsage: true,
	}
	root.PersistentFlags().StringP(outputFlag, "o", "table", "how results are printed: table, json or yaml")
	root.AddCommand(c.newServeCommand(), c.newProxyCommand(), c.newCheckConfigCommand(), c.newMigrateCommand(), newVersionCommand(), newRoutesCommand(), newAuditCommand(), c.newImportCommand(), newMovesCommand(), newParticipantCommand(), newModelCommand(), c.newPlaybookCommand(), newUsageCommand(), newDiffCommand(), newExportCommand())
	walk(root, func(cmd *cobra.Command) {
		config.Defer(cmd.Flags())
		config.Defer(cmd.PersistentFlags())
	})
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return c.configure(cmd, nil) }
	root.SetFlagErrorFunc(c.configure)
	return root
}

// configure fills the command's flags from the environment and checks them; problem is
// what the command line itself had wrong. Everything wrong is reported together.
func (c *cli) configure(cmd *cobra.Command, problem error) error {
	problems := &config.Problems{}
	if problem != nil {
		problems.Add("%v; see %s --help", problem, cmd.CommandPath())
		cmd.Flags().ParseErrorsAllowlist.UnknownFlags = true // read on, for the others' mistakes
		_ = cmd.Flags().Parse(c.Args)
	}
	var others []string
	walk(cmd.Root(), func(other *cobra.Command) {
		other.LocalFlags().VisitAll(func(f *pflag.Flag) { others = append(others, f.Name) })
	})
	config.Load(cmd.Flags(), c.Environ, others, problems)
	if output := cmd.Flag(outputFlag).Value.String(); !strings.Contains(" table json yaml ", " "+output+" ") {
		problems.Add("--%s %q is not one of table, json, yaml", outputFlag, output)
	}
	if check := c.checks[cmd]; check != nil {
		check(problems)
	}
	c.started = true
	return problems.Err()
}

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, child := range cmd.Commands() {
		walk(child, visit)
	}
}
