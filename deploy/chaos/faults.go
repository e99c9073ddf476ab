package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"banyan/deploy/chaos/faultnet"
	"banyan/deploy/chaos/rig"
)

// The kinds of faults.
const (
	killing  = "kill"
	stopping = "stop"
	network  = "net"
)

// faults spoils processes and wires, one process and one wire at a time.
type faults struct {
	*chaos
	busy  map[*rig.Process]*sync.Mutex // held while a process is being spoilt
	count map[string]*atomic.Int64
}

func newFaults(c *chaos) *faults {
	f := &faults{chaos: c, busy: map[*rig.Process]*sync.Mutex{}, count: map[string]*atomic.Int64{}}
	for _, p := range c.system.Processes() {
		f.busy[p] = &sync.Mutex{}
	}
	for _, kind := range []string{killing, stopping, network} {
		f.count[kind] = &atomic.Int64{}
	}
	return f
}

func (f *faults) summary() string {
	return fmt.Sprintf("%d kills, %d stops, %d on wires", f.count[killing].Load(), f.count[stopping].Load(), f.count[network].Load())
}

// run begins all kinds that were asked for; they end with ctx.
func (f *faults) run(ctx context.Context, group *sync.WaitGroup) {
	group.Go(func() { f.watch(ctx) })
	var kinds []string
	for _, kind := range []string{killing, stopping} {
		if f.has(kind) {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) > 0 {
		group.Go(func() { f.spoilProcesses(ctx, kinds, rand.New(rand.NewPCG(*f.seed, 1001))) })
	}
	if f.has(network) {
		group.Go(func() { f.spoilWires(ctx, rand.New(rand.NewPCG(*f.seed, 1002))) })
	}
}

// between gives a duration by chance.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

// watch notices programs that end by themselves, and starts them again.
func (f *faults) watch(ctx context.Context) {
	for ctx.Err() == nil {
		for p, busy := range f.busy {
			if p.Running() || !busy.TryLock() {
				continue
			}
			if !p.Running() {
				f.wrong("%s ended by itself; its log ends with\n%s", p.Name, p.LogTail())
				f.start(ctx, p)
			}
			busy.Unlock()
		}
		sleep(ctx, 100*time.Millisecond)
	}
}

// start brings a process back, even when the unrest is over meanwhile.
func (f *faults) start(ctx context.Context, p *rig.Process) {
	if err := p.Start(context.WithoutCancel(ctx)); err != nil {
		f.wrong("%s does not come back: %v", p.Name, err)
	}
}

func (f *faults) spoilProcesses(ctx context.Context, kinds []string, r *rand.Rand) {
	list := f.system.Processes()
	for {
		sleep(ctx, between(r, 300*time.Millisecond, 3*time.Second))
		if ctx.Err() != nil {
			return
		}
		p := list[r.IntN(len(list))]
		f.busy[p].Lock()
		began, kind := f.recorder.Now(), kinds[r.IntN(len(kinds))]
		if kind == killing {
			p.Kill()
			sleep(ctx, between(r, 0, 1500*time.Millisecond))
			f.start(ctx, p)
		} else {
			most := 2 * time.Second
			if r.IntN(4) == 0 {
				most = 9 * time.Second // so that others take it for dead
			}
			p.Freeze()
			sleep(ctx, between(r, 100*time.Millisecond, most))
			p.Thaw()
		}
		f.recorder.Note(began, "%s %s", kind, p.Name)
		f.count[kind].Add(1)
		f.busy[p].Unlock()
	}
}

func (f *faults) spoilWires(ctx context.Context, r *rand.Rand) {
	for {
		sleep(ctx, between(r, 300*time.Millisecond, 2500*time.Millisecond))
		if ctx.Err() != nil {
			return
		}
		w := f.system.Wires[r.IntN(len(f.system.Wires))]
		began := f.recorder.Now()
		what := f.spoil(ctx, w, r)
		if err := w.Set(faultnet.Fault{}); err != nil {
			f.wrong("%s: %v", w.Name, err)
		}
		f.recorder.Note(began, "%s %s", what, w.Name)
		f.count[network].Add(1)
	}
}

// spoil does one thing to a wire for a while and says what it was.
func (f *faults) spoil(ctx context.Context, w rig.Wire, r *rand.Rand) string {
	set := func(what string, fault faultnet.Fault) string {
		if err := w.Set(fault); err != nil {
			f.wrong("%s: %v", w.Name, err)
		}
		sleep(ctx, between(r, 300*time.Millisecond, 4*time.Second))
		return what
	}
	switch r.IntN(7) {
	case 0:
		return fmt.Sprintf("cut %d on", w.Cut())
	case 1:
		w.Cut()
		return set("refuse", faultnet.Fault{Refuse: true})
	case 2:
		return set("lose requests on", faultnet.Fault{Swallow: faultnet.ToServer})
	case 3:
		return set("lose answers on", faultnet.Fault{Swallow: faultnet.ToClient})
	case 4:
		delay := between(r, time.Millisecond, 250*time.Millisecond)
		return set(fmt.Sprintf("delay by %s", delay.Round(time.Millisecond)), faultnet.Fault{Delay: delay, Jitter: delay})
	default:
		// Orders of a move may come twice, late, from a sender who is gone. What customers
		// send may not: a hold that was refused would happen after its refusal.
		w.Cut()
		what := set("repeat orders on", faultnet.Fault{Again: isOrder})
		w.Cut()
		return what
	}
}

// isOrder tells whether a connection is a coordinator's: these have no others' requests.
func isOrder(first []byte) bool {
	line, _, _ := bytes.Cut(first, []byte("\r\n"))
	return bytes.Contains(line, []byte(" /participant/"))
}

// heal ends every fault and starts what does not run.
func (f *faults) heal(ctx context.Context) {
	for _, w := range f.system.Wires {
		if err := w.Set(faultnet.Fault{}); err != nil {
			f.wrong("%s: %v", w.Name, err)
		}
	}
	for _, p := range f.system.Processes() {
		p.Thaw()
		if !p.Running() {
			f.start(ctx, p)
		}
	}
}
