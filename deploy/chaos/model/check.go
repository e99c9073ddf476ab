package model

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"banyan/deploy/chaos/history"
)

// maxClaims is how many claims of a flight a state can name.
const maxClaims = 1<<16 - 1

// Verdict is what was found about one flight.
type Verdict struct {
	Flight     string
	Operations int
	Result     porcupine.CheckResult // Unknown: the time was too short to tell
	Picture    string                // a file to look at, if the result is not Ok
}

// Check judges every flight of a history, each within limit, and draws those that are
// not found to be linearizable into folder. Notes of the history stand in the pictures
// too. The error is one of drawing, or of a flight with too many claims.
func Check(list []history.Attempt, limit time.Duration, folder string) ([]Verdict, error) {
	byFlight := map[string][]history.Operation{}
	for _, o := range history.Operations(list) {
		byFlight[o.Flight] = append(byFlight[o.Flight], o)
	}
	var verdicts []Verdict
	for id, operations := range byFlight {
		f := newFlight(id, operations)
		if len(f.names) > maxClaims {
			return nil, fmt.Errorf("flight %s has %d claims; %d is the most: run shorter, or with more flights", id, len(f.names), maxClaims)
		}
		m := f.model()
		result, info := porcupine.CheckOperationsVerbose(m, operationsOf(operations), limit)
		v := Verdict{Flight: id, Operations: len(operations), Result: result}
		if result != porcupine.Ok {
			info.AddAnnotations(notes(list))
			v.Picture = filepath.Join(folder, "flight-"+id+".html")
			if err := porcupine.VisualizePath(m, info, v.Picture); err != nil {
				return nil, fmt.Errorf("drawing flight %s: %w", id, err)
			}
		}
		verdicts = append(verdicts, v)
	}
	slices.SortFunc(verdicts, func(a, b Verdict) int { return cmp.Compare(a.Flight, b.Flight) })
	return verdicts, nil
}

// operationsOf writes operations as porcupine wants them: one that nobody saw the end of
// ends after all others.
func operationsOf(list []history.Operation) []porcupine.Operation {
	out := make([]porcupine.Operation, len(list))
	last := int64(0)
	for i := range list {
		last = max(last, list[i].Call)
		if list[i].Return != history.Forever {
			last = max(last, list[i].Return)
		}
	}
	for i := range list {
		o := &list[i]
		out[i] = porcupine.Operation{ClientId: o.Client, Input: o, Output: o, Call: o.Call, Return: min(o.Return, last+1)}
	}
	return out
}

func notes(list []history.Attempt) []porcupine.Annotation {
	var out []porcupine.Annotation
	for _, a := range list {
		if a.Note != "" {
			out = append(out, porcupine.Annotation{Tag: "events", Start: a.Call, End: a.Return, Description: a.Note})
		}
	}
	return out
}
