package redisstore_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations/internal/records"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
)

// odd are texts that careless codecs lose or mix up.
func odd() []string {
	return []string{"ann", "Ann", " ann", "ann ", "a\x00b", "\xff", "é", "e\u0301", "🚀", `"`, "a,b=1", "#", "c", "1:2", "\n", "00ff", "3d", "="}
}

// writeAtRandom fills flights by the store's own writes and tells what to ask for later.
func writeAtRandom(t *testing.T, s *redisstore.Store, r *rand.Rand, flights []store.Flight) []store.Subject {
	t.Helper()
	pick := func() string { return odd()[r.IntN(len(odd()))] }
	var asked []store.Subject
	for n := range 60 {
		f := flights[r.IntN(len(flights))]
		b, seat := bucket.Of(f.FlightID), geometry().Seats[r.IntN(3)]
		hold, booking, key := fmt.Sprintf("h%d%s", r.IntN(20), pick()), fmt.Sprintf("r%d%s", r.IntN(20), pick()), fmt.Sprintf("k%d%s", n, pick())
		customer := pick()
		sub := store.Subject{Bucket: b, FlightID: f.FlightID, Seats: []string{seat}, CustomerID: customer, Key: key}
		update(t, s, sub, func(st store.State) (store.Change, error) {
			c := store.Change{Event: "x"}
			expires := st.Now + (r.Int64N(3)-1)*time.Hour.Microseconds()
			switch r.IntN(4) {
			case 0:
				c.Put, c.As = []string{seat}, store.Seat{Kind: store.Held, Ref: hold, CustomerID: customer, ExpiresAt: expires}
				c.Hold = &store.Hold{
					HoldID: hold, FlightID: f.FlightID, CustomerID: customer, Token: pick(), Seats: []string{seat},
					Status: pick(), CreatedAt: st.Now, ExpiresAt: expires, Extensions: r.IntN(3), ReservationID: pick(),
				}
			case 1:
				c.Put, c.As = []string{seat}, store.Seat{Kind: store.Reserved, Ref: booking, CustomerID: customer}
				c.Reservation = &store.Reservation{
					ReservationID: booking, FlightID: f.FlightID, CustomerID: customer, Seats: []string{seat, "1C"},
					Status: pick(), CreatedAt: st.Now, HoldID: hold, Related: pick(),
				}
			case 2:
				c.Put, c.As = []string{seat}, store.Seat{Kind: store.Blocked, Ref: pick()}
			case 3:
				c.Free = []string{seat}
			}
			if r.IntN(2) == 0 {
				c.Record = &idempotency.Record{Fingerprint: pick(), Answer: []byte(pick()), CreatedAt: st.Now}
			}
			return c, nil
		})
		asked = append(asked, sub, store.Subject{Bucket: b, HoldID: hold}, store.Subject{Bucket: b, ReservationID: booking})
	}
	return asked
}

// TestCopiedStateIsTheSame moves random states to another store in parts of few records.
func TestCopiedStateIsTheSame(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 1))
			from, to := open(t, addrs, redisstore.Options{Own: true}), open(t, addrs, redisstore.Options{})
			flights := []store.Flight{flight(1, 1), flight(2, 2), flight(3, 3)}
			var buckets []int
			for _, f := range flights {
				buckets = append(buckets, bucket.Of(f.FlightID))
			}
			apply(t, from, 3, flights...)
			apply(t, to, 3, flights...)
			asked := writeAtRandom(t, from, r, flights)
			moveInParts(t, from, to, 2, 1+r.IntN(5), buckets)
			now := int64(0)
			for _, sub := range asked {
				was, is := read(t, from, sub), read(t, to, sub)
				now, was.Now, is.Now = was.Now, 0, 0
				if !reflect.DeepEqual(was, is) {
					t.Fatalf("seed %d at %d: %+v\nwas %+v\nis  %+v", seed, now, sub, was, is)
				}
			}
			for _, f := range flights { // and it goes on there
				for _, seat := range geometry().Seats {
					for _, customer := range odd() {
						sub := store.Subject{Bucket: bucket.Of(f.FlightID), FlightID: f.FlightID, Seats: []string{seat}, CustomerID: customer}
						update(t, to, sub, func(st store.State) (store.Change, error) {
							return store.Change{Put: []string{seat}, As: store.Seat{Kind: store.Held, Ref: "new", CustomerID: customer, ExpiresAt: st.Now + 1e9}, Event: "x"}, nil
						})
						if n := read(t, to, sub).HeldSeats; n < 1 || n > 3 {
							t.Errorf("%q holds %d seats", customer, n)
						}
					}
				}
			}
		}
	})
}

// moveInParts hands buckets over in parts of n records.
func moveInParts(t *testing.T, from, to *redisstore.Store, epoch int64, n int, buckets []int) {
	t.Helper()
	s, d := from.Participant(), to.Participant()
	order(t, d, handover.Seal, epoch, buckets...)
	order(t, s, handover.Freeze, epoch, buckets...)
	seqs := map[int]int64{}
	var small []handover.Part
	for _, part := range parts(t, s, epoch, buckets...) {
		for chunk := range slices.Chunk(part.Records, n) {
			seqs[part.Bucket]++
			small = append(small, handover.Part{Bucket: part.Bucket, Seq: seqs[part.Bucket], Records: chunk})
		}
	}
	if refused, err := d.Copy(t.Context(), epoch, small); refused != nil || err != nil {
		t.Fatal(refused, err)
	}
	had, err := s.Digest(t.Context(), epoch, buckets)
	if err != nil {
		t.Fatal(err)
	}
	if has, err := d.Digest(t.Context(), epoch, buckets); err != nil || !slices.Equal(has, had) {
		t.Fatalf("%v became %v, %v", had, has, err)
	}
	o := handover.Order{Op: handover.Activate, Epoch: epoch, Buckets: buckets}
	for _, b := range buckets {
		o.Seqs = append(o.Seqs, seqs[b])
	}
	if refused, err := d.Order(t.Context(), o); refused != nil || err != nil {
		t.Fatal(refused, err)
	}
}

// TestCountsAreRebuilt checks that what a customer holds is known when the seats came in
// different parts, and that it is written to as ever.
func TestCountsAreRebuilt(t *testing.T) {
	addr := dbtest.RedisAddr(t)
	from, to := open(t, addr, redisstore.Options{Own: true}), open(t, addr, redisstore.Options{})
	f := flight(4, 1)
	b := bucket.Of(f.FlightID)
	apply(t, from, 1, f)
	apply(t, to, 1, f)
	for seat, ttl := range map[string]time.Duration{"1A": time.Hour, "1B": time.Hour, "1C": -time.Hour} {
		sub, decide := claim(f, "ann", "h"+seat, seat, ttl)
		update(t, from, sub, decide)
	}
	moveInParts(t, from, to, 2, 1, []int{b})
	held := func() int {
		return read(t, to, store.Subject{Bucket: b, FlightID: f.FlightID, CustomerID: "ann"}).HeldSeats
	}
	if n := held(); n != 2 {
		t.Errorf("%d seats held after the move, want 2", n)
	}
	update(t, to, store.Subject{Bucket: b, HoldID: "h1A"}, func(store.State) (store.Change, error) {
		return store.Change{Free: []string{"1A"}, Event: "released"}, nil
	})
	sub, decide := claim(f, "bob", "h9", "1C", time.Hour) // ann's, expired
	update(t, to, sub, decide)
	if n := held(); n != 1 {
		t.Errorf("%d seats held after a release, want 1", n)
	}
	if v := read(t, to, sub).Flight.Version; v != 5 {
		t.Errorf("version %d, want 5", v)
	}
}

// TestHoldWithoutExpiry copies a hold that has always been expired: its customer must be
// able to write all the same.
func TestHoldWithoutExpiry(t *testing.T) {
	s := open(t, dbtest.RedisAddr(t), redisstore.Options{})
	p, f := s.Participant(), flight(7, 1)
	b := bucket.Of(f.FlightID)
	apply(t, s, 1, f)
	order(t, p, handover.Seal, 1, b)
	record := records.Seat{FlightID: f.FlightID, Seat: "1A", Kind: "H", Ref: "h0", CustomerID: "ann"}.Encode(nil)
	if refused, err := p.Copy(t.Context(), 1, []handover.Part{{Bucket: b, Seq: 1, Records: [][]byte{record}}}); refused != nil || err != nil {
		t.Fatal(refused, err)
	}
	if refused, err := p.Order(t.Context(), handover.Order{Op: handover.Activate, Epoch: 1, Buckets: []int{b}, Seqs: []int64{1}}); refused != nil || err != nil {
		t.Fatal(refused, err)
	}
	for _, seat := range geometry().Seats {
		sub, decide := claim(f, "ann", "h"+seat, seat, time.Hour)
		update(t, s, sub, decide)
	}
}

// tooMany is one answer more than a part may have.
func tooMany() (many [][]byte) {
	for n := range handover.MaxPartRecords + 1 {
		many = append(many, records.Answer{Key: fmt.Sprintf("%06d", n)}.Encode(nil))
	}
	return many
}

// TestWhatCannotBeKeptIsRefused sends lines that this store would not give back, or that
// would be taken for something else.
func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	ns := dbtest.Namespace()
	addr := dbtest.RedisAddr(t)
	s := open(t, addr, redisstore.Options{Namespace: ns})
	p := s.Participant()
	f, unknown := flight(5, 1), flight(6, 1)
	b := bucket.Of(f.FlightID)
	apply(t, s, 1, f)
	seat := func(name, kind string, expires int64) records.Record {
		return records.Seat{FlightID: f.FlightID, Seat: name, Kind: kind, Ref: "x", CustomerID: "ann", ExpiresAt: expires}
	}
	good := seat("1A", "H", 5)
	long := records.Answer{Key: "k", Answer: strings.Repeat("x", handover.MaxPartBytes)}.Encode(nil)
	cases := map[string]struct {
		records [][]byte
		code    errs.Code
	}{
		"no record":      {[][]byte{[]byte(`{}`)}, errs.Invalid},
		"a space":        {[][]byte{[]byte(strings.Replace(string(good.Encode(nil)), ",", ", ", 1))}, errs.Invalid},
		"too many":       {tooMany(), errs.Invalid},
		"too long":       {[][]byte{long, good.Encode(nil)}, errs.Invalid},
		"other bucket":   {[][]byte{records.Flight{FlightID: unknown.FlightID, Version: 1}.Encode(nil)}, errs.Invalid},
		"unknown flight": {[][]byte{records.Flight{FlightID: unknown.FlightID, Version: 1}.Encode(nil)}, errs.Conflict},
	}
	for name, record := range map[string]records.Record{
		"version as seat": seat("#", "H", 5), "count as seat": seat("cann", "H", 5), "no name": seat("", "H", 5), "two names": seat("1A,1B", "H", 5),
		"equals": seat("1=A", "H", 5), "no kind": seat("1A", "", 5), "other kind": seat("1A", "X", 5), "long kind": seat("1A", "HH", 5),
		"negative": seat("1A", "H", -5), "version 0": records.Flight{FlightID: f.FlightID},
		"fence as flight": records.Flight{FlightID: "#", Version: 1}, "huge version": records.Flight{FlightID: f.FlightID, Version: 1 << 60},
		"comma in a seat": records.Hold{HoldID: "h", FlightID: f.FlightID, Seats: []string{"1A,1B"}},
		"empty seat":      records.Reservation{ReservationID: "r", FlightID: f.FlightID, Seats: []string{""}},
	} {
		cases[name] = struct {
			records [][]byte
			code    errs.Code
		}{[][]byte{record.Encode(nil)}, errs.Invalid}
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		at := b
		switch name {
		case "unknown flight":
			at = bucket.Of(unknown.FlightID)
		case "fence as flight":
			at = bucket.Of("#")
		}
		setFence(t, addr, ns, at, "sealed 1")
		_, err := p.Copy(t.Context(), 1, []handover.Part{{Bucket: at, Seq: 1, Records: cases[name].records}})
		if errs.CodeOf(err) != cases[name].code {
			t.Errorf("%s: %v, want %s", name, err, cases[name].code)
		}
		if got := fencesOf(t, p, []int{at}); got[0].Seq != 0 || len(parts(t, p, 0, at)) != 0 {
			t.Errorf("%s: left %v and %q", name, got, lines(parts(t, p, 0, at)))
		}
	}
	if refused, err := p.Copy(t.Context(), 1, []handover.Part{{Bucket: b, Seq: 1, Records: [][]byte{long}}}); refused != nil || err != nil {
		t.Errorf("one long record: %v, %v", refused, err)
	}
}
