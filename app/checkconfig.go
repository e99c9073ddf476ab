package main

import (
	"strconv"

	"github.com/spf13/cobra"
)

// checked is what check-config and proxy --check say of good settings; of bad ones they
// say what serve and proxy would.
type checked struct {
	Valid    bool     `json:"valid"`
	Data     string   `json:"data"`
	Routes   int      `json:"routes"`
	Backends int      `json:"backends"`
	Warnings []string `json:"warnings"`
}

func (c checked) table(file string) [][]string {
	rows := [][]string{{"the configuration is good"}, {"data in", c.Data}}
	if file != "" {
		rows = append(rows, []string{file, strconv.Itoa(c.Routes) + " routes, " + strconv.Itoa(c.Backends) + " backends"})
	}
	for _, w := range c.Warnings {
		rows = append(rows, []string{"note", w})
	}
	return rows
}

func (c *cli) newCheckConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check-config", Short: "Judge the settings of serve, and routes.yaml, without starting anything (of proxy: banyan proxy --check)",
		Args: cobra.NoArgs,
	}
	s := addServeFlags(cmd.Flags())
	c.checks[cmd] = s.check
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		result := found(s)
		return emit(cmd, result, result.table(*s.routesFile))
	}
	return cmd
}

// found tells of settings that have been checked.
func found(s *serveSettings) checked {
	result := checked{Valid: true, Data: s.data.where(), Warnings: []string{}}
	if s.routes != nil {
		result.Routes, result.Backends = len(s.routes.Routes), len(s.routes.Backends)
		result.Warnings = append(result.Warnings, s.routes.Warnings...)
	}
	return result
}
