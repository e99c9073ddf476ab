package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
)

// open opens a store on a namespace of its own that owns all buckets.
func open(t testing.TB, addrs string, o redisstore.Options) *redisstore.Store {
	t.Helper()
	if o.Namespace == "" {
		o.Namespace = dbtest.Namespace()
	}
	db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addrs})
	if err != nil {
		t.Fatal(err)
	}
	s, err := redisstore.Open(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// onBoth runs a test on one server and on a Cluster.
func onBoth(t *testing.T, test func(t *testing.T, addrs string)) {
	t.Run("standalone", func(t *testing.T) { test(t, dbtest.RedisAddr(t)) })
	t.Run("cluster", func(t *testing.T) { test(t, strings.Join(dbtest.RedisCluster(t), ",")) })
}

func geometry() store.Configuration {
	return store.Configuration{ID: "A320-150.1", Seats: []string{"1A", "1B", "1C"}}
}

func flight(n int, seq int64) store.Flight {
	return store.Flight{
		FlightID: fmt.Sprintf("AA%d-JFK-20261121", n), Designator: fmt.Sprintf("AA%d", n), Date: "2026-11-21",
		Configuration: geometry().ID, Open: true, Seq: seq,
	}
}

func apply(t testing.TB, s *redisstore.Store, cursor int64, flights ...store.Flight) {
	t.Helper()
	if err := s.Apply(t.Context(), "flights", cursor, []store.Configuration{geometry()}, flights); err != nil {
		t.Fatal(err)
	}
}

// claim writes a hold without asking rules: what the store keeps is the question here.
func claim(f store.Flight, customer, holdID, seat string, ttl time.Duration) (store.Subject, func(store.State) (store.Change, error)) {
	sub := store.Subject{Bucket: bucket.Of(f.FlightID), FlightID: f.FlightID, Seats: []string{seat}, CustomerID: customer, Key: "key-" + holdID}
	return sub, func(st store.State) (store.Change, error) {
		if st.Recorded != nil {
			return store.Change{}, nil
		}
		if r, ok := st.Seats[seat]; ok && r.Taken(st.Now) {
			return store.Change{}, errs.E(errs.SeatTaken, "taken")
		}
		h := store.Hold{
			HoldID: holdID, FlightID: f.FlightID, CustomerID: customer, Token: "secret", Seats: []string{seat},
			Status: "HELD", CreatedAt: st.Now, ExpiresAt: st.Now + ttl.Microseconds(),
		}
		return store.Change{
			Put: []string{seat}, As: store.Seat{Kind: store.Held, Ref: holdID, CustomerID: customer, ExpiresAt: h.ExpiresAt},
			Hold: &h, Event: "held",
			Record: &idempotency.Record{Fingerprint: "fp", Answer: []byte(`{"hold_id":"` + holdID + `"}`), CreatedAt: st.Now},
		}, nil
	}
}

func update(t testing.TB, s *redisstore.Store, sub store.Subject, decide func(store.State) (store.Change, error)) {
	t.Helper()
	if err := s.Update(t.Context(), sub, decide); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, s store.Store, sub store.Subject) store.State {
	t.Helper()
	st, err := s.Read(t.Context(), sub)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestCatalogue(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		s := open(t, addrs, redisstore.Options{Own: true})
		odd := store.Flight{FlightID: "odd id", Designator: "AA34", Date: "2026-11-22", Configuration: "x|1,\n", Open: true, Seq: 5}
		apply(t, s, 5, flight(34, 4), odd)
		cancelled, stale := flight(34, 7), flight(34, 6)
		cancelled.Open = false
		apply(t, s, 7, cancelled, stale)

		if got := read(t, s, store.Subject{Bucket: bucket.Of("AA34-JFK-20261121"), FlightID: "AA34-JFK-20261121"}).Flight; *got != cancelled {
			t.Errorf("stored %+v, want %+v", *got, cancelled)
		}
		if got := read(t, s, store.Subject{Bucket: bucket.Of("odd id"), FlightID: "odd id"}).Flight; *got != odd {
			t.Errorf("stored %+v, want %+v", *got, odd)
		}
		seats, err := s.Geometry(t.Context(), geometry().ID)
		if err != nil || strings.Join(seats, " ") != "1A 1B 1C" {
			t.Errorf("geometry %v, %v", seats, err)
		}
		if seats, err := s.Geometry(t.Context(), "none"); seats != nil || err != nil {
			t.Errorf("unknown geometry %v, %v", seats, err)
		}
		if n, err := s.Cursor(t.Context(), "flights"); n != 7 || err != nil {
			t.Errorf("cursor %d, %v", n, err)
		}
		testNumbers(t, s)
	})
}

func testNumbers(t *testing.T, s *redisstore.Store) {
	for _, c := range []struct {
		designator, date, want string
		code                   errs.Code
	}{
		{"AA34", "2026-11-21", "AA34-JFK-20261121", ""},
		{"AA34", "2026-11-22", "odd id", ""},
		{"AA34", "2026-11-23", "", ""},
	} {
		id, err := s.FlightByNumber(t.Context(), c.designator, c.date)
		if id != c.want || errs.CodeOf(err) != c.code {
			t.Errorf("%s on %s is %q, %v", c.designator, c.date, id, err)
		}
	}
	second := flight(34, 8)
	second.FlightID = "AA34-LHR-20261121"
	apply(t, s, 8, second)
	apply(t, s, 8, second)
	if id, err := s.FlightByNumber(t.Context(), "AA34", "2026-11-21"); errs.CodeOf(err) != errs.Conflict {
		t.Errorf("two origins: %q, %v", id, err)
	}
}

func TestRecordsSurviveAnyBytes(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		s := open(t, addrs, redisstore.Options{Own: true})
		f := flight(1, 1)
		apply(t, s, 1, f)
		for i, odd := range []string{"1:2,3=4|5\n\x00\xff{b0001}", "", ":", "H9,1,x", "ü"} {
			seat := geometry().Seats[i%3]
			sub := store.Subject{Bucket: bucket.Of(f.FlightID), FlightID: f.FlightID, Seats: []string{seat}, CustomerID: odd}
			hold := &store.Hold{HoldID: "h" + odd, FlightID: f.FlightID, CustomerID: odd, Token: odd, Seats: []string{seat}, Status: odd, ExpiresAt: 3, Extensions: 2, ReservationID: odd}
			booking := &store.Reservation{ReservationID: "r" + odd, FlightID: f.FlightID, CustomerID: odd, Seats: []string{seat}, Status: odd, HoldID: odd, Related: odd}
			want := store.Seat{Kind: store.Blocked, Ref: odd, CustomerID: odd}
			update(t, s, sub, func(store.State) (store.Change, error) {
				return store.Change{Put: []string{seat}, As: want, Hold: hold, Reservation: booking, Event: odd}, nil
			})
			st := read(t, s, store.Subject{Bucket: sub.Bucket, HoldID: hold.HoldID})
			if st.Seats[seat] != want || fmt.Sprint(*st.Hold) != fmt.Sprint(*hold) || st.Flight == nil || st.Flight.Version != int64(i+1) {
				t.Errorf("%q: read %+v", odd, st)
			}
			st = read(t, s, store.Subject{Bucket: sub.Bucket, ReservationID: booking.ReservationID})
			if st.Seats[seat] != want || fmt.Sprint(*st.Reservation) != fmt.Sprint(*booking) {
				t.Errorf("%q: read %+v", odd, st)
			}
		}
	})
}

func TestFences(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		ns := dbtest.Namespace()
		stranger := open(t, addrs, redisstore.Options{Namespace: ns})
		f := flight(2, 1)
		apply(t, stranger, 1, f)
		sub, decide := claim(f, "c", "h1", "1A", time.Minute)
		refused := func(name string, mode string, err error) {
			t.Helper()
			var e *errs.Error
			if errs.CodeOf(err) != errs.Misdirected {
				t.Fatalf("%s: %v", name, err)
			}
			if e, _ = err.(*errs.Error); e.Fields["mode"] != mode { //nolint:errorlint // the store's own
				t.Errorf("%s: mode %v, want %s", name, e.Fields["mode"], mode)
			}
		}
		_, err := stranger.Read(t.Context(), sub)
		refused("read without fence", "absent", err)
		refused("write without fence", "absent", stranger.Update(t.Context(), sub, decide))

		s := open(t, addrs, redisstore.Options{Namespace: ns, Own: true})
		update(t, s, sub, decide)
		setFence(t, addrs, ns, sub.Bucket, "ro 2")
		sub2, decide2 := claim(f, "c", "h2", "1B", time.Minute)
		refused("write to ro", "ro", s.Update(t.Context(), sub2, decide2))
		if st := read(t, s, sub2); len(st.Seats) != 0 || st.Flight == nil {
			t.Errorf("read while ro: %+v", st)
		}
		setFence(t, addrs, ns, sub.Bucket, "sealed 3")
		_, err = s.Read(t.Context(), sub)
		refused("read of sealed", "sealed", err)
		_, err = s.Seats(t.Context(), f.FlightID)
		refused("seats of sealed", "sealed", err)
		open(t, addrs, redisstore.Options{Namespace: ns, Own: true})
		_, err = s.Read(t.Context(), sub)
		refused("opened again", "sealed", err)
	})
}

func setFence(t *testing.T, addrs, ns string, b int, value string) {
	t.Helper()
	client(t, addrs, func(ctx context.Context, db *redisdb.DB) error {
		return db.HSet(ctx, ns+":"+redisdb.Tag(b)+":flights", "#", value).Err()
	})
}

func client(t *testing.T, addrs string, fn func(context.Context, *redisdb.DB) error) {
	t.Helper()
	db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addrs})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := fn(t.Context(), db); err != nil {
		t.Fatal(err)
	}
}

func TestOtherBucketHashIsRefused(t *testing.T) {
	addr, ns := dbtest.RedisAddr(t), dbtest.Namespace()
	open(t, addr, redisstore.Options{Namespace: ns, Own: true})
	client(t, addr, func(ctx context.Context, db *redisdb.DB) error {
		return db.HSet(ctx, ns+":meta", "bucket_hash", "md5/7/v0").Err()
	})
	db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addr})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	_, err = redisstore.Open(t.Context(), db, redisstore.Options{Namespace: ns})
	if errs.CodeOf(err) != errs.Unsafe || !strings.Contains(err.Error(), "md5/7/v0") {
		t.Errorf("opened with %v", err)
	}
}
