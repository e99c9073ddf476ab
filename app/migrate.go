package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/config"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// migrated is a line of what migrate prints.
type migrated struct {
	Context string            `json:"context"`
	Applied *int              `json:"applied,omitempty"`
	Undone  *string           `json:"undone,omitempty"`
	Files   []sqldb.Migration `json:"migrations,omitempty"`
}

func (c *cli) newMigrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the schema of each context up or down, or show where it is",
		Args: cobra.NoArgs,
	}
	actions := []struct {
		name, short string
		act         func(context.Context, *sqldb.Migrator, *migrated) error
	}{
		{"up", "Apply what is missing; several processes may do it at once", up},
		{"down", "Take back the last migration, with the data it brought", down},
		{"status", "List the migrations and whether they are applied", status},
	}
	for _, a := range actions {
		sub := &cobra.Command{Use: a.name, Short: a.short, Args: cobra.NoArgs}
		settings := addDataFlags(sub.Flags())
		only := sub.Flags().String("context", "", "only this context: "+strings.Join(contextNames(), ", "))
		c.checks[sub] = func(p *config.Problems) {
			settings.check(p)
			if *only != "" && !slices.Contains(contextNames(), *only) {
				p.Add("--context %q is not one of %s", *only, strings.Join(contextNames(), ", "))
			}
		}
		sub.RunE = func(cmd *cobra.Command, _ []string) error {
			return migrate(cmd, settings, *only, a.act)
		}
		cmd.AddCommand(sub)
	}
	return cmd
}

func migrate(cmd *cobra.Command, s *dataSettings, only string, act func(context.Context, *sqldb.Migrator, *migrated) error) (err error) {
	d, err := openData(cmd.Context(), s, cmd.CommandPath())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	var done []migrated
	for _, name := range contextNames() {
		if only != "" && only != name {
			continue
		}
		m, err := sqldb.NewMigrator(*d.at(name), migrationsOf(name))
		if err != nil {
			return err
		}
		line := migrated{Context: name}
		if err := act(cmd.Context(), m, &line); err != nil {
			return errs.E(errs.Unavailable, "the schema of %s could not be migrated", name).Because(err)
		}
		done = append(done, line)
	}
	return emit(cmd, done, migratedTable(done))
}

func up(ctx context.Context, m *sqldb.Migrator, line *migrated) error {
	n, err := m.Up(ctx)
	line.Applied = &n
	return err
}

func down(ctx context.Context, m *sqldb.Migrator, line *migrated) error {
	name, err := m.Down(ctx)
	line.Undone = &name
	return err
}

func status(ctx context.Context, m *sqldb.Migrator, line *migrated) error {
	files, err := m.Status(ctx)
	line.Files = files
	return err
}

func migratedTable(done []migrated) [][]string {
	rows := [][]string{{"CONTEXT", "RESULT"}}
	for _, line := range done {
		switch {
		case line.Applied != nil:
			rows = append(rows, []string{line.Context, strconv.Itoa(*line.Applied) + " applied"})
		case line.Undone != nil && *line.Undone == "":
			rows = append(rows, []string{line.Context, "nothing to take back"})
		case line.Undone != nil:
			rows = append(rows, []string{line.Context, *line.Undone + " taken back"})
		}
		for _, f := range line.Files {
			state := "missing"
			if f.Applied {
				state = "applied"
			}
			rows = append(rows, []string{line.Context, f.Name + " " + state})
		}
	}
	return rows
}
