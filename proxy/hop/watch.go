package hop

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	watchEvery = 20 * time.Millisecond
	watchIdly  = 50 // rounds without an exchange before the watch ends
)

// watch ends exchanges whose request's context has ended, which is how a client that
// left is noticed. It looks at all of them now and then, because asking each context to
// tell costs more than the rest of an exchange's bookkeeping.
type watch struct {
	mu      sync.Mutex
	active  []*conn
	running bool
}

// add begins to watch a connection for a request.
func (v *watch) add(ctx context.Context, k *conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	k.request, k.place, k.ended = ctx, len(v.active), false
	v.active = append(v.active, k)
	if !v.running {
		v.running = true
		go v.run()
	}
}

// remove ends it, and tells whether the exchange was left alone. Afterwards nobody
// touches the connection's deadlines any more.
func (v *watch) remove(k *conn) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	last := len(v.active) - 1
	v.active[last].place = k.place
	v.active[k.place], v.active[last] = v.active[last], nil
	v.active = v.active[:last]
	k.request = nil
	return !k.ended
}

func (v *watch) run() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for idle := 0; idle < watchIdly; {
		<-tick.C
		if idle++; v.look() {
			idle = 0
		}
		if idle == watchIdly && !v.stop() {
			idle = 0
		}
	}
}

// look tells whether there was anything to watch. An exchange that ended is told again
// in every round: whoever set a deadline meanwhile did not know.
func (v *watch) look() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range v.active {
		err := k.request.Err()
		// A bound on the whole request ends with the answer's head; streams have theirs.
		if err == nil || (k.begun.Load() && errors.Is(err, context.DeadlineExceeded)) {
			continue
		}
		k.ended = true
		_ = k.SetDeadline(time.Unix(1, 0))
	}
	return len(v.active) > 0
}

// stop ends the watch unless something began meanwhile.
func (v *watch) stop() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.running = len(v.active) > 0
	return !v.running
}
