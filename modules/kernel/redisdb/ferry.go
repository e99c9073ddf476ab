package redisdb

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	trips = 1  // under way at a time: the longer one takes, the more the next one carries
	cargo = 64 // commands of a trip

	// patience bounds how long a trip waits for those who were around at the end of the
	// one before: who was just answered often has more to ask. It also waits no longer
	// than half of what that trip took. One who is alone waits for nobody.
	patience = 300 * time.Microsecond
	spin     = 40 * time.Microsecond // of it, when callers are still asleep
)

// ferry carries commands of many callers to one server: whoever comes while enough
// trips are under way waits for the next, and shares its round trip, its system calls
// and the server's sync to disk. A caller leads the trip, so one who is alone waits
// for nobody.
type ferry struct {
	send func(ctx context.Context, load []*passage)

	mu      sync.Mutex
	under   int // trips under way
	around  int // callers at the end of the last trip: those it carried, those who waited
	took    time.Duration
	waiting []*passage
	asleep  int      // callers who have an answer and have not run since
	gathers *passage // its caller is to be told when asleep is 0
}

// passage is one command on its way, or one call that goes with others. Its flags are
// under the ferry's lock.
type passage struct {
	cmd   *redis.Cmd
	call  *Call         // instead of cmd
	leads bool          // its caller is to make a trip
	done  bool          // it has its answer
	gone  bool          // its caller has seen the answer, or given up
	wake  chan struct{} // look at the flags
}

// do runs a command at most once. If ctx ends while the command is under way, its
// outcome is unknown and it must not be looked at.
func (f *ferry) do(ctx context.Context, p *passage) error {
	f.mu.Lock()
	f.waiting = append(f.waiting, p)
	f.appoint(p)
	f.mu.Unlock()
	for {
		leads, done := f.flags(p, false)
		switch {
		case leads:
			f.gather(p)
			f.trip(ctx)
			continue
		case done:
			return p.err()
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
			return f.leave(ctx, p)
		}
	}
}

// gather lets others come along. It soon stops spinning while some have not even seen
// their answer: they may be queued behind this very caller, on the same processor.
func (f *ferry) gather(p *passage) {
	for begun := time.Now(); ; runtime.Gosched() {
		waited := time.Since(begun)
		f.mu.Lock()
		wait := min(f.took/2, patience)
		enough := len(f.waiting) >= min(f.around, cargo) || waited > wait
		sleep := !enough && f.asleep > 0 && waited > spin
		if f.gathers = nil; sleep {
			f.gathers = p
		}
		f.mu.Unlock()
		switch {
		case enough:
			return
		case sleep:
			select {
			case <-p.wake:
			case <-time.After(wait):
			}
		}
	}
}

// err is what came of it.
func (p *passage) err() error {
	if p.call != nil {
		return p.call.err
	}
	return p.cmd.Err()
}

// appoint lets p lead a trip if one may start. It is called under the lock.
func (f *ferry) appoint(p *passage) {
	if f.under < trips {
		f.under++
		p.leads = true
		p.rouse()
	}
}

// rouse makes the caller look at its flags, once, however often it is roused.
func (p *passage) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// flags tells a caller what to do, and takes the order to lead off it. Who gives up says
// so, and is not waited for.
func (f *ferry) flags(p *passage, givesUp bool) (leads, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	leads, p.leads = p.leads, false
	if p.done && !p.gone {
		if f.asleep--; f.asleep == 0 && f.gathers != nil {
			f.gathers.rouse()
		}
	}
	p.gone = p.done || givesUp
	return leads, p.done
}

// leave gives up on a command: for good if it has not left yet. An order to lead is
// carried out for the others.
func (f *ferry) leave(ctx context.Context, p *passage) error {
	f.mu.Lock()
	if at := slices.Index(f.waiting, p); at >= 0 {
		f.waiting = slices.Delete(f.waiting, at, at+1)
	}
	f.mu.Unlock()
	leads, done := f.flags(p, true)
	if leads {
		f.trip(ctx)
	}
	if done {
		return p.err()
	}
	return ctx.Err()
}

// trip carries those who wait, and lets one of those who came meanwhile lead the next.
func (f *ferry) trip(ctx context.Context) {
	f.mu.Lock()
	n := min(cargo, len(f.waiting))
	load := slices.Clone(f.waiting[:n])
	f.waiting = slices.Delete(f.waiting, 0, n)
	f.mu.Unlock()
	begun := time.Now()
	if len(load) > 0 {
		f.send(context.WithoutCancel(ctx), load)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range load {
		p.done = true
		p.rouse()
		if !p.gone {
			f.asleep++
		}
	}
	f.under--
	f.took = time.Since(begun)
	f.around = len(load) + len(f.waiting)
	if len(f.waiting) > 0 {
		f.appoint(f.waiting[0])
	}
}
