package history_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"banyan/deploy/chaos/history"
)

const (
	ok      = history.OK
	refused = history.Refused
	unknown = history.Unknown
)

// try is an attempt of operation "x"; flags: r the answer says it repeats, s settled.
func try(kind history.Kind, call, ret int64, o history.Outcome, flags string) history.Attempt {
	a := history.Attempt{Op: "x", Kind: kind, Call: call, Return: ret, Outcome: o}
	for _, f := range flags {
		a.Repeats = a.Repeats || f == 'r'
		a.Settled = a.Settled || f == 's'
	}
	return a
}

// seen is what matters of an operation.
type seen struct {
	kind      history.Kind
	call, ret int64
	outcome   history.Outcome
}

func TestOperations(t *testing.T) {
	const hold, cancel, seats = history.Hold, history.Cancel, history.Seats
	for name, c := range map[string]struct {
		attempts []history.Attempt
		want     []seen
	}{
		"answered": {[]history.Attempt{try(hold, 1, 2, ok, "")}, []seen{{hold, 1, 2, ok}}},
		"refused":  {[]history.Attempt{try(hold, 1, 2, refused, "")}, []seen{{hold, 1, 2, refused}}},
		"the first attempt had happened": {
			[]history.Attempt{try(hold, 1, 2, unknown, ""), try(hold, 3, 4, ok, "r")}, []seen{{hold, 1, 4, ok}},
		},
		"the first attempt had not happened": {
			[]history.Attempt{try(hold, 1, 2, unknown, ""), try(hold, 3, 4, ok, "")}, []seen{{hold, 3, 4, ok}},
		},
		"a cancellation does not say which one it was": {
			[]history.Attempt{try(cancel, 1, 2, unknown, ""), try(cancel, 3, 4, ok, "")}, []seen{{cancel, 1, 4, ok}},
		},
		"never answered": {
			[]history.Attempt{try(hold, 1, 2, unknown, ""), try(hold, 3, 4, unknown, "")}, []seen{{hold, 1, history.Forever, unknown}},
		},
		"an attempt on its way outlives a refusal": {
			[]history.Attempt{try(hold, 1, 2, unknown, ""), try(hold, 3, 4, refused, "")},
			[]seen{{hold, 3, 4, refused}, {hold, 1, history.Forever, unknown}},
		},
		"a settled refusal ends it": {
			[]history.Attempt{try(hold, 1, 2, unknown, ""), try(hold, 3, 4, refused, "s")}, []seen{{hold, 3, 4, refused}},
		},
		"it happened after it was refused": {
			[]history.Attempt{try(hold, 1, 2, unknown, ""), try(hold, 3, 4, refused, ""), try(hold, 5, 6, ok, "r")},
			[]seen{{hold, 3, 4, refused}, {hold, 1, 6, ok}},
		},
		"asked again": {
			[]history.Attempt{try(hold, 1, 2, ok, ""), try(hold, 3, 4, ok, "r"), try(hold, 5, 6, refused, ""), try(hold, 7, 8, unknown, "")},
			[]seen{{hold, 1, 2, ok}, {history.Replay, 3, 4, ok}, {history.Replay, 5, 6, refused}},
		},
		"out of order": {
			[]history.Attempt{try(hold, 3, 4, ok, "r"), try(hold, 1, 2, unknown, "")}, []seen{{hold, 1, 4, ok}},
		},
		"a read is the one that was answered": {
			[]history.Attempt{try(seats, 1, 2, unknown, ""), try(seats, 3, 4, ok, "")}, []seen{{seats, 3, 4, ok}},
		},
		"a read without answer": {[]history.Attempt{try(seats, 1, 2, unknown, "")}, nil},
		"a note":                {[]history.Attempt{{Note: "kill redis", Call: 1, Return: 2}}, nil},
	} {
		var got []seen
		for _, o := range history.Operations(c.attempts) {
			got = append(got, seen{o.Kind, o.Call, o.Return, o.Outcome})
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestReplayKnowsTheFirstAnswer(t *testing.T) {
	first := try(history.Hold, 1, 2, ok, "")
	first.Answer.Digest = "one"
	second := try(history.Hold, 3, 4, ok, "r")
	second.Answer.Digest = "two"
	list := history.Operations([]history.Attempt{first, second})
	if len(list) != 2 || list[1].First.Digest != "one" || list[1].Answer.Digest != "two" {
		t.Errorf("%+v", list)
	}
}

func TestFileKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	r, err := history.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	a := try(history.Seats, r.Now(), r.Now(), ok, "rs")
	a.Answer = history.Answer{States: map[string]string{"1A": "HELD"}, Version: 7}
	a.Wanted, a.Client, a.Router, a.HTTP = []string{"1A"}, 3, 1, 200
	r.Add(a)
	r.Note(r.Now(), "kill %s", "redis")
	want := r.All()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := history.Read(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}
