package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/rest"
	"banyan/proxy/admin"
)

// newAuditCommand makes banyan audit: who changed which route, when and why.
func newAuditCommand() *cobra.Command {
	var route, cursor string
	var limit int
	c := &cobra.Command{
		Use: "audit", Short: "Show who changed which route, when and why, newest first", Args: argument(),
	}
	connect := adminFlags(c.Flags())
	c.Flags().StringVar(&route, "route", "", "of this route only")
	c.Flags().StringVar(&cursor, "cursor", "", "go on where a page ended")
	c.Flags().IntVar(&limit, "limit", 50, "lines, 200 at most")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		query, err := pageQuery(limit, map[string]string{"route": route, "cursor": cursor})
		if err != nil {
			return err
		}
		api, err := connect()
		if err != nil {
			return err
		}
		var page admin.AuditPage
		call := rest.Call{Method: http.MethodGet, Path: "/admin/v1/audit", Query: query, Out: &page}
		if err := api.do(cmd.Context(), call); err != nil {
			return err
		}
		return emit(cmd, page, tableOfAudit(page))
	}
	return c
}

func tableOfAudit(page admin.AuditPage) [][]string {
	rows := [][]string{{"NO", "WHEN", "WHO", "WHAT", "ROUTE", "FROM", "TO", "WHY", "REQUEST"}}
	for _, e := range page.Entries {
		rows = append(rows, []string{
			strconv.FormatInt(e.Seq, 10), e.Time.Format(time.RFC3339), e.Actor, e.Action, e.Route,
			shares(e.From), shares(e.To), e.Reason, e.RequestID,
		})
	}
	if page.NextCursor != "" {
		rows = append(rows, []string{"\nmore with --cursor " + page.NextCursor})
	}
	return rows
}
