package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"banyan/deploy/chaos/rig"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations/reservationslocal"
	"banyan/proxy/handover"
)

const auditTimeout = 30 * time.Second

// audit compares the journal with the fences of both stores, as a third coordinator that
// moves nothing.
func (c *chaos) audit(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	found, err := c.fences(ctx)
	if err != nil {
		found = append(found, fmt.Sprintf("the stores could not be audited: %v", err))
	}
	return found
}

func (c *chaos) fences(ctx context.Context) (found []string, err error) {
	db, err := service.OpenContext(ctx, c.system.DSN, "reservations", nil, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	home, err := reservationslocal.NewSQL(ctx, db, reservationslocal.Options{})
	if err != nil {
		return nil, err
	}
	coordinator, err := handover.New(handover.Options{
		Journal: c.mover.journal, ID: "chaos",
		Home: handover.Side{Name: "monolith", Participant: home.Participant()},
		Away: handover.Side{Name: "reservations", Participant: handoverhttp.NewClient(c.system.ServiceURL, rig.Route, "", web.NewTransport(web.TransportOptions{}))},
	})
	if err != nil {
		return nil, err
	}
	report, err := coordinator.Audit(ctx)
	if err != nil {
		return nil, err
	}
	c.say("audit: of %d buckets, %d have exactly one owner; violations: %v", report.Checked, report.Owned, report.Counts)
	for _, f := range report.Findings {
		found = append(found, fmt.Sprintf("audit: %+v", f))
	}
	if report.Owned != bucket.Count {
		found = append(found, fmt.Sprintf("audit: %d of %d buckets have exactly one owner", report.Owned, bucket.Count))
	}
	return found, nil
}
