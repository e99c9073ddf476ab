package main

import (
	"context"
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
	"banyan/proxy/canary"
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
		rows = append(rows, []string{r.ID, shares(r.Weights.Effective), from, healths(r.Backends), r.Version})
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
		out = append(out, b.Name+" "+b.Health)
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
	for _, b := range r.Backends {
		rows = append(rows, []string{"backend " + b.Name, fmt.Sprintf("%s, %s, store %s", b.Kind, b.Health, orNone(b.Store))})
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

// changeFlags are those of every change.
type changeFlags struct {
	reason, ifVersion string
	dryRun, wait      bool
}

func (f *changeFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.reason, "reason", "", "why; kept in the audit log")
	c.Flags().StringVar(&f.ifVersion, "if-version", "", "refuse unless the route is still at this version (see routes get)")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "only tell what would move")
	c.Flags().BoolVar(&f.wait, "wait", false, "wait, with a progress bar, until the new weights are in force")
}

func newSetWeight(connect connector) *cobra.Command {
	var f changeFlags
	var backend string
	c := &cobra.Command{
		Use: "set-weight ROUTE PERCENT", Short: "Set a backend's share of a route, such as 5%", Args: argument("ROUTE", "PERCENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			share, err := canary.ParseWeight(args[1])
			if err != nil {
				return errs.E(errs.Invalid, "%v", err)
			}
			api, err := connect()
			if err != nil {
				return err
			}
			r, err := api.route(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			name, err := backendFor(r, backend)
			if err != nil {
				return err
			}
			body := admin.Change{Reason: f.reason, Weights: weights.Weights{name: share}}
			return api.change(cmd, rest.Call{Method: http.MethodPatch, In: body}, r, "", f)
		},
	}
	f.add(c)
	c.Flags().StringVar(&backend, "backend", "", "whose share; needed when the route has several beside the monolith")
	return c
}

// backendFor gives the backend that a share is for.
func backendFor(r admin.Route, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	var others []string
	for _, b := range r.Backends {
		if b.Name != r.Home {
			others = append(others, b.Name)
		}
	}
	switch len(others) {
	case 0:
		return "", errs.E(errs.Invalid, "route %s has no backend beside %s; add one in routes.yaml", r.ID, r.Home)
	case 1:
		return others[0], nil
	}
	return "", errs.E(errs.Invalid, "route %s has several backends; name one with --backend: %s", r.ID, strings.Join(others, ", "))
}

func newAction(connect connector, action proxy.Action, short string) *cobra.Command {
	var f changeFlags
	var backend string
	c := &cobra.Command{
		Use: string(action) + " ROUTE", Short: short, Args: argument("ROUTE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := connect()
			if err != nil {
				return err
			}
			r, err := api.route(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			body := admin.Change{Reason: f.reason, Backend: backend}
			return api.change(cmd, rest.Call{Method: http.MethodPost, In: body}, r, ":"+string(action), f)
		},
	}
	f.add(c)
	if action == proxy.Flip {
		c.Flags().StringVar(&backend, "backend", "", "where to; needed when the route has several beside the monolith")
	}
	return c
}

// change sends a change of a route that was just looked at, so that nobody else's is
// overwritten unseen, and tells what it did.
func (c *adminClient) change(cmd *cobra.Command, call rest.Call, seen admin.Route, action string, f changeFlags) error {
	if f.reason == "" && !f.dryRun {
		return errs.E(errs.Invalid, "say why with --reason; it is kept in the audit log")
	}
	version := f.ifVersion
	if version == "" {
		version = seen.Version
	}
	var after admin.Route
	path, err := routePath(seen.ID)
	if err != nil {
		return err
	}
	call.Path, call.Out = path+action, &after
	call.Header = map[string]string{"If-Match": rest.Tag(version)}
	if f.dryRun {
		call.Query = map[string][]string{"dryRun": {"true"}}
	}
	if err := c.do(cmd.Context(), call); err != nil {
		return err
	}
	if after.Change == nil {
		return errs.E(errs.BadGateway, "the admin API did not tell what it changed")
	}
	if f.wait && !f.dryRun {
		if after.View, err = c.await(cmd, seen.ID, after.Change.To); err != nil {
			return err
		}
	}
	return emit(cmd, after, tellChange(*after.Change))
}

func tellChange(o proxy.Outcome) [][]string {
	verb := "moved"
	if o.DryRun {
		verb = "would move"
	}
	return [][]string{
		{fmt.Sprintf("route %s: %s of its callers %s", o.Route, o.Moves, verb)},
		{"from", shares(o.From)},
		{"to", shares(o.To)},
	}
}

// waitLimit bounds --wait.
const waitLimit = time.Minute

// await looks until the weights are in force.
func (c *adminClient) await(cmd *cobra.Command, id string, want weights.Weights) (proxy.View, error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), waitLimit)
	defer cancel()
	bar := progress(cmd.ErrOrStderr(), "in force", len(want))
	defer func() { _ = bar.Exit() }()
	for {
		r, err := c.route(ctx, id)
		if err != nil {
			return proxy.View{}, err
		}
		reached := 0
		for name, w := range want {
			if r.Weights.Effective[name] == w {
				reached++
			}
		}
		_ = bar.Set(reached)
		if reached == len(want) {
			_ = bar.Finish()
			return r.View, nil
		}
		select {
		case <-ctx.Done():
			return proxy.View{}, errs.E(errs.GatewayTimeout, "route %s has not reached its weights within %s; someone else may have changed them: see banyan audit", id, waitLimit)
		case <-time.After(250 * time.Millisecond):
		}
	}
}
