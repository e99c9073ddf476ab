package httpd

import (
	"sync"
	"time"
)

const (
	watchEvery = 20 * time.Millisecond
	watchIdly  = 50 // rounds without a connection before the watch ends
)

// watch begins to read from the clients of requests that have been in their handlers for
// a round or two, because a client that has left is noticed only so. Requests that are
// answered before pay two counts and a look: a connection stays in the list from its
// first request until it has had none for a round.
type watch struct {
	mu      sync.Mutex
	list    []*conn
	running bool
}

// enter is called before the handler.
func (c *conn) enter() {
	c.turn.Add(1)
	if !c.listed.Load() {
		c.srv.watch.add(c)
	}
}

// leave is called after the handler, by a hijacker at once. Afterwards nobody reads beside
// the connection's own loop.
func (c *conn) leave() {
	if c.turn.Load()%2 == 0 {
		return
	}
	c.turn.Add(1)
	if c.background.Load() || !c.bodyEnd.Load() {
		c.endRead()
	}
}

func (v *watch) add(c *conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.listed.Load() {
		return
	}
	c.listed.Store(true)
	v.list = append(v.list, c)
	if !v.running {
		v.running = true
		go v.run()
	}
}

func (v *watch) run() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for idle := 0; ; {
		<-tick.C
		if idle++; v.look() {
			idle = 0
		}
		if idle >= watchIdly && v.stop() {
			return
		}
	}
}

// look tells whether there was anything to look at.
func (v *watch) look() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	kept := v.list[:0]
	for _, c := range v.list {
		turn := c.turn.Load()
		same := turn == c.seen
		c.seen = turn
		if same && turn%2 == 0 && c.unlist(turn) {
			continue
		}
		if same && turn%2 == 1 {
			c.startBackground(turn)
		}
		kept = append(kept, c)
	}
	clear(v.list[len(kept):])
	v.list = kept
	return len(kept) > 0
}

// unlist takes a connection off the list unless it has entered a handler meanwhile: either
// enter sees that it is not listed, or this sees the entry.
func (c *conn) unlist(turn uint32) bool {
	c.listed.Store(false)
	if c.turn.Load() == turn {
		return true
	}
	c.listed.Store(true)
	return false
}

// stop ends the watch unless something began meanwhile.
func (v *watch) stop() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.running = len(v.list) > 0
	return !v.running
}

// startBackground reads a byte while the handler of that turn runs. The byte is the next
// request's; an error is the client's leaving. Either leave sees background, or this sees
// that the turn is over.
func (c *conn) startBackground(turn uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inRead || c.hasByte || c.background.Load() || !c.bodyEnd.Load() {
		return
	}
	c.background.Store(true)
	if c.turn.Load() != turn {
		c.background.Store(false)
		return
	}
	if !c.ownRead {
		_ = c.rwc.SetReadDeadline(time.Time{})
		c.armedRead = 0
	}
	c.inRead = true
	go c.readByte()
}

func (c *conn) readByte() {
	n, err := c.rwc.Read(c.pending[:])
	if n == 1 {
		c.mu.Lock()
		c.hasByte = true
		c.mu.Unlock()
	}
	c.readEnded(err)
}
