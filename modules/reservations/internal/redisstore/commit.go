package redisstore

import (
	"context"
	"fmt"
	"math"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations/internal/store"
)

// commit sends the change with everything it rests on. Not done means that something
// was otherwise and nothing was written.
func (s *Store) commit(ctx context.Context, sub store.Subject, l *snapshot, c store.Change, from, to int64) (done bool, err error) {
	args, err := l.arguments(sub, c, from, to)
	if err != nil {
		return false, err
	}
	base := s.base(sub.Bucket)
	keys := []string{s.buckets[sub.Bucket], base + "s:" + l.flightID, base + "day"}
	sent := s.clock.Elapsed()
	answer, err := s.join(ctx, s.scripts.commit, sub.Bucket, keys, args)
	if err != nil {
		return false, err
	}
	switch a := answer.(type) {
	case string:
		return false, misdirected(sub.Bucket, a)
	case int64:
		s.clock.Learn(-a, sent, s.clock.Elapsed())
		return false, nil
	case []any:
		if len(a) != 3 {
			break
		}
		w := acknowledged{fence: text(a[2]), flight: l.flightID}
		w.at, _ = a[0].(int64)
		w.version, _ = a[1].(int64)
		s.clock.Learn(w.at, sent, s.clock.Elapsed())
		s.trust.wrote(sub.Bucket, w)
		return true, nil
	}
	return false, fmt.Errorf("redisstore: commit answered %v", answer)
}

// arguments are those of commit.lua for one change.
func (l *snapshot) arguments(sub store.Subject, c store.Change, from, to int64) ([]string, error) {
	if err := l.change(c); err != nil {
		return nil, err
	}
	if c.Record != nil && sub.Key == "" {
		return nil, errs.E(errs.Internal, "redisstore: an answer to record without a key")
	}
	a := sections{list: make([]string, 0, 19+4*len(l.fields))}
	a.add("", l.fence, itoa(from), itoa(to), l.flightID, l.flight, packEvent(l.Now, c))
	a.from = len(a.list)
	l.addSeen(&a)
	key := "i" + sub.Key // there is no record without a key
	a.add(key)
	if sub.HoldID != "" {
		a.add("h" + sub.HoldID)
	}
	a.end()
	if l.recorded != "" || l.hold != "" {
		a.add(l.recorded)
		if sub.HoldID != "" {
			a.add(l.hold)
		}
	}
	a.end()
	l.addBecomes(&a)
	if c.Hold != nil {
		a.add("h"+c.Hold.HoldID, packHold(c.Hold))
	}
	if c.Record != nil {
		a.add(key, packRecord(c.Record))
	}
	a.end()
	l.addReservations(&a, sub, c)
	a.end()
	if a.tooMany {
		return nil, errs.E(errs.Internal, "redisstore: a change of more than %d values", math.MaxUint8)
	}
	a.list[0] = string(a.counts[:])
	return a.list, nil
}

// sections are the arguments of commit.lua, and how many each section has.
type sections struct {
	list    []string
	counts  [8]byte
	n, from int // number and first argument of the section
	tooMany bool
}

func (a *sections) add(values ...string) { a.list = append(a.list, values...) }

// end begins the next section.
func (a *sections) end() {
	size := len(a.list) - a.from
	a.tooMany = a.tooMany || size > math.MaxUint8
	a.counts[a.n] = byte(size)
	a.n, a.from = a.n+1, len(a.list)
}

// addSeen adds the fields of seats and, unless all were absent, what they were.
func (l *snapshot) addSeen(a *sections) {
	absent := true
	for _, f := range l.fields {
		a.add(f.name)
		absent = absent && f.had == ""
	}
	a.end()
	for _, f := range l.fields {
		if !absent {
			a.add(f.had)
		}
	}
	a.end()
}

// addBecomes adds which fields of seats go, and what others become.
func (l *snapshot) addBecomes(a *sections) {
	for _, f := range l.fields {
		if f.becomes == "" {
			a.add(f.name)
		}
	}
	a.end()
	for _, f := range l.fields {
		if f.becomes != "" && f.becomes != unchanged {
			a.add(f.name, f.becomes)
		}
	}
	a.end()
}

// addReservations adds the one that was asked for and the one that is written, which must
// be new if it is another.
func (l *snapshot) addReservations(a *sections, sub store.Subject, c store.Change) {
	asked, id, becomes := sub.ReservationID, "", ""
	if c.Reservation != nil {
		id, becomes = c.Reservation.ReservationID, packReservation(c.Reservation)
	}
	if asked == id {
		if id != "" {
			a.add(id, l.reservation, becomes)
		}
		return
	}
	if asked != "" {
		a.add(asked, l.reservation, "")
	}
	if id != "" {
		a.add(id, "", becomes)
	}
}
