package main

import (
	"github.com/spf13/cobra"

	"banyan/modules/kernel/errs"
	"banyan/proxy/handover/model"
)

// maxEpochs is what the model's states can tell apart.
const maxEpochs = 4

// newModelCommand makes banyan model.
func newModelCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "model", Short: "Check the protocol by which data changes its owner",
		Args: argument(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	check := &cobra.Command{
		Use: "check", Short: "Visit every state that the handover of a bucket can reach; exit code 4 when one breaks an invariant",
		Args: argument(),
	}
	epochs := check.Flags().Int("epochs", 3, "epochs beyond the first, 1 to 4; with fewer than 3 a mutant is not caught")
	check.RunE = func(cmd *cobra.Command, _ []string) error {
		if *epochs < 1 || *epochs > maxEpochs {
			return errs.E(errs.Invalid, "--epochs: %d is not 1 to %d", *epochs, maxEpochs)
		}
		err := model.Run(cmd.Context(), cmd.OutOrStdout(), *epochs)
		if errs.CodeOf(err) == errs.Internal { // an invariant does not hold, or a mutant lives
			return errs.E(errs.VerdictFailed, "the model found a fault in the protocol").Because(err)
		}
		return err
	}
	c.AddCommand(check)
	return c
}
