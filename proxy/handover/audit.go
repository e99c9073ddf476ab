package handover

import (
	"context"
	"sync"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	kernel "banyan/modules/kernel/handover"
)

// Violation names what an audit found wrong.
type Violation string

// The violations.
const (
	// Both: one side may write what the other may read or write.
	Both Violation = "both"
	// Behind: the owner's fence is older than the journal: its store came back with less
	// than it had acknowledged.
	Behind Violation = "behind"
	// Ahead: a fence is newer than the journal, which came back with less.
	Ahead Violation = "ahead"
	// Nobody: the owner's fence has the journal's epoch, but is not active.
	Nobody Violation = "nobody"
	// Unknown: the journal names an owner that is neither side.
	Unknown Violation = "unknown"
)

// Finding is a bucket that is not as it must be.
type Finding struct {
	Bucket    int          `json:"bucket"`
	Violation Violation    `json:"violation"`
	Owner     string       `json:"owner"` // as the journal has it
	Epoch     int64        `json:"epoch"` // likewise
	Home      kernel.Fence `json:"home"`
	Away      kernel.Fence `json:"away"`
}

// maxFindings bounds what a report lists; its counts are of all.
const maxFindings = 100

// AuditReport is what an audit found.
type AuditReport struct {
	Checked  int               `json:"checked"` // buckets whose journal did not change meanwhile
	Owned    int               `json:"owned"`   // that exactly one side may write
	Counts   map[Violation]int `json:"counts"`
	Findings []Finding         `json:"findings"`
}

// Audit compares the journal with the fences of both sides. Buckets that are not as they
// must be are refused by the Map from then on, until an audit finds them in order; the
// reconciler leaves them alone. Buckets whose journal changes meanwhile are not judged.
// errs: whatever the sides or the journal answer; nothing is concluded then.
func (c *Coordinator) Audit(ctx context.Context) (AuditReport, error) {
	if err := c.owner.Refresh(ctx); err != nil {
		return AuditReport{}, err
	}
	before := c.owner.Snapshot()
	home, away, err := c.fences(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	after, err := c.o.Journal.Snapshot(ctx, before)
	if err != nil {
		return AuditReport{}, err
	}
	report, refused := AuditReport{Counts: map[Violation]int{}, Findings: []Finding{}}, map[int]bool{}
	for number, b := range after.Buckets {
		if b.Changed != before.Buckets[number].Changed {
			// In motion: it keeps its mark until it is seen at rest.
			if c.owner.Owner(number).Refused {
				refused[number] = true
			}
			continue
		}
		report.Checked++
		f := Finding{Bucket: number, Owner: after.Names[b.Owner], Epoch: b.Epoch, Home: home[number], Away: away[number]}
		f.Violation = c.judge(b, f)
		if f.Violation == "" {
			report.Owned += one((f.Home.Mode == kernel.Active) != (f.Away.Mode == kernel.Active))
			continue
		}
		report.Counts[f.Violation]++
		refused[number] = true
		if len(report.Findings) < maxFindings {
			report.Findings = append(report.Findings, f)
		}
	}
	c.owner.refuse(refused)
	c.mu.Lock()
	c.status.report = report
	c.mu.Unlock()
	return report, nil
}

// LastAudit gives the last report, for metrics.
func (c *Coordinator) LastAudit() AuditReport {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status.report
}

// judge says what is wrong with a bucket, "" if nothing. What a move under way does to
// its fences between the two readings is not wrong.
func (c *Coordinator) judge(b Bucket, f Finding) Violation {
	owner, other := f.Home, f.Away
	switch f.Owner {
	case c.o.Home.Name:
	case c.o.Away.Name:
		owner, other = f.Away, f.Home
	default:
		return Unknown
	}
	switch {
	case f.Home.Mode == kernel.Active && f.Away.Mode == kernel.Active:
		return Both
	case owner.Epoch > b.Epoch || other.Epoch > b.Epoch:
		return Ahead
	case b.Phase == Committed:
		return "" // the former owner may be read-only yet, the new one sealed
	case owned(other):
		return Both
	case b.Phase != Idle:
		return ""
	case owner.Epoch < b.Epoch:
		return Behind
	case owner.Mode != kernel.Active:
		return Nobody
	}
	return ""
}

// fences reads those of both sides at once, by bucket.
func (c *Coordinator) fences(ctx context.Context) (home, away []kernel.Fence, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*c.o.StepTimeout) // of all buckets
	defer cancel()
	var group sync.WaitGroup
	var fail error
	group.Go(func() { home, err = fencesOf(ctx, c.o.Home) })
	group.Go(func() { away, fail = fencesOf(ctx, c.o.Away) })
	group.Wait()
	if err == nil {
		err = fail
	}
	return home, away, err
}

// fencesOf gives a side's fences of all buckets, absent ones too.
func fencesOf(ctx context.Context, s Side) ([]kernel.Fence, error) {
	status, err := s.Participant.Status(ctx, nil)
	if err != nil {
		return nil, err
	}
	all := make([]kernel.Fence, bucket.Count)
	for _, f := range status.Fences {
		if f.Bucket < 0 || f.Bucket >= bucket.Count {
			return nil, errs.E(errs.BadGateway, "%s has a fence of bucket %d", s.Name, f.Bucket)
		}
		all[f.Bucket] = f
	}
	return all, nil
}
