package redisstore

import (
	"context"
	"fmt"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/store"
)

// snapshot is the state of a subject together with the records it was read from, which
// a commit compares.
type snapshot struct {
	store.State
	fence       string // "" in a guess: any active one
	flightID    string
	flight      string
	hold        string
	reservation string
	recorded    string
	fields      []field // of the flight's hash
}

// field is a seat's record or, under "c" and the customer, which seats are held.
type field struct{ name, had, becomes string }

// unchanged is what a field becomes that is only compared.
const unchanged = "="

// counts names the field of a customer's count.
func counts(customer string) string { return "c" + customer }

// find gives a field that was loaded, or nil.
func (l *snapshot) find(name string) *field {
	for i := range l.fields {
		if l.fields[i].name == name {
			return &l.fields[i]
		}
	}
	return nil
}

// Read implements store.Store.
func (s *Store) Read(ctx context.Context, sub store.Subject) (store.State, error) {
	loaded, err := s.load(ctx, sub)
	return loaded.State, redisdb.Fail(err)
}

// load reads the subject in one trip. Its bucket must be active or ro.
func (s *Store) load(ctx context.Context, sub store.Subject) (snapshot, error) {
	args := make([]any, 0, 5+len(sub.Seats))
	args = append(args, sub.FlightID, sub.HoldID, sub.ReservationID, sub.Key, sub.CustomerID)
	for _, seat := range sub.Seats {
		args = append(args, seat)
	}
	sent := s.clock.Elapsed()
	answer, err := s.run(ctx, s.scripts.load, sub.Bucket, args)
	if err != nil {
		return snapshot{}, err
	}
	fields, ok := answer.([]any)
	if !ok || len(fields) != 10 {
		return snapshot{}, fmt.Errorf("redisstore: load answered %v", answer)
	}
	now, ok := text(fields[0]), true
	l := snapshot{
		fence: text(fields[1]), flightID: text(fields[2]), flight: text(fields[3]),
		hold: text(fields[5]), reservation: text(fields[6]), recorded: text(fields[7]),
	}
	l.fields = appendFields(appendFields(nil, "", fields[8]), counts(""), fields[9])
	l.Now = number(now, &ok)
	if !ok {
		return snapshot{}, fmt.Errorf("redisstore: load answered the time %q", now)
	}
	s.clock.Learn(l.Now, sent, s.clock.Elapsed())
	s.trust.saw(sub.Bucket, l.fence)
	if err := readable(sub.Bucket, l.fence); err != nil {
		return snapshot{}, err
	}
	return l, s.unpack(&l, sub, text(fields[4]))
}

// unpack fills the state from the records.
func (s *Store) unpack(l *snapshot, sub store.Subject, version string) (err error) {
	if l.flight != "" {
		f, err := unpackFlight(l.flightID, l.flight)
		if err != nil {
			return err
		}
		s.flights.Put(l.flightID, &knownFlight{record: l.flight, flight: f})
		ok := true
		if version != "" {
			f.Version = number(version, &ok)
		}
		if !ok {
			return errDamaged("version", version)
		}
		l.Flight = &f
	}
	if l.hold != "" {
		if l.Hold, err = unpackHold(sub.HoldID, l.hold); err != nil {
			return err
		}
	}
	if l.reservation != "" {
		if l.Reservation, err = unpackReservation(sub.ReservationID, l.reservation); err != nil {
			return err
		}
	}
	if l.recorded != "" {
		if l.Recorded, err = unpackRecord(l.recorded); err != nil {
			return err
		}
	}
	l.State.Seats = make(map[string]store.Seat, len(l.fields))
	for _, f := range l.fields {
		switch {
		case f.had == "":
		case f.name == counts(sub.CustomerID):
			held, err := unpackCounted(f.had)
			if err != nil {
				return err
			}
			l.HeldSeats = held.active(l.Now)
		case f.name[0] != 'c':
			if l.State.Seats[f.name], err = unpackSeat(f.had); err != nil {
				return err
			}
		}
	}
	return nil
}

// Seats implements store.Store.
func (s *Store) Seats(ctx context.Context, flightID string) (store.State, error) {
	b := bucket.Of(flightID)
	answer, err := s.run(ctx, s.scripts.seats, b, []any{flightID})
	if err != nil {
		return store.State{}, err
	}
	fields, ok := answer.([]any)
	if !ok || len(fields) != 4 {
		return store.State{}, redisdb.Fail(fmt.Errorf("redisstore: seats answered %v", answer))
	}
	s.trust.saw(b, text(fields[1]))
	if err := readable(b, text(fields[1])); err != nil {
		return store.State{}, err
	}
	l := snapshot{flightID: flightID, flight: text(fields[2]), fields: appendFields(nil, "", fields[3])}
	version := ""
	if f := l.find("#"); f != nil {
		version, f.had = f.had, ""
	}
	l.Now = number(text(fields[0]), &ok)
	return l.State, redisdb.Fail(s.unpack(&l, store.Subject{FlightID: flightID}, version))
}

// readable refuses a bucket whose fence is neither active nor ro.
func readable(b int, fence string) error {
	mode, _ := modeOf(fence)
	if mode == store.ModeActive || mode == store.ModeReadOnly || mutant.ReadsWhileSealed && mode == store.ModeSealed {
		return nil
	}
	return misdirected(b, fence)
}

// text reads a bulk string of an answer; nil is "".
func text(v any) string {
	t, _ := v.(string)
	return t
}

// appendFields reads a flat list of names and records. A nil ends a list that Lua made,
// so the last record may be missing.
func appendFields(to []field, prefix string, v any) []field {
	flat, _ := v.([]any)
	for i := 0; i < len(flat); i += 2 {
		f := field{name: prefix + text(flat[i]), becomes: unchanged}
		if i+1 < len(flat) {
			f.had = text(flat[i+1])
		}
		to = append(to, f)
	}
	return to
}

func misdirected(b int, fence string) error {
	mode, epoch := modeOf(fence)
	if mode == "" {
		mode = "absent"
	}
	return errs.E(errs.Misdirected, "bucket %d is not served here (%s)", b, mode).
		With("bucket", b).With("epoch", epoch).With("mode", mode)
}
