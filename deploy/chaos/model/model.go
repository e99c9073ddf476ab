// Package model says what one flight's seats would do if there were a single store that
// does one thing after the other, and checks with porcupine whether a history of
// concurrent operations could have been that. Holds do not expire here: a run must be
// shorter than their time to live.
package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"banyan/deploy/chaos/history"
	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
)

// stage is how far a claim has come: a letter, for it stands in a state's text.
type stage byte

const (
	none      stage = '-'
	held      stage = 'h'
	reserved  stage = 'r'
	released  stage = 'x'
	cancelled stage = 'c'
)

// state of a flight. It is comparable and never changed: owners has two bytes for each
// seat, 0 for free, else the number of a claim plus one; stages has a letter a claim.
type state struct{ owners, stages string }

// flight numbers the seats and claims that a history names.
type flight struct {
	id     string
	seats  []string
	seat   map[string]int
	claims map[string]int
	names  []string // of claims
}

func newFlight(id string, list []history.Operation) *flight {
	f := &flight{id: id, seat: map[string]int{}, claims: map[string]int{}}
	addSeat := func(s string) {
		if _, ok := f.seat[s]; !ok && s != "" {
			f.seat[s] = len(f.seats)
			f.seats = append(f.seats, s)
		}
	}
	for i := range list {
		o := &list[i]
		for _, s := range o.Wanted {
			addSeat(s)
		}
		addSeat(o.To)
		if _, ok := f.claims[o.Claim]; !ok && o.Claim != "" {
			f.claims[o.Claim] = len(f.names)
			f.names = append(f.names, o.Claim)
		}
	}
	return f
}

// model is what porcupine runs.
func (f *flight) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any {
			return state{strings.Repeat("\x00\x00", len(f.seats)), strings.Repeat(string(none), len(f.names))}
		},
		Step: func(s, input, _ any) (bool, any) {
			next, ok := f.step(s.(state), input.(*history.Operation))
			return ok, next
		},
		Hash: func(s any) uint64 { return s.(state).hash() },
		DescribeOperation: func(input, _ any) string {
			return describe(input.(*history.Operation))
		},
		DescribeState: func(s any) string { return f.describe(s.(state)) },
	}
}

func (s state) hash() uint64 {
	h := uint64(14695981039346656037)
	for _, text := range []string{s.owners, s.stages} {
		for i := range len(text) {
			h = (h ^ uint64(text[i])) * 1099511628211
		}
	}
	return h
}

// step gives the state after an operation, or false if it could not have been answered so.
func (f *flight) step(s state, o *history.Operation) (state, bool) {
	claim, seats := f.claims[o.Claim], f.indexes(o.Wanted)
	switch o.Kind {
	case history.Hold:
		return f.hold(s, o, claim, seats)
	case history.Confirm:
		return f.confirm(s, o, claim)
	case history.Release:
		return f.release(s, o, claim)
	case history.Cancel:
		return f.cancel(s, o, claim)
	case history.Change:
		return f.change(s, o, claim)
	case history.Replay:
		return s, o.Outcome == history.OK && s.stage(claim) != none && o.Answer.Digest == o.First.Digest
	case history.Seats:
		return s, o.Outcome == history.OK && f.shows(s, o.Answer.States)
	case history.GetHold:
		return s, o.Outcome == history.OK && showsHold(s.stage(claim), o.Answer.Status)
	case history.GetSale:
		return s, o.Outcome == history.OK && f.showsSale(s, claim, o.Answer)
	}
	return s, false
}

func (f *flight) hold(s state, o *history.Operation, claim int, seats []int) (state, bool) {
	var taken []string
	for i, seat := range seats {
		if s.owner(seat) >= 0 {
			taken = append(taken, o.Wanted[i])
		}
	}
	if o.Outcome == history.Refused {
		return s, o.Code == string(errs.SeatTaken) && len(taken) > 0 && same(taken, o.Answer.Conflicts)
	}
	possible := s.stage(claim) == none && len(taken) == 0
	if o.Outcome == history.OK && (!possible || !same(o.Answer.Seats, o.Wanted)) {
		return s, false
	}
	if !possible {
		return s, true
	}
	return s.with(claim, held, seats, claim), true
}

func (f *flight) confirm(s state, o *history.Operation, claim int) (state, bool) {
	at, seats := s.stage(claim), s.of(claim)
	switch {
	case o.Outcome == history.Refused:
		return s, o.Code == string(errs.HoldReleased) && at == released ||
			o.Code == string(errs.Conflict) && (at == reserved || at == cancelled)
	case at == held && (o.Outcome == history.Unknown || same(o.Answer.Seats, f.named(seats))):
		return s.with(claim, reserved, seats, claim), true
	}
	return s, o.Outcome == history.Unknown
}

func (f *flight) release(s state, o *history.Operation, claim int) (state, bool) {
	at := s.stage(claim)
	switch {
	case o.Outcome == history.Refused:
		return s, o.Code == string(errs.Conflict) && (at == reserved || at == cancelled)
	case at == held:
		return s.with(claim, released, s.of(claim), free), true
	}
	return s, at == released || o.Outcome == history.Unknown
}

func (f *flight) cancel(s state, o *history.Operation, claim int) (state, bool) {
	at := s.stage(claim)
	switch {
	case o.Outcome == history.Refused:
		return s, false // a reservation that was acknowledged can always be cancelled
	case at == reserved:
		return s.with(claim, cancelled, s.of(claim), free), true
	}
	return s, at == cancelled || o.Outcome == history.Unknown
}

func (f *flight) change(s state, o *history.Operation, claim int) (state, bool) {
	from, to, at := f.seat[o.From], f.seat[o.To], s.stage(claim)
	mine, taken := s.owner(from) == claim, s.owner(to) >= 0
	if o.Outcome == history.Refused {
		return s, o.Code == string(errs.Conflict) && at == cancelled ||
			o.Code == string(errs.Unprocessable) && at == reserved && !mine ||
			o.Code == string(errs.SeatTaken) && at == reserved && mine && taken && same(o.Answer.Conflicts, []string{o.To})
	}
	if at != reserved || !mine || taken {
		return s, o.Outcome == history.Unknown
	}
	next := s.with(claim, reserved, []int{from}, free).with(claim, reserved, []int{to}, claim)
	return next, o.Outcome == history.Unknown || same(o.Answer.Seats, f.named(next.of(claim)))
}

// shows tells whether a seat map is the state's, seat by seat.
func (f *flight) shows(s state, states map[string]string) bool {
	taken := 0
	for i, name := range f.seats {
		owner := s.owner(i)
		if owner < 0 {
			continue
		}
		taken++
		want := string(reservations.Held)
		if s.stage(owner) == reserved {
			want = string(reservations.Reserved)
		}
		if states[name] != want {
			return false
		}
	}
	return taken == len(states)
}

func showsHold(at stage, status string) bool {
	switch at {
	case held:
		return status == string(reservations.HoldActive)
	case reserved, cancelled:
		return status == string(reservations.HoldConfirmed)
	case released:
		return status == string(reservations.HoldReleased)
	case none:
	}
	return false
}

func (f *flight) showsSale(s state, claim int, a history.Answer) bool {
	switch s.stage(claim) {
	case reserved:
		return a.Status == string(reservations.Confirmed) && same(a.Seats, f.named(s.of(claim)))
	case cancelled:
		return a.Status == string(reservations.Cancelled)
	case none, held, released:
	}
	return false
}

// same compares lists as sets of seats, which have no seat twice.
func same(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

func (f *flight) indexes(names []string) []int {
	list := make([]int, len(names))
	for i, n := range names {
		list[i] = f.seat[n]
	}
	return list
}

func (f *flight) named(seats []int) []string {
	list := make([]string, len(seats))
	for i, n := range seats {
		list[i] = f.seats[n]
	}
	return list
}

// describe writes an operation for the picture.
func describe(o *history.Operation) string {
	what := string(o.Kind)
	for _, part := range []string{o.Claim, strings.Join(o.Wanted, "+"), o.From, o.To} {
		if part != "" {
			what += " " + part
		}
	}
	a := o.Answer
	switch {
	case o.Outcome != history.OK:
		return fmt.Sprintf("%s → %s %s %v", what, o.Outcome, o.Code, a.Conflicts)
	case o.Kind == history.Seats:
		return fmt.Sprintf("%s → %v", what, a.States)
	}
	return fmt.Sprintf("%s → %s %v", what, a.Status, a.Seats)
}

// describe writes a state for the picture: the seats that are taken.
func (f *flight) describe(s state) string {
	var parts []string
	for i, name := range f.seats {
		if owner := s.owner(i); owner >= 0 {
			parts = append(parts, fmt.Sprintf("%s:%c %s", name, s.stage(owner), f.names[owner]))
		}
	}
	return strings.Join(parts, ", ")
}
