package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/proxy"
	"banyan/proxy/admin"
	"banyan/proxy/analysis"
	"banyan/proxy/promotion"
	"banyan/proxy/routes"
)

// promoteLimit bounds --wait; the promotion itself goes on.
const promoteLimit = 7 * 24 * time.Hour

// newPromote makes banyan routes promote: the route climbs the steps of its analysis.
func newPromote(connect connector) *cobra.Command {
	var f changeFlags
	var backend string
	c := &cobra.Command{
		Use: "promote ROUTE", Short: "Climb the steps of the route's analysis, as long as its metrics pass; roll back when one fails",
		Args: argument("ROUTE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.reason == "" && !f.dryRun {
				return needReason(f.reason)
			}
			api, err := connect()
			if err != nil {
				return err
			}
			seen, err := api.route(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			after, err := api.promote(cmd, seen, admin.Promote{Reason: f.reason, Backend: backend}, f)
			if err != nil {
				return err
			}
			if f.wait && !f.dryRun {
				return api.watchPromotion(cmd, after)
			}
			return emit(cmd, after, tellPromotion(after))
		},
	}
	f.add(c)
	c.Flags().Lookup("dry-run").Usage = "only tell which steps would be climbed, and by which metrics"
	c.Flags().Lookup("wait").Usage = "show every look until it ends; exit code 4 when it failed"
	c.Flags().StringVar(&backend, "backend", "", "what to promote; needed when the route has several beside the monolith")
	return c
}

func (c *adminClient) promote(cmd *cobra.Command, seen admin.Route, body admin.Promote, f changeFlags) (admin.Route, error) {
	var after admin.Route
	path, err := routePath(seen.ID)
	if err != nil {
		return after, err
	}
	version := f.ifVersion
	if version == "" {
		version = seen.Version
	}
	call := rest.Call{
		Method: http.MethodPost, Path: path + ":promote", In: body, Out: &after, Header: map[string]string{"If-Match": rest.Tag(version)},
	}
	if f.dryRun {
		call.Query = map[string][]string{"dryRun": {"true"}}
	}
	if err := c.do(cmd.Context(), call); err != nil {
		return after, err
	}
	if after.Promotion == nil {
		return after, errs.E(errs.BadGateway, "the admin API did not tell what it promotes")
	}
	return after, nil
}

// watchPromotion shows what is found until the promotion ends.
func (c *adminClient) watchPromotion(cmd *cobra.Command, r admin.Route) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), promoteLimit)
	defer cancel()
	began, said := r.Promotion.Started, ""
	for {
		v := r.Promotion
		if v == nil || !v.Started.Equal(began) {
			return errs.E(errs.PreconditionFailed, "another promotion of route %s has begun; see banyan routes get %s", r.ID, r.ID)
		}
		if v.Sentence != said {
			said = v.Sentence
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s  step %d of %d  %s\n", v.Changed.Format(time.TimeOnly), v.Step, len(v.Steps), oneLine(said))
		}
		if v.State.Ended() && (v.State != promotion.Failed || r.Weights.Effective[v.Backend] == v.Weight) {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(followEvery):
		}
		var err error
		if r, err = c.route(ctx, r.ID); err != nil {
			if ctx.Err() != nil {
				return errs.E(errs.GatewayTimeout, "no longer waiting, but the promotion goes on: see banyan routes get %s; banyan routes rollback %s ends it", r.ID, r.ID)
			}
			return err
		}
	}
	if err := emit(cmd, r, tellPromotion(r)); err != nil {
		return err
	}
	switch r.Promotion.State {
	case promotion.Failed:
		return errs.E(errs.VerdictFailed, "route %s: %s", r.ID, r.Promotion.Sentence)
	case promotion.Stopped:
		return errs.E(errs.PreconditionFailed, "route %s: the promotion was %s", r.ID, r.Promotion.Sentence)
	default:
		return nil
	}
}

func tellPromotion(r admin.Route) [][]string {
	return append([][]string{{"route", r.ID}, {"weights in force", shares(r.Weights.Effective)}}, tableOfPromotion(r.Promotion)...)
}

// tableOfPromotion shows a promotion with the verdict on each metric.
func tableOfPromotion(v *proxy.PromotionView) [][]string {
	if v == nil {
		return nil
	}
	steps := make([]string, len(v.Steps))
	for i, w := range v.Steps {
		steps[i] = w.String()
		if i == v.Step-1 && !v.State.Ended() {
			steps[i] = "[" + steps[i] + "]"
		}
	}
	rows := [][]string{
		{"promotion", fmt.Sprintf("%s of %s: %s", v.State, v.Backend, oneLine(v.Sentence))},
		{"steps", fmt.Sprintf("%s, a look every %s", strings.Join(steps, " "), v.Interval)},
	}
	if v.Actor != "" {
		rows = append(rows, []string{"", fmt.Sprintf("by %s at %s: %s", v.Actor, v.Started.Format(time.RFC3339), v.Reason)})
	}
	for _, f := range v.Metrics {
		rows = append(rows, []string{"verdict " + f.Metric, tellFinding(f, v.Backend)})
	}
	for _, a := range v.Lately {
		rows = append(rows, []string{"lately " + a.Backend, fmt.Sprintf(
			"%d requests, 4xx %d, 5xx %d, no answer %d, torn %d, left %d; p50 %.1f ms, p90 %.1f ms, p99 %.1f ms",
			a.Requests, a.Client, a.Server, a.Gateway, a.Torn, a.Gone, a.P50, a.P90, a.P99)})
	}
	return rows
}

func tellFinding(f analysis.Finding, backend string) string {
	text := f.Verdict.String() + ": " + f.Tell(backend, routes.Monolith)
	if f.Verdict == analysis.Inconclusive && f.Waits != "" {
		text += "; waits: " + f.Waits
	}
	return oneLine(text)
}
