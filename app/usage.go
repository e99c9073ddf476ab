package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/rest"
	"banyan/proxy/usage"
)

// newUsageCommand makes banyan usage: what callers ask for, and what to extract first.
func newUsageCommand() *cobra.Command {
	var window string
	var limit int
	c := &cobra.Command{
		Use: "usage", Short: "Rank the endpoints by traffic, latency, errors, bytes and writes, and say what to extract first", Args: argument(),
	}
	connect := adminFlags(c.Flags())
	c.Flags().StringVar(&window, "window", string(usage.SinceStart), "what is counted: since the start, or the last hour (start, hour)")
	c.Flags().IntVar(&limit, "limit", 20, "endpoints and groups that are listed, 1000 at most")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		api, err := connect()
		if err != nil {
			return err
		}
		var r usage.Report
		query := url.Values{"window": {window}, "limit": {strconv.Itoa(limit)}}
		if err := api.do(cmd.Context(), rest.Call{Method: http.MethodGet, Path: "/admin/v1/usage", Query: query, Out: &r}); err != nil {
			return err
		}
		return emit(cmd, r, tableOfUsage(r))
	}
	return c
}

func tableOfUsage(r usage.Report) [][]string {
	rows := [][]string{{fmt.Sprintf("%d requests since %s, as this process saw them", r.Total.Requests, r.Since.Format(time.RFC3339))}, {}}
	rows = append(rows, []string{"EXTRACT", "PREFIX", "SCORE", "WHY"})
	for _, g := range r.Extract {
		rows = append(rows, []string{string(g.Verdict), g.Prefix, fmt.Sprintf("%.0f", g.Score), g.Why})
	}
	rows = append(rows, []string{}, []string{"METHOD", "ENDPOINT", "REQUESTS", "SHARE", "P50", "P99", "5XX", "4XX", "IN", "OUT", "WRITES", "AWAY", "KNOWN BY"})
	for _, e := range r.Endpoints {
		known := "traffic"
		if e.Route {
			known = "routes.yaml"
		}
		rows = append(rows, []string{
			e.Method, e.Template, strconv.FormatInt(e.Requests, 10), percentage(e.Share),
			fmt.Sprintf("%.3g ms", e.P50), fmt.Sprintf("%.3g ms", e.P99), percentage(e.ErrorRate), percentage(e.RefuseRate),
			size(e.BytesIn), size(e.BytesOut), percentage(e.WriteShare), percentage(e.AwayShare), known,
		})
	}
	if r.Unlisted > 0 {
		rows = append(rows, []string{fmt.Sprintf("\n%d more endpoints with a higher --limit", r.Unlisted)})
	}
	if r.Refused > 0 {
		rows = append(rows, []string{fmt.Sprintf("\n%d requests were for paths that were only ever answered with 4xx; they are not listed", r.Refused)})
	}
	if r.Crowded > 0 {
		rows = append(rows, []string{fmt.Sprintf("\n%d requests found no room: there are more endpoints than are kept apart", r.Crowded)})
	}
	return rows
}

func percentage(share float64) string { return fmt.Sprintf("%.3g%%", 100*share) }

// size writes bytes for people.
func size(n int64) string {
	const unit = 1024
	value, names := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; value >= unit && i < len(names)-1; i++ {
		value /= unit
	}
	return fmt.Sprintf("%.4g %s", value, names[i])
}
