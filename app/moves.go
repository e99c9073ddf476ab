package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/proxy"
	"banyan/proxy/admin"
	"banyan/proxy/handover"
)

// newMovesCommand makes banyan moves: it looks at the moves of data between backends.
func newMovesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "moves", Short: "Look at the moves of stateful routes' data, give one up, compare both sides",
		Args: argument(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	connect := adminFlags(c.PersistentFlags())
	c.AddCommand(newMovesList(connect), newMovesWatch(connect), newMovesAbort(connect), newMovesVerify(connect))
	return c
}

func newMovesList(connect connector) *cobra.Command {
	var route, before string
	var limit int
	c := &cobra.Command{Use: "list", Short: "List moves, newest first", Args: argument()}
	c.Flags().StringVar(&route, "route", "", "of this route only")
	c.Flags().StringVar(&before, "before", "", "go on where a page ended: a move's id")
	c.Flags().IntVar(&limit, "limit", 50, "moves, 200 at most")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		query, err := pageQuery(limit, map[string]string{"route": route, "before": before})
		if err != nil {
			return err
		}
		api, err := connect()
		if err != nil {
			return err
		}
		var page admin.MovePage
		if err := api.do(cmd.Context(), rest.Call{Method: http.MethodGet, Path: "/admin/v1/moves", Query: query, Out: &page}); err != nil {
			return err
		}
		return emit(cmd, page, tableOfMoves(page))
	}
	return c
}

func tableOfMoves(page admin.MovePage) [][]string {
	rows := [][]string{{"MOVE", "STARTED", "FROM", "TO", "BUCKETS", "RECORDS", "STATE", "PAUSE", "WHY", "ERROR"}}
	for _, m := range page.Moves {
		state := m.Phase
		if m.Outcome != "" {
			state = string(m.Outcome)
		}
		rows = append(rows, []string{
			m.ID, m.StartedAt.Format(time.RFC3339), m.Source, m.Target, strconv.Itoa(m.Buckets), strconv.FormatInt(m.Records, 10),
			state, fmt.Sprintf("%.0f ms", m.Pause), oneLine(m.Reason), oneLine(m.Error),
		})
	}
	if page.NextBefore != "" {
		rows = append(rows, []string{"\nmore with --before " + page.NextBefore})
	}
	return rows
}

func newMovesWatch(connect connector) *cobra.Command {
	return &cobra.Command{
		Use: "watch ROUTE", Short: "Show how a route's data moves, until it is where it should be", Args: argument("ROUTE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := connect()
			if err != nil {
				return err
			}
			v, err := api.follow(cmd, args[0], nil)
			if err != nil {
				return err
			}
			return emit(cmd, v, tableOfMoving(v.MovesView))
		},
	}
}

func newMovesAbort(connect connector) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "abort MOVE", Short: "Give up a move that is not committed yet; its buckets stay where they were", Args: argument("MOVE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := needReason(reason); err != nil {
				return err
			}
			api, err := connect()
			if err != nil {
				return err
			}
			path, err := movePath(args[0])
			if err != nil {
				return err
			}
			var m proxy.MoveView
			if err := api.do(cmd.Context(), rest.Call{Method: http.MethodPost, Path: path + ":abort", In: admin.Reason{Reason: reason}, Out: &m}); err != nil {
				return err
			}
			return emit(cmd, m, tableOfMoves(admin.MovePage{Moves: []proxy.MoveView{m}}))
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why; kept in the audit log")
	return c
}

func movePath(id string) (string, error) {
	if _, _, err := proxy.ParseMove(id); err != nil {
		return "", err
	}
	segment, ok := rest.Segment(id)
	if !ok || strings.Contains(id, ":") {
		return "", errs.E(errs.Invalid, "%q is no move; see banyan moves list", id)
	}
	return "/admin/v1/moves/" + segment, nil
}

func newMovesVerify(connect connector) *cobra.Command {
	var route string
	c := &cobra.Command{
		Use: "verify MOVE | --route ROUTE", Short: "Compare the records of both sides, and their fences with the journal; exit code 4 when they differ",
		RunE: func(cmd *cobra.Command, args []string) error {
			var path string
			var err error
			switch {
			case route != "" && len(args) == 0:
				path, err = routePath(route)
			case route == "" && len(args) == 1:
				path, err = movePath(args[0])
			default:
				err = errs.E(errs.Invalid, "name a move, or a whole route with --route; see banyan moves list")
			}
			if err != nil {
				return err
			}
			api, err := connect()
			if err != nil {
				return err
			}
			var v proxy.VerifyView
			if err := api.within(cmd.Context(), longCall, rest.Call{Method: http.MethodPost, Path: path + ":verify", Out: &v}); err != nil {
				return err
			}
			if err := emit(cmd, v, tableOfVerify(v)); err != nil || v.OK {
				return err
			}
			return errs.E(errs.VerdictFailed, "%d buckets of route %s differ, and the audit found: %s", len(v.Differences), v.Route, violations(v.Audit))
		},
	}
	c.Flags().StringVar(&route, "route", "", "all that both sides of this route have")
	return c
}

func tableOfVerify(v proxy.VerifyView) [][]string {
	what := "route " + v.Route
	if v.Move != "" {
		what = "move " + v.Move
	}
	rows := [][]string{
		{what, fmt.Sprintf("%d buckets compared, %d differ, %d are on one side only", v.Compared, len(v.Differences), v.Skipped)},
		{"audit", fmt.Sprintf("%d buckets checked, violations: %s", v.Audit.Checked, violations(v.Audit))},
	}
	for _, d := range v.Differences {
		rows = append(rows,
			[]string{fmt.Sprintf("bucket %d", d.Bucket), fmt.Sprintf("owned by %s since move %d", d.Owner, d.Move)},
			[]string{"  home", fmt.Sprintf("%d records %s", d.Home.Records, d.Home.SHA256)},
			[]string{"  away", fmt.Sprintf("%d records %s", d.Away.Records, d.Away.SHA256)})
	}
	for _, f := range v.Audit.Findings {
		rows = append(rows, []string{
			fmt.Sprintf("bucket %d", f.Bucket),
			fmt.Sprintf("%s: %s should own it in epoch %d; home has %q in %d, away %q in %d", f.Violation, f.Owner, f.Epoch, f.Home.Mode, f.Home.Epoch, f.Away.Mode, f.Away.Epoch),
		})
	}
	return rows
}

// violations counts what an audit found, by kind.
func violations(r handover.AuditReport) string {
	var out []string
	for _, v := range []handover.Violation{handover.Both, handover.Behind, handover.Ahead, handover.Nobody, handover.Unknown} {
		if n := r.Counts[v]; n > 0 {
			out = append(out, fmt.Sprintf("%s %d", v, n))
		}
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}
