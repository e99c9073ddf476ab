package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/proxy"
	"banyan/proxy/admin"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// newRoutesCommand makes banyan routes: it looks at and shifts the routes of a running
// banyan by its admin API.
func newRoutesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "routes",
		Short: "Look at routes and shift them between backends",
		Args:  argument(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	connect := adminFlags(c.PersistentFlags())
	c.AddCommand(newRoutesList(connect), newRoutesGet(connect), newSetWeight(connect))
	c.AddCommand(newAction(connect, proxy.Flip, "Give all traffic to the route's other backend, or back when it has it all"))
	c.AddCommand(newAction(connect, proxy.Rollback, "Give all traffic back to the monolith"))
	c.AddCommand(newAction(connect, proxy.Pause, "Begin no more moves of a route's data; those under way end"))
	c.AddCommand(newAction(connect, proxy.Resume, "Go on moving a route's data"))
	c.AddCommand(newPin(connect), newUnpin(connect), newRescue(connect), newPromote(connect))
	return c
}

// argument wants exactly the arguments named.
func argument(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		want := "no arguments"
		if len(names) > 0 {
			want = strings.Join(names, " ")
		}
		return errs.E(errs.Invalid, "%s takes %s; see %s --help", cmd.CommandPath(), want, cmd.CommandPath())
	}
}

func newRoutesList(connect connector) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the routes with their weights and their backends' health", Args: argument(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			var list admin.RouteList
			if err := c.do(cmd.Context(), rest.Call{Method: http.MethodGet, Path: "/admin/v1/routes", Out: &list}); err != nil {
				return err
			}
			return emit(cmd, list, tableOfRoutes(list))
		},
	}
}

func tableOfRoutes(list admin.RouteList) [][]string {
	rows := [][]string{{"ROUTE", "WEIGHTS", "FROM", "BACKENDS", "VERSION"}}
	for _, r := range list.Routes {
		from := "file"
		if r.Weights.Runtime != nil {
			from = "run time"
		}
		rows = append(rows, []string{r.ID, shares(r.Weights.Effective) + onItsWay(r.MovesView), from, healths(r.Backends), r.Version})
	}
	rows = append(rows, []string{"(all others)", routes.Monolith + " 100%"})
	if list.Config.File == "" {
		rows = append(rows, []string{"\nno routes file: everything goes to the monolith"})
	}
	if !list.Config.Valid {
		rows = append(rows, []string{"\nTHE ROUTES FILE ON DISK IS REFUSED; the one before it is in force:"})
	}
	for _, line := range slices.Concat(list.Config.Problems, list.Config.Warnings) {
		rows = append(rows, []string{"  " + line})
	}
	return rows
}

// shares writes weights, the home first, then by name.
func shares(m weights.Weights) string {
	names := make([]string, 0, len(m))
	for name := range m {
		if name != routes.Monolith {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []string
	for _, name := range append([]string{routes.Monolith}, names...) {
		out = append(out, name+" "+m[name].String())
	}
	return strings.Join(out, ", ")
}

func healths(list []proxy.BackendView) string {
	var out []string
	for _, b := range list {
		out = append(out, b.Name+" "+b.Health+inUse(b.Instances))
	}
	return strings.Join(out, ", ")
}

func newRoutesGet(connect connector) *cobra.Command {
	return &cobra.Command{
		Use: "get ROUTE", Short: "Show one route: the file's weights, those set at run time, and which are in force", Args: argument("ROUTE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			r, err := c.route(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return emit(cmd, r, tableOfRoute(r))
		},
	}
}

func tableOfRoute(r admin.Route) [][]string {
	rows := [][]string{
		{"route", r.ID},
		{"version", r.Version},
		{"methods", strings.Join(r.Methods, " ") + anyIf(len(r.Methods) == 0)},
		{"paths", strings.Join(r.Paths, " ")},
		{"hash on", strings.Join(r.HashOn, ", ")},
		{"weights in force", shares(r.Weights.Effective)},
		{"weights of the file", shares(r.Weights.File)},
	}
	if rt := r.Runtime; rt != nil {
		state := "in force"
		if !rt.InForce {
			state = "no longer in force: the file's version of the route changed"
		}
		rows = append(rows,
			[]string{"set at run time", shares(rt.Weights) + " (" + state + ")"},
			[]string{"", fmt.Sprintf("by %s at %s: %s", rt.Actor, rt.ChangedAt.Format(time.RFC3339), rt.Reason)})
	}
	if r.MovesView != nil {
		rows = append(rows, tableOfMoving(r.MovesView)...)
	}
	rows = append(rows, tableOfPromotion(r.Promotion)...)
	for _, b := range r.Backends {
		rows = append(rows, []string{"backend " + b.Name, fmt.Sprintf("%s, %s, store %s", b.Kind, b.Health, orNone(b.Store))})
		rows = append(rows, tableOfInstances(b.Instances)...)
	}
	return rows
}

func anyIf(b bool) string {
	if b {
		return "any"
	}
	return ""
}

func orNone(s string) string {
	if s == "" {
		return "not declared"
	}
	return s
}
