package store_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/store"
)

// side is a store with its database and its part in handovers.
type side struct {
	handover.Participant
	db *sqldb.DB
	s  *store.SQL
}

// open makes a store that knows some flights; one that does not own them has no fences.
func open(t *testing.T, db *sqldb.DB, owns bool, flights []string) side {
	t.Helper()
	migrate(t, db)
	s, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: owns})
	if err != nil {
		t.Fatal(err)
	}
	var known []store.Flight
	for _, id := range flights {
		known = append(known, store.Flight{FlightID: id, Designator: "AA1", Date: "2026-11-21", Configuration: "A", Open: true, Seq: 1})
	}
	if err := s.Apply(t.Context(), "flights", 7, nil, known); err != nil {
		t.Fatal(err)
	}
	return side{Participant: s.Participant(), db: db, s: s}
}

// sides runs a test with a source and a target of each pair of dialects.
func sides(t *testing.T, flights []string, run func(t *testing.T, source, target side)) {
	kinds := map[string]func(testing.TB) *sqldb.DB{"SQLite": dbtest.SQLite, "MariaDB": dbtest.MySQL}
	for from, openSource := range kinds {
		for to, openTarget := range kinds {
			t.Run(from+"To"+to, func(t *testing.T) {
				run(t, open(t, openSource(t), true, flights), open(t, openTarget(t), false, flights))
			})
		}
	}
}

// flightIDs are flights of few or many buckets.
func flightIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("AA%d-JFK-20261121", i+1)
	}
	return ids
}

func bucketsOf(flights []string) []int {
	var all []int
	for _, id := range flights {
		all = append(all, bucket.Of(id))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// hold makes a hold as rules do, and gives it.
func hold(t *testing.T, s store.Store, flight, seat, customer, key string, answer []byte) store.Hold {
	t.Helper()
	b := bucket.Of(flight)
	h := store.Hold{HoldID: bucket.NewID(bucket.HoldPrefix, b), FlightID: flight, CustomerID: customer, Token: "token of " + key, Seats: []string{seat, "9A"}, Status: "HELD"}
	err := s.Update(t.Context(), store.Subject{Bucket: b, FlightID: flight, Seats: []string{seat}, CustomerID: customer, Key: key},
		func(st store.State) (store.Change, error) {
			h.CreatedAt, h.ExpiresAt = st.Now, st.Now+time.Hour.Microseconds()
			return store.Change{
				Put: []string{seat}, As: store.Seat{Kind: store.Held, Ref: h.HoldID, CustomerID: customer, ExpiresAt: h.ExpiresAt},
				Hold: &h, Event: "held", Record: &idempotency.Record{Fingerprint: "f" + key, Answer: answer, CreatedAt: st.Now},
			}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// confirm turns a hold into a reservation.
func confirm(t *testing.T, s store.Store, h store.Hold, key string) store.Reservation {
	t.Helper()
	b := bucket.Of(h.FlightID)
	r := store.Reservation{ReservationID: bucket.NewID(bucket.ReservationPrefix, b), FlightID: h.FlightID, CustomerID: h.CustomerID, Seats: h.Seats, Status: "CONFIRMED", HoldID: h.HoldID}
	err := s.Update(t.Context(), store.Subject{Bucket: b, HoldID: h.HoldID, Key: key}, func(st store.State) (store.Change, error) {
		if st.Hold == nil {
			return store.Change{}, errs.E(errs.HoldUnknown, "gone")
		}
		done := *st.Hold
		done.Status, done.ReservationID, r.CreatedAt = "CONFIRMED", r.ReservationID, st.Now
		return store.Change{
			Put: []string{h.Seats[0]}, As: store.Seat{Kind: store.Reserved, Ref: r.ReservationID, CustomerID: h.CustomerID},
			Hold: &done, Reservation: &r, Event: "confirmed", Record: &idempotency.Record{Fingerprint: "f" + key, Answer: json.RawMessage(`{"r":1}`)},
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fill books something on each flight.
func fill(t *testing.T, s store.Store, flights []string) (holds []store.Hold, bookings []store.Reservation) {
	t.Helper()
	for i, id := range flights {
		answer := []byte(fmt.Sprintf(`{"n":%d, "text":"<é\u2028 \"x\"> %c"}`, i, 'a'+i%26)) // not as json.Marshal writes it
		holds = append(holds, hold(t, s, id, "1A", fmt.Sprintf("customer%d", i%3), fmt.Sprintf("key-%d", i), answer))
		h := hold(t, s, id, "1a", "9E12", fmt.Sprintf("Key-%d", i), answer) // other seat and key, but for case
		bookings = append(bookings, confirm(t, s, h, fmt.Sprintf("007-%d", i)))
		if err := s.Update(t.Context(), store.Subject{Bucket: bucket.Of(id), FlightID: id, Seats: []string{"2B"}}, func(store.State) (store.Change, error) {
			return store.Change{Put: []string{"2B"}, As: store.Seat{Kind: store.Blocked, Ref: "broken \"\\ é <b> 9E12"}, Event: "blocked"}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return holds, bookings
}

// export gives the parts of buckets, copied.
func export(t *testing.T, p handover.Participant, epoch int64, buckets []int) []handover.Part {
	t.Helper()
	var parts []handover.Part
	if err := p.Export(t.Context(), epoch, buckets, func(part handover.Part) error {
		parts = append(parts, part)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return parts
}

// give orders and wants nothing refused.
func give(t *testing.T, p handover.Participant, op handover.Op, epoch int64, buckets []int, seqs ...int64) {
	t.Helper()
	refused, err := p.Order(t.Context(), handover.Order{Op: op, Epoch: epoch, Buckets: buckets, Seqs: seqs})
	if err != nil || len(refused) > 0 {
		t.Fatalf("%s in epoch %d: refused %v (%v)", op, epoch, refused, err)
	}
}

// move hands buckets over in an epoch and wants both sides to have the same.
func move(t *testing.T, source, target handover.Participant, epoch int64, buckets []int) {
	t.Helper()
	give(t, target, handover.Seal, epoch, buckets)
	give(t, source, handover.Freeze, epoch, buckets)
	parts := export(t, source, epoch, buckets)
	seqs := make([]int64, len(buckets))
	for _, part := range parts {
		seqs[slices.Index(buckets, part.Bucket)] = part.Seq
	}
	for rest := parts; len(rest) > 0; {
		n := min(3, len(rest))
		if refused, err := target.Copy(t.Context(), epoch, rest[:n]); err != nil || len(refused) > 0 {
			t.Fatalf("copy: refused %v (%v)", refused, err)
		}
		rest = rest[n:]
	}
	same(t, source, target, epoch, buckets)
	give(t, source, handover.SealSource, epoch, buckets)
	give(t, target, handover.Activate, epoch, buckets, seqs...)
}

func same(t *testing.T, a, b handover.Participant, epoch int64, buckets []int) {
	t.Helper()
	one, err := a.Digest(t.Context(), epoch, buckets)
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.Digest(t.Context(), epoch, buckets)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(one, two) {
		before, after := export(t, a, epoch, buckets), export(t, b, epoch, buckets)
		for i := range min(len(before), len(after)) {
			t.Logf("source\n%s\ntarget\n%s", bytes.Join(before[i].Records, []byte("\n")), bytes.Join(after[i].Records, []byte("\n")))
		}
		t.Fatalf("digests differ:\n%v\n%v", one, two)
	}
}

// Whatever was booked goes on elsewhere as if nothing had happened, and back again.
func TestBookingsGoOnAfterAMove(t *testing.T) {
	flights := flightIDs(12)
	buckets := bucketsOf(flights)
	slices.Reverse(buckets) // not in the order of the tables
	sides(t, flights, func(t *testing.T, source, target side) {
		holds, bookings := fill(t, source.s, flights)
		before := state(t, source.s, flights[3])
		move(t, source, target, 5, buckets)
		if _, err := source.s.Seats(t.Context(), flights[3]); errs.CodeOf(err) != errs.Misdirected {
			t.Errorf("the source is read: %v", err)
		}
		goesOn(t, target.s, flights, before, holds, bookings)
		move(t, target, source, 6, buckets) // what was there must not be in the way
		if st := state(t, source.s, flights[3]); st.Flight.Version != before.Flight.Version+2 || st.Seats["3C"].Kind != store.Held {
			t.Errorf("after coming back: version %d, seats %v", st.Flight.Version, st.Seats)
		}
		if st, err := source.s.Read(t.Context(), store.Subject{Bucket: bucket.Of(flights[3]), FlightID: flights[3], Key: "new-3"}); err != nil || st.Recorded == nil {
			t.Errorf("the answer given elsewhere is %v (%v)", st.Recorded, err)
		}
	})
}

func state(t *testing.T, s store.Store, flight string) store.State {
	t.Helper()
	st, err := s.Seats(t.Context(), flight)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// goesOn uses what came with the move.
func goesOn(t *testing.T, s store.Store, flights []string, before store.State, holds []store.Hold, bookings []store.Reservation) {
	t.Helper()
	after := state(t, s, flights[3])
	if after.Flight.Version != before.Flight.Version || fmt.Sprint(after.Seats) != fmt.Sprint(before.Seats) {
		t.Errorf("version %d, seats %v; were %d, %v", after.Flight.Version, after.Seats, before.Flight.Version, before.Seats)
	}
	for i, id := range flights {
		b := bucket.Of(id)
		st, err := s.Read(t.Context(), store.Subject{Bucket: b, FlightID: id, CustomerID: fmt.Sprintf("customer%d", i%3), Key: fmt.Sprintf("key-%d", i), Seats: []string{"1A"}})
		want := fmt.Sprintf(`{"n":%d, "text":"<é\u2028 \"x\"> %c"}`, i, 'a'+i%26)
		if err != nil || st.Recorded == nil || string(st.Recorded.Answer) != want || st.Recorded.Fingerprint != fmt.Sprintf("fkey-%d", i) || st.Recorded.CreatedAt != holds[i].CreatedAt {
			t.Fatalf("the answer of %s is %+v (%v)", id, st.Recorded, err)
		}
		if st.HeldSeats != 1 || st.Seats["1A"].Ref != holds[i].HoldID {
			t.Errorf("%s has %+v and counts %d", id, st.Seats, st.HeldSeats)
		}
		if st, err = s.Read(t.Context(), store.Subject{Bucket: b, HoldID: holds[i].HoldID}); err != nil || st.Hold == nil || fmt.Sprint(*st.Hold) != fmt.Sprint(holds[i]) {
			t.Errorf("the hold is %+v (%v)", st.Hold, err)
		}
		if st, err = s.Read(t.Context(), store.Subject{Bucket: b, ReservationID: bookings[i].ReservationID}); err != nil || st.Reservation == nil || fmt.Sprint(*st.Reservation) != fmt.Sprint(bookings[i]) {
			t.Errorf("the reservation is %+v (%v)", st.Reservation, err)
		}
	}
	confirm(t, s, holds[3], "again-3")
	hold(t, s, flights[3], "3C", "bob", "new-3", []byte(`{}`))
	if st := state(t, s, flights[3]); st.Flight.Version != before.Flight.Version+2 {
		t.Errorf("version %d after two more writes, was %d", st.Flight.Version, before.Flight.Version)
	}
}

// Copied answers age one by one, whatever the order they came in.
func TestCopiedAnswersAreSwept(t *testing.T) {
	flights := flightIDs(1)
	sides(t, flights, func(t *testing.T, source, target side) {
		for i := range 6 {
			hold(t, source.s, flights[0], fmt.Sprintf("%dA", i+1), "ann", fmt.Sprintf("k%d", i), []byte(`{}`))
		}
		for _, key := range []string{"k1", "k3", "k5"} { // the newest too
			exec(t, source.db, "UPDATE events SET created_at=created_at-? WHERE request_key=?", 25*time.Hour.Microseconds(), key)
		}
		move(t, source, target, 2, bucketsOf(flights))
		if n := sweepAll(t, target.s); n == 0 {
			t.Error("nothing went")
		}
		for i := range 6 {
			st, err := target.s.Read(t.Context(), store.Subject{Bucket: bucket.Of(flights[0]), FlightID: flights[0], Key: fmt.Sprintf("k%d", i)})
			if err != nil || (st.Recorded != nil) != (i%2 == 0) || st.Flight.Version != 6 {
				t.Errorf("k%d: %+v, version %d (%v)", i, st.Recorded, st.Flight.Version, err)
			}
		}
	})
}
