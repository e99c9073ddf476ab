package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"banyan/deploy/chaos/history"
	"banyan/deploy/chaos/load"
	"banyan/modules/reservations"
)

// account is what is known of a claim when all is over. Unlike the model it knows no
// order but that of the one customer who acted.
type account struct {
	flight    string
	seats     []string // the last that were acknowledged
	held      bool
	confirmed bool
	ended     bool // released or cancelled, acknowledged
	open      bool // an operation whose end is unknown may have changed it
}

// ledger compares what was acknowledged with what was read at the end: a second and
// simpler look than the model's, which shares nothing with it but the history.
func ledger(list []history.Attempt) []string {
	accounts, operations := map[string]*account{}, history.Operations(list)
	slices.SortStableFunc(operations, func(a, b history.Operation) int { return cmp.Compare(a.Return, b.Return) })
	for i := range operations {
		if o := &operations[i]; o.Claim != "" && !o.Kind.Reads() && o.Kind != history.Replay {
			if accounts[o.Claim] == nil {
				accounts[o.Claim] = &account{flight: o.Flight}
			}
			accounts[o.Claim].enter(o)
		}
	}
	var found []string
	for i := range operations {
		o := &operations[i]
		if o.Outcome != history.OK {
			continue
		}
		if strings.HasPrefix(o.Op, load.FinalSale+" ") {
			found = append(found, accounts[o.Claim].compare(o)...)
		}
		if strings.HasPrefix(o.Op, load.FinalSeats+" ") {
			found = append(found, seating(o, accounts)...)
		}
	}
	return found
}

func (a *account) enter(o *history.Operation) {
	a.open = a.open || o.Outcome == history.Unknown
	if o.Outcome != history.OK {
		if o.Kind == history.Hold && o.Outcome == history.Unknown {
			a.seats = o.Wanted
		}
		return
	}
	switch o.Kind { //nolint:exhaustive // the others change nothing
	case history.Hold:
		a.held, a.seats = true, o.Answer.Seats
	case history.Confirm:
		a.confirmed, a.seats = true, o.Answer.Seats
	case history.Change:
		a.seats = o.Answer.Seats
	case history.Release, history.Cancel:
		a.ended = true
	}
}

// compare tells how a reservation that was read differs from what was acknowledged.
func (a *account) compare(o *history.Operation) []string {
	if a == nil {
		return []string{fmt.Sprintf("%s is about a claim that nobody made", o.Op)}
	}
	want := string(reservations.Confirmed)
	if a.ended {
		want = string(reservations.Cancelled)
	}
	if o.Answer.Status != want && !a.open {
		return []string{fmt.Sprintf("reservation %s of %s was acknowledged as %s and is %s", o.Answer.Reservation, o.Claim, want, o.Answer.Status)}
	}
	if !a.ended && !a.open && !sameSeats(o.Answer.Seats, a.seats) {
		return []string{fmt.Sprintf("reservation %s of %s was acknowledged with %v and has %v", o.Answer.Reservation, o.Claim, a.seats, o.Answer.Seats)}
	}
	return nil
}

// seating compares a seat map with the claims: every seat that is taken is somebody's,
// and every seat that somebody has is taken.
func seating(o *history.Operation, accounts map[string]*account) []string {
	var found []string
	owners := map[string]string{}
	open := map[string]bool{}
	for name, a := range accounts {
		if a.flight != o.Flight {
			continue
		}
		for _, seat := range a.seats {
			switch {
			case a.open:
				open[seat] = true
			case a.held && !a.ended:
				if other := owners[seat]; other != "" {
					found = append(found, fmt.Sprintf("flight %s: seat %s was acknowledged to %s and to %s", o.Flight, seat, other, name))
				}
				owners[seat] = name
			}
		}
	}
	for seat, name := range owners {
		want := string(reservations.Held)
		if accounts[name].confirmed {
			want = string(reservations.Reserved)
		}
		if got := o.Answer.States[seat]; got != want {
			found = append(found, fmt.Sprintf("flight %s: seat %s of %s is %q, not %s", o.Flight, seat, name, got, want))
		}
	}
	for seat, got := range o.Answer.States {
		if owners[seat] == "" && !open[seat] {
			found = append(found, fmt.Sprintf("flight %s: seat %s is %s, and nobody has it", o.Flight, seat, got))
		}
	}
	return found
}

func sameSeats(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
