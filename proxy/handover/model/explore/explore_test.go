package explore_test

import (
	"context"
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/proxy/handover/model/explore"
)

// toy is a lock for two that may forget to look and take in one step, and that may have a
// trap: who is alone inside may lose the key, which is only found by chance, if at all.
type toy struct {
	atomic bool // looking and taking the lock is one step
	trap   bool
	chance bool // a lost key may be found
	begins string
	wrong  string // what leaving breaks
}

// at is where each of the two is, and whether the lock is taken and the key lost.
type at struct {
	who    [2]int // 0 outside, 1 has seen the lock free, 2 inside
	locked bool
	lost   bool
}

func (y toy) Start() at { return at{} }

func (y toy) Broken(s at) string {
	switch {
	case s.who == [2]int{2, 2}:
		return "both inside"
	case s == at{}:
		return y.begins
	}
	return ""
}

func (y toy) Settled(s at) bool { return s == at{} }

func (y toy) Steps(s at, each func(explore.Step[at])) {
	step := func(label uint32, to at, willed bool, broken string) {
		each(explore.Step[at]{Label: label, To: to, Willed: willed, Broken: broken})
	}
	if s.lost {
		if y.chance {
			to := s
			to.lost = false
			step(9, to, false, "")
		}
		return
	}
	for i := range s.who {
		to := s
		switch {
		case s.who[i] == 0 && !s.locked && y.atomic, s.who[i] == 1:
			to.who[i], to.locked = 2, true
			step(uint32(i)*10+2, to, true, "")
		case s.who[i] == 0 && !s.locked:
			to.who[i] = 1
			step(uint32(i)*10+1, to, true, "")
		case s.who[i] == 2:
			to.who[i], to.locked = 0, false
			step(uint32(i)*10+3, to, true, y.wrong)
		}
		if s.who[i] == 2 && y.trap {
			lost := s
			lost.lost = true
			step(uint32(i)*10+4, lost, false, "")
		}
	}
	step(8, s, true, "") // whoever waits does nothing: not to be counted
}

func TestToy(t *testing.T) {
	tests := []struct {
		name   string
		toy    toy
		want   explore.Result[at]
		labels []uint32
	}{
		{"a lock that holds", toy{atomic: true}, explore.Result[at]{States: 3, Steps: 4, Depth: 1}, nil},
		{"a lock that is looked at first", toy{}, explore.Result[at]{Broken: "both inside"}, []uint32{1, 11, 2, 12}},
		{"a step that is wrong", toy{atomic: true, wrong: "leaving"}, explore.Result[at]{Broken: "leaving"}, []uint32{2, 3}},
		{"wrong from the start", toy{begins: "no"}, explore.Result[at]{Broken: "no"}, []uint32{}},
		{"a trap", toy{atomic: true, trap: true}, explore.Result[at]{Broken: explore.Stuck}, []uint32{2, 4}},
		{"a trap that only chance opens", toy{atomic: true, trap: true, chance: true}, explore.Result[at]{Broken: explore.Stuck}, []uint32{2, 4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := explore.Run(t.Context(), test.toy, 100)
			if err != nil {
				t.Fatal(err)
			}
			if r.Broken != test.want.Broken {
				t.Errorf("broken is %q, want %q", r.Broken, test.want.Broken)
			}
			if r.Broken == "" && (r.States != test.want.States || r.Steps != test.want.Steps || r.Depth != test.want.Depth || r.Trace != nil) {
				t.Errorf("%+v, want %+v", r, test.want)
			}
			if len(r.Trace) != len(test.labels) {
				t.Fatalf("trace is %+v, want %v", r.Trace, test.labels)
			}
			for i, step := range r.Trace {
				if step.Label != test.labels[i] {
					t.Errorf("trace is %+v, want %v", r.Trace, test.labels)
				}
			}
		})
	}
}

func TestLimit(t *testing.T) {
	if _, err := explore.Run(t.Context(), toy{atomic: true}, 2); errs.CodeOf(err) != errs.TooLarge {
		t.Errorf("3 states within a limit of 2: %v", err)
	}
	if _, err := explore.Run(t.Context(), toy{atomic: true}, 3); err != nil {
		t.Errorf("3 states within a limit of 3: %v", err)
	}
}

func TestEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := explore.Run(ctx, toy{}, 100); errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("an ended exploration gave %v", err)
	}
}
