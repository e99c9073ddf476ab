package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/proxy/admin"
	"banyan/proxy/shadow"
)

// newDiffCommand makes banyan diff: what the copies of shadowed routes found.
func newDiffCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "diff", Short: "See where the answers of a shadowed route's new side differ", Args: argument(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	connect := adminFlags(c.PersistentFlags())
	c.AddCommand(newDiffTop(connect), newDiffReset(connect))
	return c
}

func newDiffTop(connect connector) *cobra.Command {
	var route string
	var limit int
	c := &cobra.Command{
		Use: "top", Short: "Rank the fields that differ, by how much more new differs from old than old from itself", Args: argument(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := connect()
			if err != nil {
				return err
			}
			query := url.Values{"limit": {strconv.Itoa(limit)}}
			if route != "" {
				query.Set("route", route)
			}
			var list admin.DiffList
			if err := api.do(cmd.Context(), rest.Call{Method: http.MethodGet, Path: "/admin/v1/diffs", Query: query, Out: &list}); err != nil {
				return err
			}
			return emit(cmd, list, tableOfDiffs(list))
		},
	}
	c.Flags().StringVar(&route, "route", "", "of this route only")
	c.Flags().IntVar(&limit, "limit", 20, "fields of a route that are listed, 1000 at most")
	return c
}

func newDiffReset(connect connector) *cobra.Command {
	return &cobra.Command{
		Use: "reset ROUTE", Short: "Forget what was found on a route, such as after a mistake was mended", Args: argument("ROUTE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			segment, ok := rest.Segment(args[0])
			if !ok || strings.Contains(args[0], ":") {
				return errs.E(errs.Invalid, "%q is no route's id; see banyan routes list", args[0])
			}
			api, err := connect()
			if err != nil {
				return err
			}
			var list admin.DiffList
			call := rest.Call{Method: http.MethodPost, Path: "/admin/v1/diffs/" + segment + ":reset", Out: &list}
			if err := api.do(cmd.Context(), call); err != nil {
				return err
			}
			return emit(cmd, list, tableOfDiffs(list))
		},
	}
}

func tableOfDiffs(list admin.DiffList) [][]string {
	if len(list.Routes) == 0 {
		return [][]string{{"no route is shadowed: give one a shadow in routes.yaml"}}
	}
	var rows [][]string
	for i, r := range list.Routes {
		if i > 0 {
			rows = append(rows, []string{})
		}
		rows = append(rows, []string{fmt.Sprintf("route %s: %s copied to %s since %s; copies: %s", r.Route, r.Percent, r.Backend, r.Since.Format(time.RFC3339), outcomes(r.Outcomes))},
			[]string{fmt.Sprintf("old and new: %d of %d differ; old and old: %d of %d", r.Raw.Differed, r.Raw.Compared, r.Noise.Differed, r.Noise.Compared)})
		if len(r.Fields) == 0 {
			continue
		}
		rows = append(rows, []string{"FIELD", "EXCESS", "RAW", "NOISE", "OLD → NEW"})
		for _, f := range r.Fields {
			rows = append(rows, fieldRows(f, r)...)
		}
		if r.Unlisted > 0 {
			rows = append(rows, []string{fmt.Sprintf("%d differences of other fields are not listed: there are too many", r.Unlisted)})
		}
	}
	return rows
}

func fieldRows(f shadow.Field, r shadow.Report) [][]string {
	row := []string{
		f.Path, percentage(f.Excess), fmt.Sprintf("%s (%d)", percentage(f.RawRate), f.Raw), fmt.Sprintf("%s (%d)", percentage(f.NoiseRate), f.Noise),
	}
	if r.Noise.Compared == 0 {
		row[3] = "unknown"
	}
	if len(f.Samples) == 0 {
		return [][]string{row}
	}
	rows := [][]string{append(row, f.Samples[0].Old+" → "+f.Samples[0].New)}
	for _, s := range f.Samples[1:] {
		rows = append(rows, []string{"", "", "", "", s.Old + " → " + s.New})
	}
	return rows
}

// outcomes writes counts by name, the greatest first.
func outcomes(m map[string]int64) string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return int(m[b] - m[a]) })
	var out []string
	for _, name := range names {
		out = append(out, fmt.Sprintf("%s %d", strings.ReplaceAll(name, "_", " "), m[name]))
	}
	if len(out) == 0 {
		return "none yet"
	}
	return strings.Join(out, ", ")
}
