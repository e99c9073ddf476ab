package main

import (
	"strings"
	"testing"

	"banyan/deploy/chaos/history"
	"banyan/deploy/chaos/load"
)

// told is a history in the order of its operations, all answered unless it says
// otherwise.
func told(list ...history.Attempt) []history.Attempt {
	for i := range list {
		a := &list[i]
		a.Flight, a.Call, a.Return = "F1", int64(2*i), int64(2*i+1)
		if a.Outcome == "" {
			a.Outcome = history.OK
		}
		if a.Op == "" {
			a.Op = string(a.Kind) + " " + a.Claim
		}
	}
	return list
}

func act(kind history.Kind, claim string, seats ...string) history.Attempt {
	return history.Attempt{Kind: kind, Claim: claim, Wanted: seats, Answer: history.Answer{Seats: seats}}
}

func unknown(kind history.Kind, claim string, seats ...string) history.Attempt {
	a := act(kind, claim, seats...)
	a.Outcome = history.Unknown
	return a
}

func finalSale(claim, status string, seats ...string) history.Attempt {
	return history.Attempt{Op: load.FinalSale + " " + claim, Kind: history.GetSale, Claim: claim, Answer: history.Answer{Status: status, Seats: seats}}
}

func finalSeats(text string) history.Attempt {
	states := map[string]string{}
	for _, word := range strings.Fields(text) {
		seat, what, _ := strings.Cut(word, ":")
		states[seat] = what
	}
	return history.Attempt{Op: load.FinalSeats + " F1 0", Kind: history.Seats, Answer: history.Answer{States: states}}
}

func TestLedger(t *testing.T) {
	const hold, confirm, release, cancel, change = history.Hold, history.Confirm, history.Release, history.Cancel, history.Change
	for name, c := range map[string]struct {
		list []history.Attempt
		want string // of the finding, "" for none
	}{
		"sold":                    {told(act(hold, "a", "1A"), act(confirm, "a", "1A"), finalSale("a", "CONFIRMED", "1A"), finalSeats("1A:RESERVED")), ""},
		"held":                    {told(act(hold, "a", "1A"), finalSeats("1A:HELD")), ""},
		"changed":                 {told(act(hold, "a", "1A"), act(confirm, "a", "1A"), act(change, "a", "1B"), finalSale("a", "CONFIRMED", "1B"), finalSeats("1B:RESERVED")), ""},
		"released":                {told(act(hold, "a", "1A"), act(release, "a"), finalSeats("")), ""},
		"cancelled":               {told(act(hold, "a", "1A"), act(confirm, "a", "1A"), act(cancel, "a"), finalSale("a", "CANCELLED", "1A"), finalSeats("")), ""},
		"an unknown hold happens": {told(unknown(hold, "a", "1A"), finalSeats("1A:HELD")), ""},
		"an unknown hold is lost": {told(unknown(hold, "a", "1A"), finalSeats("")), ""},
		"an unknown cancellation": {told(act(hold, "a", "1A"), act(confirm, "a", "1A"), unknown(cancel, "a"), finalSale("a", "CANCELLED", "1A"), finalSeats("")), ""},

		"lost":                    {told(act(hold, "a", "1A"), act(confirm, "a", "1A"), finalSeats("")), `seat 1A of a is ""`},
		"lost hold":               {told(act(hold, "a", "1A"), finalSeats("")), `seat 1A of a is "", not HELD`},
		"lost cancellation":       {told(act(hold, "a", "1A"), act(confirm, "a", "1A"), act(cancel, "a"), finalSale("a", "CONFIRMED", "1A")), "acknowledged as CANCELLED and is CONFIRMED"},
		"lost confirmation":       {told(act(hold, "a", "1A"), act(confirm, "a", "1A"), finalSale("a", "CANCELLED", "1A")), "acknowledged as CONFIRMED and is CANCELLED"},
		"lost change":             {told(act(hold, "a", "1A"), act(confirm, "a", "1A"), act(change, "a", "1B"), finalSale("a", "CONFIRMED", "1A")), "acknowledged with [1B] and has [1A]"},
		"still held":              {told(act(hold, "a", "1A"), act(confirm, "a", "1A"), finalSeats("1A:HELD")), "not RESERVED"},
		"sold twice":              {told(act(hold, "a", "1A"), act(confirm, "a", "1A"), act(hold, "b", "1A"), finalSeats("1A:RESERVED")), "seat 1A was acknowledged to"},
		"nobody's":                {told(act(hold, "a", "1A"), finalSeats("1A:HELD 1B:HELD")), "seat 1B is HELD, and nobody has it"},
		"taken after its end":     {told(act(hold, "a", "1A"), act(release, "a"), finalSeats("1A:HELD")), "nobody has it"},
		"a sale that nobody made": {told(finalSale("a", "CONFIRMED", "1A")), "nobody made"},
	} {
		found := ledger(c.list)
		if c.want == "" && len(found) > 0 || c.want != "" && (len(found) == 0 || !strings.Contains(strings.Join(found, "\n"), c.want)) {
			t.Errorf("%s: found %q, want %q", name, found, c.want)
		}
	}
}

func TestIsOrder(t *testing.T) {
	for text, want := range map[string]bool{
		"POST /participant/v1/reservations/orders HTTP/1.1\r\nHost: x\r\n": true,
		"POST /v1/flights/x/holds HTTP/1.1\r\nX: /participant/\r\n":        false,
		"": false,
	} {
		if isOrder([]byte(text)) != want {
			t.Errorf("%q is taken for something else", text)
		}
	}
}
