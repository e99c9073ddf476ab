package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"banyan/modules/kernel/telemetry"
)

const outputFlag = "output"

// emit prints a result as -o says: v as JSON or YAML, or the rows as a table, whose
// first row is the header.
func emit(cmd *cobra.Command, v any, rows [][]string) error {
	out := cmd.OutOrStdout()
	switch cmd.Flag(outputFlag).Value.String() {
	case "json":
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	case "yaml":
		return emitYAML(cmd, v)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// emitYAML goes by way of JSON, so that both have the same names.
func emitYAML(cmd *cobra.Command, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var plain any
	if err := yaml.Unmarshal(text, &plain); err != nil {
		return err
	}
	e := yaml.NewEncoder(cmd.OutOrStdout())
	e.SetIndent(2)
	if err := e.Encode(plain); err != nil {
		return err
	}
	return e.Close()
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print what this is", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := map[string]string{"service": "banyan", "version": telemetry.Version(), "go": runtime.Version()}
			return emit(cmd, v, [][]string{{"banyan", v["version"], v["go"]}})
		},
	}
}
