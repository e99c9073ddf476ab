package store_test

import (
	"bytes"
	"fmt"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/store"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
)

// plain is a flight that can be scheduled; n tells them apart.
func plain(n int) store.Plan {
	r := store.Row{
		Designator: fmt.Sprintf("AA%d", n), Carrier: "AA", Origin: "JFK", Destination: "ATL",
		Departure: wall.Of(20261121, 900), DepartureUTC: 1e9, Arrival: wall.Of(20261121, 1100), ArrivalUTC: 1e9 + 7200,
		Currency: "EUR", Fares: store.Fares{100},
	}
	r.FlightID = fmt.Sprintf("AA%d-JFK-20261121", n)
	return store.Plan{
		Row: r, Geometry: seatMap("A320", 20, 4, 0), Key: fmt.Sprintf("key-%d", n), Fingerprint: "f",
		Answer: func(r store.Row, _ store.Configuration) flights.Flight { return flights.Flight{FlightID: r.FlightID} },
	}
}

func schedule(t *testing.T, s *store.Store, n int) store.Row {
	t.Helper()
	p := plain(n)
	if _, err := s.Schedule(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	row, ok, err := s.Flight(t.Context(), p.Row.FlightID)
	if err != nil || !ok {
		t.Fatalf("%s: %v, %v", p.Row.FlightID, ok, err)
	}
	return row
}

func give(t *testing.T, p handover.Participant, op handover.Op, epoch int64, b int, seqs ...int64) {
	t.Helper()
	refused, err := p.Order(t.Context(), handover.Order{Op: op, Epoch: epoch, Buckets: []int{b}, Seqs: seqs})
	if err != nil || len(refused) > 0 {
		t.Fatalf("%s: refused %v, %v", op, refused, err)
	}
}

// move hands a bucket over.
func move(t *testing.T, from, to handover.Participant, epoch int64, b int) {
	t.Helper()
	give(t, to, handover.Seal, epoch, b)
	give(t, from, handover.Freeze, epoch, b)
	var seq int64
	if err := from.Export(t.Context(), epoch, []int{b}, func(p handover.Part) error {
		seq = p.Seq
		refused, err := to.Copy(t.Context(), epoch, []handover.Part{p})
		if len(refused) > 0 {
			t.Errorf("refused: %v", refused)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	one, err := from.Digest(t.Context(), epoch, []int{b})
	if err != nil {
		t.Fatal(err)
	}
	two, err := to.Digest(t.Context(), epoch, []int{b})
	if err != nil || one[0] != two[0] {
		t.Fatalf("digests %v and %v, %v", one, two, err)
	}
	give(t, from, handover.SealSource, epoch, b)
	give(t, to, handover.Activate, epoch, b, seq)
}

// pairs runs a test with a store that owns everything and one that starts empty.
func pairs(t *testing.T, test func(t *testing.T, home, away *store.Store)) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		other := dbtest.SQLite(t)
		migrate(t, other)
		test(t, store.New(db, store.Options{}), store.New(other, store.Options{Empty: true}))
	})
}

// Writes want an active fence, reads one that is active or read-only; both say so by 421.
func TestWhoMayReadAndWrite(t *testing.T) {
	pairs(t, func(t *testing.T, home, away *store.Store) {
		row := schedule(t, home, 34)
		b := bucket.Of(row.FlightID)
		changed := row
		changed.Stops = 3
		want := func(s *store.Store, what string, read, write errs.Code) {
			t.Helper()
			_, _, err := s.Flight(t.Context(), row.FlightID)
			if errs.CodeOf(err) != read {
				t.Errorf("%s: read gives %v", what, err)
			}
			_, changing := s.Change(t.Context(), row, changed, nil)
			_, scheduling := s.Schedule(t.Context(), plain(34))
			if errs.CodeOf(changing) != write || errs.CodeOf(scheduling) != write {
				t.Errorf("%s: change gives %v, schedule %v", what, changing, scheduling)
			}
		}
		want(away, "away, absent", errs.Misdirected, errs.Misdirected)
		give(t, home.Participant(), handover.Freeze, 2, b)
		want(home, "frozen", "", errs.Misdirected)
		give(t, home.Participant(), handover.SealSource, 2, b)
		want(home, "sealed", errs.Misdirected, errs.Misdirected)
		give(t, home.Participant(), handover.Recover, 3, b)
		if _, err := home.Change(t.Context(), row, changed, nil); err != nil {
			t.Errorf("active again: %v", err)
		}
		rows, _, err := home.Search(t.Context(), &store.Query{Sort: flights.ByDeparture, Limit: 5})
		if err != nil || len(rows) != 1 || rows[0].Stops != 3 {
			t.Errorf("search finds %v, %v", rows, err)
		}
	})
}

// A sealed bucket is left out of what is found, also by a process that saw it active.
func TestSearchLeavesOutWhatIsNotServed(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s, other := store.New(db, store.Options{}), store.New(db, store.Options{})
		var all []store.Row
		for n := range 6 {
			all = append(all, schedule(t, s, 100+n))
		}
		found := func(s *store.Store, want int, serves bool) {
			t.Helper()
			for _, sort := range []flights.Sort{flights.ByDeparture, flights.ByPrice} {
				rows, v, err := s.Search(t.Context(), &store.Query{Sort: sort, Limit: 50})
				if err != nil || len(rows) != want || v.Buckets.Has(bucket.Of(all[0].FlightID)) != serves {
					t.Errorf("found %d, serves %v, %v; want %d", len(rows), v.Buckets.Len(), err, want)
				}
			}
			rows, _, err := s.Departing(t.Context(), all[0].Designator, all[0].Departure)
			if err != nil || (len(rows) == 1) != serves {
				t.Errorf("by time: %v, %v", rows, err)
			}
			if rows, _, err = s.Next(t.Context(), all[0].Designator, 2e9); err != nil || (len(rows) == 1) != serves {
				t.Errorf("by number: %v, %v", rows, err)
			}
		}
		found(s, 6, true)
		found(other, 6, true)
		give(t, s.Participant(), handover.Freeze, 2, bucket.Of(all[0].FlightID))
		found(other, 6, true)
		give(t, s.Participant(), handover.SealSource, 2, bucket.Of(all[0].FlightID))
		found(other, 5, false)
		found(s, 5, false)
		give(t, s.Participant(), handover.Recover, 3, bucket.Of(all[0].FlightID))
		found(other, 6, true)
	})
}

// The numbers of a flight's events rise over both stores; an answer under a key moves.
func TestEventsAndAnswersGoOnAfterAMove(t *testing.T) {
	pairs(t, func(t *testing.T, home, away *store.Store) {
		for n := range 5 {
			schedule(t, home, 200+n)
		}
		row := schedule(t, home, 34)
		for n := range 5 {
			schedule(t, home, 300+n)
		}
		last := map[bool]int64{}
		b := bucket.Of(row.FlightID)
		var before int64
		for epoch, s := range []*store.Store{home, away, home, away} {
			if epoch > 0 {
				from := home
				if s == home {
					from = away
				}
				move(t, from.Participant(), s.Participant(), int64(epoch+1), b)
			}
			answer, err := s.Schedule(t.Context(), plain(34))
			if err != nil || !answer.Replayed {
				t.Fatalf("the key after %d moves: %v, %v", epoch, answer.Replayed, err)
			}
			want := row
			want.Stops = epoch + 1
			if row, err = s.Change(t.Context(), row, want, nil); err != nil {
				t.Fatal(err)
			}
			events, err := s.Events(t.Context(), flights.Stream, flights.FlightChanged, last[s == home], 100)
			if err != nil || len(events) != 1 || events[0].Seq <= before {
				t.Fatalf("after %d moves, the change is %v, %v; the one before was %d", epoch, events, err, before)
			}
			before, last[s == home] = events[0].Seq, events[0].Seq
		}
	})
}

// Two stores never give different configurations the same name.
func TestConfigurationsHaveNamesOfTheirSide(t *testing.T) {
	pairs(t, func(t *testing.T, home, away *store.Store) {
		one, err := home.Ensure(t.Context(), seatMap("A320", 20, 4, 0))
		if err != nil {
			t.Fatal(err)
		}
		two, err := away.Ensure(t.Context(), seatMap("A320", 22, 2, 0))
		if err != nil || two.ID == one.ID || two.ID != "A320-24.1001" {
			t.Errorf("home has %s, away %s, %v", one.ID, two.ID, err)
		}
	})
}

// A record that cannot be in its bucket spoils the whole copy, what comes before it included.
func TestCopyRefusesForeignRecords(t *testing.T) {
	pairs(t, func(t *testing.T, _, away *store.Store) {
		p, b := away.Participant(), 42
		give(t, p, handover.Seal, 2, b)
		for name, line := range map[string][]byte{
			"no record": []byte(`{"record":"something"}`),
			"elsewhere": bytes.Join(samples(t, b+1, 1)[5:], nil),
			"no key":    []byte(`{"record":"answer","key":"","fingerprint":"f","created_at":1,"answer":"{}"}`),
		} {
			var parts []handover.Part // more than a transaction takes
			for seq := range int64(handoversql.AtOnce) {
				parts = append(parts, handover.Part{Bucket: b, Seq: seq + 1})
			}
			parts[0].Records = samples(t, b, 1)
			parts = append(parts, handover.Part{Bucket: b, Seq: handoversql.AtOnce + 1, Records: [][]byte{line}})
			if _, err := p.Copy(t.Context(), 2, parts); errs.CodeOf(err) != errs.Invalid {
				t.Errorf("%s: %v", name, err)
			}
			st, err := p.Status(t.Context(), []int{b})
			d, unread := p.Digest(t.Context(), 2, []int{b})
			if err != nil || unread != nil || st.Fences[0].Seq != 0 || d[0].Records != 0 {
				t.Errorf("%s: something was stored: %v, %v (%v, %v)", name, st.Fences, d, err, unread)
			}
		}
	})
}

// An import, and the sample, meet a store that does not own everything.
func TestImportWantsEverything(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s := store.New(db, store.Options{})
		a, b := plain(1).Row, plain(2).Row
		a.Configuration, b.Configuration = "x", "x"
		give(t, s.Participant(), handover.Freeze, 2, bucket.Of(b.FlightID))
		if _, err := s.InsertFlights(t.Context(), []store.Row{a}, &store.Run{ID: "r"}); errs.CodeOf(err) != errs.Unsafe {
			t.Errorf("an import: %v", err)
		}
		if err := s.OwnsAll(t.Context()); errs.CodeOf(err) != errs.Unsafe {
			t.Errorf("OwnsAll: %v", err)
		}
		if n, err := s.InsertFlights(t.Context(), []store.Row{a, b}, nil); err != nil || n != 1 {
			t.Errorf("a sample: %d, %v", n, err)
		}
		give(t, s.Participant(), handover.Reactivate, 3, bucket.Of(b.FlightID))
		if n, err := s.InsertFlights(t.Context(), []store.Row{a, b}, &store.Run{ID: "r"}); err != nil || n != 1 {
			t.Errorf("an import: %d, %v", n, err)
		}
	})
}
