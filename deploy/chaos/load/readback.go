package load

import (
	"context"
	"fmt"

	"banyan/deploy/chaos/history"
)

// ReadBack reads every flight and every reservation that was acknowledged, through the
// routers in turn, and gives the operations that had no answer. Nothing else may be at
// work.
func (l *Load) ReadBack(ctx context.Context) (lost []string) {
	var reads []*operation
	flights := map[string]Flight{}
	for _, f := range l.o.Flights {
		flights[f.ID] = f
		for router := range l.o.Routers {
			reads = append(reads, readSeats(f, fmt.Sprintf("%s %s %d", FinalSeats, f.ID, router)))
		}
	}
	seen := map[string]bool{}
	for _, a := range l.o.Recorder.All() {
		if a.Kind == history.Confirm && a.Outcome == history.OK && !seen[a.Claim] {
			seen[a.Claim] = true
			s := sale{flight: flights[a.Flight], claim: a.Claim, reservation: a.Answer.Reservation}
			reads = append(reads, getSale(s, FinalSale+" "+a.Claim))
		}
	}
	for i, o := range reads {
		if ctx.Err() != nil {
			return append(lost, "everything from "+o.Op)
		}
		if a, ok := l.settled(ctx, o, func(n int) int { return i % n }, l.o.Patience); !ok || a.Outcome != history.OK {
			lost = append(lost, fmt.Sprintf("%s: %s %s", o.Op, a.Outcome, a.Code))
		}
	}
	return lost
}

// Names of the operations of ReadBack, before what they read.
const (
	FinalSeats = "final-seats"
	FinalSale  = "final-reservation"
)
