package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/config"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/handover/handovertest"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations/reservationslocal"
)

// What banyan participant test uses unless it is told otherwise.
const (
	spareBuckets    = 8 // the last ones
	participantTime = 10 * time.Minute
	participantCall = time.Minute
)

// judged is a check of a participant, as programs see it.
type judged struct {
	Name    string `json:"name"`
	Rule    string `json:"rule"`
	Verdict string `json:"verdict"` // passed, failed or skipped
	Detail  string `json:"detail"`
}

// newParticipantCommand makes banyan participant.
func newParticipantCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "participant", Short: "Judge a service that is to take over data",
		Args: argument(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newParticipantTest())
	return c
}

func newParticipantTest() *cobra.Command {
	c := &cobra.Command{
		Use: "test URL", Short: "Check that a service keeps the rules of the participant API; exit code 4 when it does not",
		Long: "Runs the conformance suite against a live service, in spare buckets whose data is forgotten. By default\n" +
			"these are the last eight, and a service that has any other bucket is refused: it may be in use. Their\n" +
			"fences keep the suite's epochs, so use a service, or a store, that no route uses yet. What is copied are\n" +
			"answers that reservations remembers: the only records that need no flight which the service knows.",
		Args: argument("URL"),
	}
	name := c.Flags().String("name", reservationsData, "the participant's name in its paths")
	token := config.Secret(c.Flags(), "participant-token", "bearer token of the participant API")
	spare := c.Flags().IntSlice("buckets", nil, "at least eight spare buckets, whatever else the service has; their data is forgotten")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		u, err := url.Parse(args[0])
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			return errs.E(errs.Invalid, "%q is not an address such as http://127.0.0.1:8082", args[0])
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), participantTime)
		defer cancel()
		p := handoverhttp.NewClient(args[0], *name, *token, web.NewTransport(web.TransportOptions{HeaderTimeout: participantCall}))
		o, err := suiteOptions(ctx, p, *spare)
		if err != nil {
			return err
		}
		report := handovertest.Check(ctx, p, o)
		list, rows := judge(report)
		if err := emit(cmd, list, rows); err != nil || report.Passed() {
			return err
		}
		return errs.E(errs.VerdictFailed, "%s is no participant that data may be given to", args[0])
	}
	return c
}

// suiteOptions chooses spare buckets, above all epochs that the participant has seen.
// errs: Unsafe when it seems to be in use.
func suiteOptions(ctx context.Context, p handover.Participant, named []int) (handovertest.Options, error) {
	o := handovertest.Options{Buckets: named, Epoch: 1}
	status, err := p.Status(ctx, nil)
	if err != nil {
		return o, err
	}
	if len(named) == 0 {
		for b := bucket.Count - spareBuckets; b < bucket.Count; b++ {
			o.Buckets = append(o.Buckets, b)
		}
	} else if err := handover.CheckBuckets(named); err != nil || len(named) < spareBuckets {
		return o, errs.E(errs.Invalid, "--buckets: name at least %d different ones of 0 to %d", spareBuckets, bucket.Count-1)
	}
	for _, f := range status.Fences {
		o.Epoch = max(o.Epoch, f.Epoch+1)
		if len(named) == 0 && f.Bucket < bucket.Count-spareBuckets && f.Mode != handover.Absent {
			return o, errs.E(errs.Unsafe, "the participant has bucket %d already, %s in epoch %d: it may be in use; name spare buckets with --buckets if you know some", f.Bucket, f.Mode, f.Epoch)
		}
	}
	large := o.Buckets[0]
	o.Records = func(b int) [][]byte {
		if b == large {
			return reservationslocal.SampleRecords(b, handover.MaxPartRecords+20)
		}
		return reservationslocal.SampleRecords(b, 3)
	}
	return o, nil
}

func judge(report handovertest.Report) ([]judged, [][]string) {
	list, rows := []judged{}, [][]string{{"CHECK", "VERDICT", "RULE"}}
	failed, skipped := 0, 0
	for _, r := range report {
		j := judged{Name: r.Name, Rule: r.Rule, Verdict: "passed", Detail: r.Skipped}
		switch {
		case r.Problem != nil:
			j.Verdict, j.Detail = "FAILED", r.Problem.Error()
			failed++
		case r.Skipped != "":
			j.Verdict = "skipped"
			skipped++
		}
		rows = append(rows, []string{j.Name, j.Verdict, j.Rule})
		if j.Detail != "" {
			rows = append(rows, []string{"", "", "  " + j.Detail})
		}
		j.Verdict = strings.ToLower(j.Verdict)
		list = append(list, j)
	}
	rows = append(rows, []string{fmt.Sprintf("\n%d checks: %d passed, %d failed, %d skipped", len(report), len(report)-failed-skipped, failed, skipped)})
	return list, rows
}
