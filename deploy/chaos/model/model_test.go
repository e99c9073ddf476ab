package model_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"banyan/deploy/chaos/history"
	"banyan/deploy/chaos/model"
)

// story writes a history by hand: one operation a call, each ending before the next one
// begins unless it says otherwise.
type story struct {
	list []history.Attempt
	now  int64
}

func (s *story) add(a history.Attempt) *history.Attempt {
	a.Flight, a.Call, a.Return = "F1", s.now+1, s.now+2
	s.now += 2
	if a.Op == "" {
		a.Op = fmt.Sprint("op", len(s.list))
	}
	if a.Outcome == "" {
		a.Outcome = history.OK
	}
	s.list = append(s.list, a)
	return &s.list[len(s.list)-1]
}

func (s *story) hold(claim string, seats ...string) *history.Attempt {
	return s.add(history.Attempt{Op: "hold " + claim, Kind: history.Hold, Claim: claim, Wanted: seats, Answer: history.Answer{Status: "HELD", Seats: seats, Digest: claim}})
}

func (s *story) taken(claim string, conflicts []string, seats ...string) {
	s.add(history.Attempt{Kind: history.Hold, Claim: claim, Wanted: seats, Outcome: history.Refused, Code: "seat_taken", Answer: history.Answer{Conflicts: conflicts}})
}

func (s *story) act(kind history.Kind, claim string, seats ...string) *history.Attempt {
	return s.add(history.Attempt{Kind: kind, Claim: claim, Answer: history.Answer{Seats: seats}})
}

func (s *story) refused(kind history.Kind, claim, code string) {
	s.add(history.Attempt{Kind: kind, Claim: claim, Outcome: history.Refused, Code: code})
}

func (s *story) change(claim, from, to string, after ...string) *history.Attempt {
	return s.add(history.Attempt{Kind: history.Change, Claim: claim, From: from, To: to, Answer: history.Answer{Seats: after}})
}

// seats reads the map, such as "1A:HELD 1B:RESERVED".
func (s *story) seats(text string) {
	states := map[string]string{}
	for _, word := range strings.Fields(text) {
		seat, what, _ := strings.Cut(word, ":")
		states[seat] = what
	}
	s.add(history.Attempt{Kind: history.Seats, Answer: history.Answer{States: states}})
}

func (s *story) sale(claim, status string, seats ...string) {
	s.add(history.Attempt{Kind: history.GetSale, Claim: claim, Answer: history.Answer{Status: status, Seats: seats}})
}

func (s *story) got(claim, status string) {
	s.add(history.Attempt{Kind: history.GetHold, Claim: claim, Answer: history.Answer{Status: status}})
}

// unknown is a hold or another operation whose answer was lost.
func (s *story) unknown(a history.Attempt) { a.Outcome = history.Unknown; s.add(a) }

func good() map[string]func(*story) {
	return map[string]func(*story){
		"a booking": booking,
		"a seat that was wanted twice at once": func(s *story) {
			a := s.hold("a", "1A")
			s.taken("b", []string{"1A"}, "1A")
			a.Return = s.now // they overlap
			s.seats("1A:HELD")
		},
		"a replay": func(s *story) {
			s.hold("a", "1A")
			s.act(history.Release, "a")
			s.hold("a", "1A").Repeats = true
			s.seats("")
		},
		"an unknown hold that had happened": func(s *story) {
			s.unknown(history.Attempt{Kind: history.Hold, Claim: "a", Wanted: []string{"1A"}})
			s.seats("")
			s.seats("1A:HELD")
			s.taken("b", []string{"1A"}, "1A")
		},
		"an unknown hold that never happened": func(s *story) {
			s.unknown(history.Attempt{Kind: history.Hold, Claim: "a", Wanted: []string{"1A"}})
			s.hold("b", "1A")
			s.seats("1A:HELD")
		},
		"unknown actions": func(s *story) {
			s.hold("a", "1A")
			s.unknown(history.Attempt{Kind: history.Confirm, Claim: "a"})
			s.seats("1A:HELD")
			s.seats("1A:RESERVED")
			s.unknown(history.Attempt{Kind: history.Change, Claim: "a", From: "1A", To: "1B"})
			s.seats("1B:RESERVED")
			s.unknown(history.Attempt{Kind: history.Cancel, Claim: "a"})
			s.seats("")
			s.unknown(history.Attempt{Kind: history.Release, Claim: "a"})
			s.seats("")
		},
		"flights beside each other": func(s *story) {
			s.hold("a", "1A")
			s.hold("b", "1A").Flight = "F2"
		},
	}
}

func booking(s *story) {
	s.seats("")
	s.hold("a", "1A", "1B")
	s.got("a", "HELD")
	s.seats("1A:HELD 1B:HELD")
	s.taken("b", []string{"1B"}, "1B", "1C")
	s.act(history.Confirm, "a", "1A", "1B")
	s.seats("1A:RESERVED 1B:RESERVED")
	s.sale("a", "CONFIRMED", "1B", "1A")
	s.change("a", "1A", "1C", "1C", "1B")
	s.sale("a", "CONFIRMED", "1C", "1B")
	s.hold("b", "1A")
	s.act(history.Cancel, "a")
	s.act(history.Cancel, "a")
	s.sale("a", "CANCELLED")
	s.got("a", "CONFIRMED")
	s.refused(history.Confirm, "a", "conflict")
	s.act(history.Release, "b")
	s.act(history.Release, "b")
	s.refused(history.Confirm, "b", "hold_released")
	s.got("b", "RELEASED")
	s.seats("")
}

func badSales() map[string]func(*story) {
	return map[string]func(*story){
		"double sale": func(s *story) {
			s.hold("a", "1A")
			s.act(history.Confirm, "a", "1A")
			s.hold("b", "1A")
			s.act(history.Confirm, "b", "1A")
		},
		"double hold at once": func(s *story) {
			a := s.hold("a", "1A")
			s.hold("b", "1B", "1A")
			a.Return = s.now
		},
		"lost booking in the map": func(s *story) {
			s.hold("a", "1A")
			s.act(history.Confirm, "a", "1A")
			s.seats("")
		},
		"lost booking": func(s *story) {
			s.hold("a", "1A")
			s.act(history.Confirm, "a", "1A")
			s.refused(history.GetSale, "a", "reservation_unknown")
		},
		"lost hold": func(s *story) {
			s.hold("a", "1A")
			s.refused(history.Confirm, "a", "hold_unknown")
		},
		"stale map": func(s *story) {
			s.hold("a", "1A")
			s.seats("1A:HELD")
			s.act(history.Confirm, "a", "1A")
			s.seats("1A:HELD")
		},
		"stale reservation": func(s *story) {
			s.hold("a", "1A")
			s.act(history.Confirm, "a", "1A")
			s.act(history.Cancel, "a")
			s.sale("a", "CONFIRMED", "1A")
		},
		"stale seats of a reservation": func(s *story) {
			s.hold("a", "1A")
			s.act(history.Confirm, "a", "1A")
			s.change("a", "1A", "1B", "1B")
			s.sale("a", "CONFIRMED", "1A")
		},
		"stale hold": func(s *story) {
			s.hold("a", "1A")
			s.act(history.Release, "a")
			s.got("a", "HELD")
		},
	}
}

func badStates() map[string]func(*story) {
	return map[string]func(*story){
		"the seat changed from is still taken": func(s *story) {
			s.hold("a", "1A")
			s.act(history.Confirm, "a", "1A")
			s.change("a", "1A", "1B", "1B")
			s.taken("b", []string{"1A"}, "1A")
		},
		"changed to a taken seat": func(s *story) {
			s.hold("a", "1A")
			s.act(history.Confirm, "a", "1A")
			s.hold("b", "1B")
			s.change("a", "1A", "1B", "1B")
		},
		"a seat taken by nobody": func(s *story) { s.seats("1A:HELD") },
		"a refusal for a free seat": func(s *story) {
			s.taken("a", []string{"1A"}, "1A")
		},
		"a refusal that names a free seat": func(s *story) {
			s.hold("a", "1A")
			s.taken("b", []string{"1A", "1B"}, "1A", "1B")
		},
		"half of a hold": func(s *story) {
			s.hold("a", "1A", "1B")
			s.seats("1A:HELD")
		},
	}
}

func badEnds() map[string]func(*story) {
	return map[string]func(*story){
		"a replay with another answer": func(s *story) {
			s.hold("a", "1A")
			a := s.hold("a", "1A")
			a.Repeats, a.Answer.Digest = true, "other"
		},
		"a replay that is refused": func(s *story) {
			s.hold("a", "1A")
			a := s.hold("a", "1A")
			a.Outcome, a.Code, a.Answer = history.Refused, "seat_taken", history.Answer{Conflicts: []string{"1A"}}
		},
		"a cancellation undone": func(s *story) {
			s.hold("a", "1A")
			s.act(history.Confirm, "a", "1A")
			s.act(history.Cancel, "a")
			s.seats("1A:RESERVED")
		},
		"a confirmed hold that was released": func(s *story) {
			s.hold("a", "1A")
			s.act(history.Confirm, "a", "1A")
			s.act(history.Release, "a")
		},
		"confirmed with other seats": func(s *story) {
			s.hold("a", "1A", "1B")
			s.act(history.Confirm, "a", "1A")
		},
		"an unknown hold that came and went": func(s *story) {
			s.unknown(history.Attempt{Kind: history.Hold, Claim: "a", Wanted: []string{"1A"}})
			s.seats("1A:HELD")
			s.seats("")
		},
		"an unknown hold that was settled, and happened": func(s *story) {
			s.hold("b", "1A")
			a := history.Attempt{Op: "hold a", Kind: history.Hold, Claim: "a", Wanted: []string{"1A"}}
			s.unknown(a)
			a.Outcome, a.Code, a.Settled, a.Answer.Conflicts = history.Refused, "seat_taken", true, []string{"1A"}
			s.add(a)
			s.act(history.Release, "b")
			s.seats("1A:HELD")
		},
	}
}

func TestGoodHistories(t *testing.T) {
	for name, tell := range good() {
		check(t, name, tell, porcupine.Ok)
	}
}

func TestBadHistories(t *testing.T) {
	for _, group := range []map[string]func(*story){badSales(), badStates(), badEnds()} {
		for name, tell := range group {
			check(t, name, tell, porcupine.Illegal)
		}
	}
}

func check(t *testing.T, name string, tell func(*story), want porcupine.CheckResult) {
	t.Helper()
	s := &story{}
	tell(s)
	verdicts, err := model.Check(s.list, 10*time.Second, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verdicts {
		if v.Result != want {
			t.Errorf("%s: flight %s is %s, want %s", name, v.Flight, v.Result, want)
		}
		if _, err := os.Stat(v.Picture); (v.Result != porcupine.Ok) != (err == nil) {
			t.Errorf("%s: the picture %q: %v", name, v.Picture, err)
		}
	}
	if len(verdicts) == 0 {
		t.Errorf("%s: nothing was judged", name)
	}
}
