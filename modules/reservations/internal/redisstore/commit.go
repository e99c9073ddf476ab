package redisstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations/internal/store"
)

// commit sends the change with everything it rests on. Not done means that something
// was otherwise and nothing was written.
func (s *Store) commit(ctx context.Context, sub store.Subject, l *snapshot, c store.Change, from, to int64) (done bool, err error) {
	if err := l.change(c); err != nil {
		return false, err
	}
	sent := s.clock.Elapsed()
	answer, err := s.write(ctx, sub, l, c, from, to)
	if err != nil {
		return false, err
	}
	switch a := answer.(type) {
	case []any:
		if len(a) == 1 {
			return false, misdirected(sub.Bucket, text(a[0]))
		}
	case int64:
		s.clock.Learn(a, sent, s.clock.Elapsed())
		return false, nil
	case string:
		at, rest, _ := strings.Cut(a, " ")
		version, fence, ok := strings.Cut(rest, " ")
		w := acknowledged{fence: fence, flight: l.flightID, at: number(at, &ok), version: number(version, &ok)}
		if !ok {
			break
		}
		s.clock.Learn(w.at, sent, s.clock.Elapsed())
		s.trust.wrote(sub.Bucket, w)
		return true, nil
	}
	return false, fmt.Errorf("redisstore: commit answered %v", answer)
}

// write calls the script that is made for the change.
func (s *Store) write(ctx context.Context, sub store.Subject, l *snapshot, c store.Change, from, to int64) (any, error) {
	if l.isClaim(c) {
		return s.join(ctx, s.scripts.claim, sub.Bucket, s.buckets[sub.Bucket:sub.Bucket+1], l.claim(sub, c))
	}
	packed, err := l.packed(sub, c, from, to)
	if err != nil {
		return nil, err
	}
	base := s.base(sub.Bucket)
	keys := []string{s.buckets[sub.Bucket], base + "s:" + l.flightID, base + "day"}
	return s.join(ctx, s.scripts.commit, sub.Bucket, keys, []string{packed})
}

// packed is the argument of commit.lua for one change.
func (l *snapshot) packed(sub store.Subject, c store.Change, from, to int64) (string, error) {
	if c.Record != nil && sub.Key == "" {
		return "", errs.E(errs.Internal, "redisstore: an answer to record without a key")
	}
	a := pack(from, to)
	a.add(l.fence, l.flightID, l.flight)
	event := ""
	if c.Record == nil {
		event = packEvent(l.Now, c)
	}
	a.add(event)
	a.texts = 0 // these are always there
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
		a.add(key, packAnswered(c.Record, c, l.flightID))
	}
	a.end()
	l.addReservations(&a, sub, c)
	a.end()
	if a.tooMuch {
		return "", errs.E(errs.Internal, "redisstore: a change with more than %d values or one of more than %d bytes", math.MaxUint8, math.MaxUint16)
	}
	return string(a.bytes), nil
}

// sections are the texts of a change for commit.lua, one behind the other, and how many
// each section has.
type sections struct {
	bytes   []byte // begin with the counts
	n       int    // number of the section
	texts   int    // in the section
	tooMuch bool
}

const usual = 1024 // bytes of a change, and more than those of a record

func pack(from, to int64) sections {
	b := make([]byte, len("fedxrswv"), usual)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(from)))
	return sections{bytes: binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(to)))}
}

func (a *sections) add(texts ...string) {
	for _, t := range texts {
		a.tooMuch = a.tooMuch || len(t) > math.MaxUint16
		a.bytes = binary.LittleEndian.AppendUint16(a.bytes, uint16(len(t))) //nolint:gosec // refused if too much
		a.bytes = append(a.bytes, t...)
	}
	a.texts += len(texts)
}

// end begins the next section.
func (a *sections) end() {
	a.tooMuch = a.tooMuch || a.texts > math.MaxUint8
	a.bytes[a.n] = byte(a.texts)
	a.n, a.texts = a.n+1, 0
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
