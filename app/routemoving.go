package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/proxy"
	"banyan/proxy/admin"
)

// tableOfMoving shows how far a route's data is.
func tableOfMoving(v *proxy.MovesView) [][]string {
	state := "moving"
	switch {
	case v.Settled:
		state = "settled"
	case v.Paused:
		state = "paused"
	}
	rows := [][]string{
		{"data", state},
		{"desired", shares(v.Desired)},
		{"actual", shares(v.Actual)},
		{"moving", fmt.Sprintf("%s, %d buckets in %d moves", v.Moving.Weight, v.Moving.Buckets, v.Moving.Moves)},
		{"paused", yesNo(v.Paused)},
	}
	if p := v.Progress; p.Total > 0 {
		rows = append(rows, []string{"progress", fmt.Sprintf("%d of %d buckets, %s", p.Moved, p.Total, paceOf(v))})
	}
	if v.Progress.Blocked > 0 {
		rows = append(rows, []string{"withheld", fmt.Sprintf("%d buckets; see banyan moves verify", v.Progress.Blocked)})
	}
	if v.Progress.Error != "" && !v.Settled {
		rows = append(rows, []string{"last error", oneLine(v.Progress.Error)})
	}
	if a := v.LastAudit; a != nil {
		rows = append(rows, []string{"last audit", fmt.Sprintf("%d buckets checked, violations: %s", a.Checked, violations(*a))})
	}
	for _, p := range v.Pins {
		rows = append(rows, []string{"pin", fmt.Sprintf("bucket %d to %s since %s: %s", p.Bucket, p.To, p.SetAt.Format(time.RFC3339), p.Reason)})
	}
	return rows
}

// onItsWay adds to a route's weights where its data is, if that is elsewhere.
func onItsWay(v *proxy.MovesView) string {
	if v == nil || v.Settled {
		return ""
	}
	return " (data: " + shares(v.Actual) + ")"
}

// oneLine keeps errors that were joined from breaking a table.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "; ") }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func newPin(connect connector) *cobra.Command {
	var reason, to string
	c := &cobra.Command{
		Use: "pin ROUTE FLIGHT_ID --to home|away", Short: "Keep a flight's data, and that of all flights of its bucket, on one side whatever the weights are",
		Args: argument("ROUTE", "FLIGHT_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return errs.E(errs.Invalid, "say where the flight belongs with --to home or --to away")
			}
			return pin(cmd, connect, args, rest.Call{Method: http.MethodPut, In: admin.Pin{To: to, Reason: reason}}, reason)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why; kept in the audit log")
	c.Flags().StringVar(&to, "to", "", "home, away, or the backend's name")
	return c
}

func newUnpin(connect connector) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "unpin ROUTE FLIGHT_ID", Short: "Let the weights decide again where a flight's data is", Args: argument("ROUTE", "FLIGHT_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return pin(cmd, connect, args, rest.Call{Method: http.MethodDelete, In: admin.Reason{Reason: reason}}, reason)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why; kept in the audit log")
	return c
}

func pin(cmd *cobra.Command, connect connector, args []string, call rest.Call, reason string) error {
	if err := needReason(reason); err != nil {
		return err
	}
	api, err := connect()
	if err != nil {
		return err
	}
	path, err := routePath(args[0])
	if err != nil {
		return err
	}
	flight, ok := rest.Segment(args[1])
	if !ok {
		return errs.E(errs.Invalid, "%q is no flight's id", args[1])
	}
	var after admin.Pinned
	call.Path, call.Out = path+"/pins/"+flight, &after
	if err := api.do(cmd.Context(), call); err != nil {
		return err
	}
	rows := [][]string{{fmt.Sprintf("route %s: flight %s is in bucket %d", after.ID, args[1], after.Bucket)}}
	if after.MovesView != nil {
		rows = append(rows, tableOfMoving(after.MovesView)...)
	}
	return emit(cmd, after, rows)
}

func needReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return errs.E(errs.Invalid, "say why with --reason; it is kept in the audit log")
	}
	return nil
}

func newRescue(connect connector) *cobra.Command {
	var body admin.Rescue
	var dry bool
	c := &cobra.Command{
		Use: "rescue ROUTE --gone BACKEND", Short: "Give the monolith what a service that is gone for good owned, without what was booked there",
		Long: "Gives the monolith every bucket that the extracted service owned, when that service is gone for good.\n" +
			"Bookings made there since a bucket left the monolith are lost. Where the monolith's own copy is gone\n" +
			"too (the retain time is over, or a move back has begun), everything in the bucket is lost; such buckets\n" +
			"are refused unless --accept-lost-buckets is given. All weight goes to the monolith, and the route is\n" +
			"paused until banyan routes resume. While the service answers it is refused: use banyan routes rollback.",
		Args: argument("ROUTE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := needReason(body.Reason); err != nil && !dry {
				return err
			}
			api, err := connect()
			if err != nil {
				return err
			}
			path, err := routePath(args[0])
			if err != nil {
				return err
			}
			var after admin.Rescued
			call := rest.Call{Method: http.MethodPost, Path: path + ":rescue", In: body, Out: &after}
			if dry {
				call.Query = map[string][]string{"dryRun": {"true"}}
			}
			if err := api.within(cmd.Context(), longCall, call); err != nil {
				return err
			}
			return emit(cmd, after, tableOfRescue(after))
		},
	}
	c.Flags().StringVar(&body.Reason, "reason", "", "why; kept in the audit log")
	c.Flags().StringVar(&body.Gone, "gone", "", "the backend that is gone, as a confirmation")
	c.Flags().BoolVar(&body.AcceptLostBuckets, "accept-lost-buckets", false, "rescue also buckets that the monolith has no copy of: all of their bookings are lost")
	c.Flags().BoolVar(&dry, "dry-run", false, "only tell what would be rescued and lost")
	return c
}

func tableOfRescue(r admin.Rescued) [][]string {
	verb := "were rescued"
	if r.DryRun {
		verb = "would be rescued"
	}
	rows := [][]string{
		{fmt.Sprintf("route %s: %d buckets %s, %d of them without any copy at the monolith", r.ID, r.Rescued.Buckets, verb, len(r.Rescued.Lost))},
	}
	if r.MovesView != nil && !r.DryRun {
		rows = append(rows, tableOfMoving(r.MovesView)...)
	}
	return rows
}
