package main

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/proxy"
	"banyan/proxy/admin"
	"banyan/proxy/canary"
	"banyan/proxy/weights"
)

// changeFlags are those of every change.
type changeFlags struct {
	reason, ifVersion string
	dryRun, wait      bool
}

func (f *changeFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.reason, "reason", "", "why; kept in the audit log")
	c.Flags().StringVar(&f.ifVersion, "if-version", "", "refuse unless the route is still at this version (see routes get)")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "only tell what would move")
	c.Flags().BoolVar(&f.wait, "wait", false, "wait, with a progress bar, until the new weights are in force, and the data of a stateful route has moved")
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
	if action == proxy.Pause {
		c.Flags().Lookup("wait").Hidden = true // it is in force at once
	}
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
		if after.MovesView != nil {
			after.View, err = c.follow(cmd, seen.ID, after.Change.To)
		} else {
			after.View, err = c.await(cmd, seen.ID, after.Change.To)
		}
		if err != nil {
			return err
		}
	}
	return emit(cmd, after, tellChange(after))
}

func tellChange(r admin.Route) [][]string {
	o, who, verb := *r.Change, "callers", "moved"
	if r.MovesView != nil {
		who, verb = "buckets", "shall move"
		if r.Settled {
			verb = "moved"
		}
	}
	if o.DryRun {
		verb = "would move"
	}
	what := fmt.Sprintf("%s of its %s %s", o.Moves, who, verb)
	if maps.Equal(o.From, o.To) {
		what = "its weights stay as they were"
	}
	rows := [][]string{{"route " + o.Route + ": " + what}, {"from", shares(o.From)}, {"to", shares(o.To)}}
	if p := r.Preview; p != nil {
		about := ""
		if p.Estimated {
			about = "about "
		}
		rows = append(rows,
			[]string{"buckets", fmt.Sprintf("%d to move: %d out, %d home", p.Buckets, p.Add, p.GiveBack)},
			[]string{"flights", about + strconv.FormatInt(p.Flights, 10) + " with bookings or holds, or what is left of them"},
			[]string{"records", about + strconv.FormatInt(p.Records, 10)},
			[]string{"moves", strconv.Itoa(p.Moves)},
			[]string{"longest pause", fmt.Sprintf("about %.0f ms", p.Pause)})
	}
	if r.MovesView != nil && !o.DryRun {
		rows = append(rows, tableOfMoving(r.MovesView)...)
	}
	return rows
}
