package handover

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"banyan/modules/kernel/errs"
)

const (
	refreshGap  = 5 * time.Millisecond // between readings of the journal, however many ask
	refreshTime = 5 * time.Second      // of one reading
)

// Map tells who owns which bucket, as last read from the journal or decided here. It may
// be out of date: a store that does not own a bucket says so, and Refresh then helps.
type Map struct {
	journal *Journal
	view    atomic.Pointer[view]

	publish sync.Mutex // one new view at a time; never held over I/O
	mu      sync.Mutex // guards what follows
	next    *reading   // the one that has not begun yet
	reading bool
}

// view is one state of the map and what tells that the next one is there.
type view struct {
	*Snapshot
	replaced chan struct{}
}

// reading is one look at the journal that any number of callers wait for.
type reading struct {
	done chan struct{}
	err  error
}

// Place is what the map says of a bucket.
type Place struct {
	Owner   string // the backend that answers reads and, unless Moving, writes
	Epoch   int64
	Version int64 // rises with every change of the bucket; for Await
	Moving  bool  // writes may be refused for a while
	Open    bool  // moving, but nobody here knows that it is frozen: the owner may still take writes
	Refused bool  // its stores contradict the journal: nothing must be sent there
}

func newMap(j *Journal) *Map {
	m := &Map{journal: j}
	m.view.Store(&view{&Snapshot{}, make(chan struct{})})
	return m
}

// Owner gives a bucket's place, without locks and allocations. Before Start, and for a
// number that is not a bucket's, it is refused.
func (m *Map) Owner(bucket int) Place { return m.view.Load().place(bucket) }

// Snapshot gives the state of all buckets; it must not be changed.
func (m *Map) Snapshot() *Snapshot { return m.view.Load().Snapshot }

func (s *Snapshot) place(bucket int) Place {
	if bucket < 0 || bucket >= len(s.Buckets) {
		return Place{Refused: true}
	}
	b := &s.Buckets[bucket]
	return Place{Owner: s.Names[b.Owner], Epoch: b.Epoch, Version: b.Changed, Moving: b.Phase != Idle, Open: b.Phase == Prep && !b.Frozen, Refused: b.Refused}
}

// Await returns a bucket's place when it is no longer moving, or its version is another
// than the one seen. errs: Unavailable when the context ends first, with the place as
// it is then.
func (m *Map) Await(ctx context.Context, bucket int, seen int64) (Place, error) {
	for {
		v := m.view.Load()
		if p := v.place(bucket); !p.Moving || p.Version != seen {
			return p, nil
		}
		select {
		case <-v.replaced:
		case <-ctx.Done():
			return v.place(bucket), errs.E(errs.Unavailable, "the bucket was still being moved").Because(ctx.Err())
		}
	}
}

// Refresh returns when the journal has been read since the call. Callers share readings,
// of which there is one at a time.
func (m *Map) Refresh(ctx context.Context) error {
	m.mu.Lock()
	if m.next == nil {
		m.next = &reading{done: make(chan struct{})}
	}
	r := m.next
	if !m.reading {
		m.reading = true
		go m.read(context.WithoutCancel(ctx)) // for others too
	}
	m.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return errs.E(errs.Unavailable, "the journal was not read in time").Because(ctx.Err())
	}
}

// read looks at the journal as long as somebody waits for it.
func (m *Map) read(ctx context.Context) {
	for {
		m.mu.Lock()
		r := m.next
		m.next = nil
		m.reading = r != nil
		m.mu.Unlock()
		if r == nil {
			return
		}
		r.err = m.look(ctx)
		close(r.done)
		time.Sleep(refreshGap)
	}
}

func (m *Map) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, refreshTime)
	defer cancel()
	before := m.Snapshot()
	if before.Buckets == nil {
		before = nil
	}
	after, err := m.journal.Snapshot(ctx, before)
	if err != nil || after == before {
		return err
	}
	m.swap(func(now *Snapshot) *Snapshot {
		err = after.merge(now)
		return after
	})
	return err
}

// merge takes over what was published here while the journal was read, and the marks.
func (s *Snapshot) merge(now *Snapshot) error {
	for i, b := range now.Buckets {
		if b.Changed > s.Buckets[i].Changed {
			if err := s.adopt(i, b, now.Names); err != nil {
				return err
			}
		}
		s.Buckets[i].Refused = b.Refused
		s.Buckets[i].Frozen = b.Frozen && b.Epoch == s.Buckets[i].Epoch
	}
	return nil
}

// adopt takes a bucket over from a snapshot with other names.
func (s *Snapshot) adopt(number int, b Bucket, names []string) error {
	owner, err := s.index(names[b.Owner])
	if err != nil {
		return err
	}
	target, err := s.index(names[b.Target])
	if err != nil {
		return err
	}
	b.Owner, b.Target = owner, target
	s.Buckets[number] = b
	return nil
}

// swap puts a new view in the place of the present one, and wakes those who wait.
func (m *Map) swap(next func(*Snapshot) *Snapshot) {
	m.publish.Lock()
	defer m.publish.Unlock()
	old := m.view.Load()
	m.view.Store(&view{next(old.Snapshot), make(chan struct{})})
	close(old.replaced)
}

// edit swaps in a copy that was changed.
func (m *Map) edit(change func(*Snapshot)) {
	m.swap(func(now *Snapshot) *Snapshot {
		s := *now
		s.Buckets = append([]Bucket(nil), now.Buckets...)
		change(&s)
		return &s
	})
}

// refuse marks the buckets that an audit found to be contradicted by their stores, and
// unmarks all others.
func (m *Map) refuse(buckets map[int]bool) {
	same := true
	for i, b := range m.Snapshot().Buckets {
		same = same && b.Refused == buckets[i]
	}
	if same {
		return
	}
	m.edit(func(s *Snapshot) {
		for i := range s.Buckets {
			s.Buckets[i].Refused = buckets[i]
		}
	})
}

// publish tells the map what was decided here, ahead of the journal's next reading.
func (c *Coordinator) publish(m Move, buckets []int) {
	c.owner.edit(func(s *Snapshot) {
		if s.Buckets == nil {
			return
		}
		b := Bucket{Epoch: m.Epoch, Move: m.ID, Changed: m.changed, Phase: m.Phase}
		owner, target := m.Source, m.Target
		if m.Phase == Committed || m.Phase == Ended && m.Outcome != Aborted {
			owner = m.Target
		}
		if m.Phase == Ended {
			b.Phase, b.Move, target = Idle, 0, owner
		}
		var err, fail error
		b.Owner, err = s.index(owner)
		b.Target, fail = s.index(target)
		if err != nil || fail != nil {
			return // the next reading of the journal says so
		}
		for _, n := range buckets {
			if s.Buckets[n].Changed < b.Changed {
				b.Refused = s.Buckets[n].Refused
				s.Buckets[n] = b
			}
		}
	})
}

// publishFrozen tells the map that the buckets of a move take no writes from now on, so that
// those who come wait instead of being refused.
func (c *Coordinator) publishFrozen(m Move, buckets []int) {
	c.owner.edit(func(s *Snapshot) {
		if s.Buckets == nil {
			return
		}
		for _, n := range buckets {
			if b := &s.Buckets[n]; b.Move == m.ID && b.Epoch == m.Epoch {
				b.Frozen = true
			}
		}
	})
}

// publishActive tells the map that the target of a committed move serves its buckets,
// which the journal says a moment later.
func (c *Coordinator) publishActive(m Move, buckets []int) {
	c.owner.edit(func(s *Snapshot) {
		if s.Buckets == nil {
			return
		}
		for _, n := range buckets {
			if b := &s.Buckets[n]; b.Move == m.ID && b.Phase == Committed {
				b.Phase, b.Move = Idle, 0
			}
		}
	})
}
