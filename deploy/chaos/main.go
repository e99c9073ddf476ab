// Command chaos proves the handover on the real programs: customers hold, confirm,
// change and cancel seats through two routers while flights move between the monolith's
// MariaDB and the extracted service's Redis, and while everything is killed, stopped and
// cut off at random. At the end the history of every flight must be one that a single
// store could have written, and what was acknowledged must be there.
//
//	go run ./deploy/chaos --duration 2m --seed 7 --faults kill,stop,net
//
// A run that fails keeps its history, the programs' logs and a picture of each flight
// that went wrong. --check judges a history that was kept.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/spf13/pflag"

	"banyan/deploy/chaos/history"
	"banyan/deploy/chaos/load"
	"banyan/deploy/chaos/model"
	"banyan/modules/kernel/config"
	"banyan/modules/kernel/service"
)

const name = "chaos"

// longest is how long customers may be at work: holds must not expire before they are
// looked at for the last time.
const longest = load.TTL - 8*time.Minute

func main() { service.Main(name, run) }

type settings struct {
	duration   *time.Duration
	seed       *uint64
	faults     *[]string
	clients    *int
	flights    *int
	still      *bool
	checkLimit *time.Duration
	check      *string
	bin        *string
	keep       *bool
}

func addFlags(fs *pflag.FlagSet) settings {
	return settings{
		duration:   fs.Duration("duration", time.Minute, "how long customers are at work, "+longest.String()+" at most"),
		seed:       fs.Uint64("seed", 0, "of all dice, to do the same again as far as the machine lets it; 0: another one each time"),
		faults:     fs.StringSlice("faults", []string{killing, stopping, network}, "what goes wrong: kill, stop, net; or none"),
		clients:    fs.Int("clients", 8, "customers at work, 1 to 64"),
		flights:    fs.Int("flights", 6, "flights that are sold, 1 to 50"),
		still:      fs.Bool("still", false, "leave the weight at 0%: no data moves"),
		checkLimit: fs.Duration("check-limit", time.Minute, "how long to look for an order of a flight's operations"),
		check:      fs.String("check", "", "judge this history instead of making one"),
		bin:        fs.String("bin", "", "folder of banyan and banyan-reservations; absent: they are built from this tree"),
		keep:       fs.Bool("keep", false, "keep the folder of a run that passed, too"),
	}
}

func (s settings) validate(p *config.Problems) {
	if *s.duration < time.Second || *s.duration > longest {
		p.Add("--duration must be 1s to %s", longest)
	}
	if *s.clients < 1 || *s.clients > 64 {
		p.Add("--clients must be 1 to 64")
	}
	if *s.flights < 1 || *s.flights > 50 {
		p.Add("--flights must be 1 to 50")
	}
	for _, f := range *s.faults {
		if !slices.Contains([]string{killing, stopping, network, "none"}, f) {
			p.Add("--faults has %q; there are kill, stop, net, or none alone", f)
		}
	}
	if len(*s.faults) > 1 && s.has("none") {
		p.Add("--faults has none beside others")
	}
	if *s.seed == 0 {
		*s.seed = uint64(time.Now().UnixNano())
	}
}

func (s settings) has(fault string) bool { return slices.Contains(*s.faults, fault) }

// faultless tells that nothing may fail.
func (s settings) faultless() bool { return s.has("none") || len(*s.faults) == 0 }

func run(ctx context.Context, p service.Process) error {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	s := addFlags(fs)
	if start, err := service.Parse(fs, p, name+" moves flights between stores while customers book and everything fails.", s.validate); err != nil || !start {
		return err
	}
	if *s.check != "" {
		return recheck(s, p.Stdout)
	}
	dir, err := os.MkdirTemp("", "banyan-chaos-")
	if err != nil {
		return err
	}
	r, err := newRun(s, dir, p.Stdout)
	if err != nil {
		return err
	}
	err = errors.Join(r.all(ctx), r.recorder.Close())
	if err == nil && !*s.keep {
		return os.RemoveAll(dir)
	}
	r.say("history, logs and pictures are in %s", dir)
	if err != nil {
		r.say("seed %d", *s.seed)
	}
	return err
}

// recheck judges a history that was kept.
func recheck(s settings, w io.Writer) error {
	list, err := history.Read(*s.check)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "banyan-chaos-check-")
	if err != nil {
		return err
	}
	found, err := judge(list, *s.checkLimit, dir, func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) })
	if err != nil {
		return err
	}
	return failure(append(found, ledger(list)...))
}

// judge checks every flight and tells what is wrong.
func judge(list []history.Attempt, limit time.Duration, dir string, say func(string, ...any)) ([]string, error) {
	began := time.Now()
	verdicts, err := model.Check(list, limit, dir)
	if err != nil {
		return nil, err
	}
	var found []string
	operations := 0
	for _, v := range verdicts {
		operations += v.Operations
		switch v.Result {
		case porcupine.Ok:
		case porcupine.Unknown:
			found = append(found, fmt.Sprintf("flight %s: no order of its %d operations was found within %s; see %s", v.Flight, v.Operations, limit, v.Picture))
		case porcupine.Illegal:
			found = append(found, fmt.Sprintf("flight %s: NOT LINEARIZABLE, %d operations; see %s", v.Flight, v.Operations, v.Picture))
		}
	}
	say("%d operations on %d flights, judged within %s: %d flights are not as one store would be", operations, len(verdicts), time.Since(began).Round(time.Millisecond), len(found))
	return found, nil
}

// failure makes an error of what was found, nil of nothing.
func failure(found []string) error {
	if len(found) == 0 {
		return nil
	}
	text := fmt.Sprintf("%d things are wrong:", len(found))
	for i, f := range found {
		if i == maxShown {
			text += fmt.Sprintf("\n  … and %d more", len(found)-i)
			break
		}
		text += "\n  " + f
	}
	return errors.New(text)
}

const maxShown = 25
