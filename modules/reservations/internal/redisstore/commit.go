package redisstore

import (
	"context"
	"fmt"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations/internal/store"
)

// commit sends the change with everything it rests on. Not done means that something
// was otherwise and nothing was written.
func (s *Store) commit(ctx context.Context, sub store.Subject, l snapshot, c store.Change, from, to int64) (done bool, err error) {
	args, err := l.arguments(sub, c, from, to)
	if err != nil {
		return false, err
	}
	base := s.base(sub.Bucket)
	keys := []any{s.buckets[sub.Bucket], base + "s:" + l.flightID, base + "day"}
	sent := s.clock.Elapsed()
	answer, err := s.run(ctx, s.scripts.commit, sub.Bucket, keys, args)
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
func (l *snapshot) arguments(sub store.Subject, c store.Change, from, to int64) ([]any, error) {
	if err := l.change(c); err != nil {
		return nil, err
	}
	written, err := written(sub, c)
	if err != nil {
		return nil, err
	}
	compared := [][2]string{{"i" + sub.Key, l.recorded}} // of the day; no key has no record
	if sub.HoldID != "" {
		compared = append(compared, [2]string{"h" + sub.HoldID, l.hold})
	}
	removed, set := 0, 0
	for _, f := range l.fields {
		switch f.becomes {
		case "":
			removed++
		case unchanged:
		default:
			set += 2
		}
	}
	args := make([]any, 0, 19+4*len(l.fields)+len(written))
	args = append(args, 0, l.fence, from, to, l.flightID, l.flight, packEvent(l.Now, c),
		len(l.fields), len(compared), removed, set, len(written))
	args = l.appendFields(args)
	for _, of := range compared {
		args = append(args, of[0])
	}
	for _, of := range compared {
		args = append(args, of[1])
	}
	args = append(l.appendBecomes(args), written...)
	args = l.appendReservations(args, sub, c)
	args[0] = len(args)
	return args, nil
}

// appendFields adds the fields of seats and what they were.
func (l *snapshot) appendFields(args []any) []any {
	for _, f := range l.fields {
		args = append(args, f.name)
	}
	for _, f := range l.fields {
		args = append(args, f.had)
	}
	return args
}

// appendBecomes adds which fields of seats go, and what others become.
func (l *snapshot) appendBecomes(args []any) []any {
	for _, f := range l.fields {
		if f.becomes == "" {
			args = append(args, f.name)
		}
	}
	for _, f := range l.fields {
		if f.becomes != "" && f.becomes != unchanged {
			args = append(args, f.name, f.becomes)
		}
	}
	return args
}

// written is what is written into the bucket's day: fields and records.
func written(sub store.Subject, c store.Change) ([]any, error) {
	if c.Record != nil && sub.Key == "" {
		return nil, errs.E(errs.Internal, "redisstore: an answer to record without a key")
	}
	values := make([]any, 0, 4)
	if c.Hold != nil {
		values = append(values, "h"+c.Hold.HoldID, packHold(c.Hold))
	}
	if c.Record != nil {
		values = append(values, "i"+sub.Key, packRecord(c.Record))
	}
	return values, nil
}

// appendReservations adds the one that was asked for and the one that is written, which
// must be new if it is another.
func (l *snapshot) appendReservations(args []any, sub store.Subject, c store.Change) []any {
	asked, id, becomes := sub.ReservationID, "", ""
	if c.Reservation != nil {
		id, becomes = c.Reservation.ReservationID, packReservation(c.Reservation)
	}
	switch {
	case asked == id && id != "":
		return append(args, asked, l.reservation, becomes)
	case asked != "":
		args = append(args, asked, l.reservation, "")
	}
	if id != "" {
		args = append(args, id, "", becomes)
	}
	return args
}
