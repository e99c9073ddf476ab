package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/records"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
)

// order gives an order that must be accepted.
func order(t *testing.T, p handover.Participant, op handover.Op, epoch int64, buckets ...int) {
	t.Helper()
	refused, err := p.Order(t.Context(), handover.Order{Op: op, Epoch: epoch, Buckets: buckets, Seqs: seqs(op, len(buckets))})
	if err != nil || refused != nil {
		t.Fatalf("%s(%d): refused by %+v, %v", op, epoch, refused, err)
	}
}

// seqs are those of buckets into which nothing was copied.
func seqs(op handover.Op, n int) []int64 {
	if op != handover.Activate {
		return nil
	}
	return make([]int64, n)
}

// parts exports buckets.
func parts(t *testing.T, p handover.Participant, epoch int64, buckets ...int) []handover.Part {
	t.Helper()
	var list []handover.Part
	err := p.Export(t.Context(), epoch, buckets, func(part handover.Part) error {
		list = append(list, part)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// lines are the records of parts in their order.
func lines(list []handover.Part) []string {
	var all []string
	for _, p := range list {
		for _, r := range p.Records {
			all = append(all, string(r))
		}
	}
	return all
}

// TestExportedLines has one record of each kind.
func TestExportedLines(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		s := open(t, addrs, redisstore.Options{Own: true})
		f := flight(1, 1)
		b := bucket.Of(f.FlightID)
		apply(t, s, 1, f)
		sub := store.Subject{Bucket: b, FlightID: f.FlightID, Seats: []string{"1A", "1B"}, CustomerID: "ann", Key: "k é"}
		update(t, s, sub, func(store.State) (store.Change, error) {
			return store.Change{Put: []string{"1B"}, As: store.Seat{Kind: store.Blocked, Ref: "wet\n"}, Event: "blocked"}, nil
		})
		update(t, s, sub, func(store.State) (store.Change, error) {
			return store.Change{
				Put:         []string{"1A"},
				As:          store.Seat{Kind: store.Held, Ref: "h1", CustomerID: "ann", ExpiresAt: 9},
				Hold:        &store.Hold{HoldID: "h1", FlightID: f.FlightID, CustomerID: "ann", Token: "t", Seats: []string{"1B", "1A"}, Status: "HELD", CreatedAt: 8, ExpiresAt: 9},
				Reservation: &store.Reservation{ReservationID: "r1", FlightID: f.FlightID, CustomerID: "\xff", Status: "CONFIRMED", CreatedAt: 7},
				Record:      &idempotency.Record{Fingerprint: "00ff", Answer: []byte(`{"a":1}`), CreatedAt: 6},
				Event:       "odd",
			}, nil
		})
		want := []string{
			`{"record":"answer","key":"k \u00e9","fingerprint":"00ff","created_at":6,"answer":"{\"a\":1}"}`,
			`{"record":"flight","flight_id":"AA1-JFK-20261121","version":2}`,
			`{"record":"hold","hold_id":"h1","flight_id":"AA1-JFK-20261121","customer_id":"ann","token":"t","seats":["1B","1A"],"status":"HELD","created_at":8,"expires_at":9,"extensions":0,"reservation_id":""}`,
			`{"record":"reservation","reservation_id":"r1","flight_id":"AA1-JFK-20261121","customer_id":{"base64":"/w=="},"seats":[],"status":"CONFIRMED","created_at":7,"hold_id":"","related":""}`,
			`{"record":"seat","flight_id":"AA1-JFK-20261121","seat":"1A","kind":"H","ref":"h1","customer_id":"ann","expires_at":9}`,
			`{"record":"seat","flight_id":"AA1-JFK-20261121","seat":"1B","kind":"B","ref":"wet\u000a","customer_id":"","expires_at":0}`,
		}
		got := parts(t, s.Participant(), 1, b)
		if len(got) != 1 || got[0].Bucket != b || got[0].Seq != 1 || !slices.Equal(lines(got), want) {
			t.Errorf("exported %d parts:\n%s\nwant\n%s", len(got), strings.Join(lines(got), "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestExportChecksTheFence(t *testing.T) {
	s := open(t, dbtest.RedisAddr(t), redisstore.Options{})
	p := s.Participant()
	order(t, p, handover.Seal, 5, 1, 2)
	for _, c := range []struct {
		epoch   int64
		buckets []int
		code    errs.Code
	}{
		{0, []int{1, 2}, ""},
		{5, []int{2, 1}, ""},
		{4, []int{1}, errs.Misdirected},
		{6, []int{1}, errs.Misdirected},
		{0, []int{1, 3}, errs.Misdirected},
		{0, []int{1, 1}, errs.Invalid},
		{0, []int{10000}, errs.Invalid},
	} {
		err := p.Export(t.Context(), c.epoch, c.buckets, func(handover.Part) error { return nil })
		_, digest := p.Digest(t.Context(), c.epoch, c.buckets)
		if errs.CodeOf(err) != c.code || errs.CodeOf(digest) != c.code {
			t.Errorf("epoch %d of %v: %v, %v; want %q", c.epoch, c.buckets, err, digest, c.code)
		}
	}
}

// observer counts pipelines, and calls before with the names of each one's commands.
type observer struct {
	pipelines int
	before    func(names []string)
}

func (o *observer) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (o *observer) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (o *observer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		o.pipelines++
		names := make([]string, len(commands))
		for i, c := range commands {
			names[i] = c.Name()
		}
		if o.before != nil {
			o.before(names)
		}
		return next(ctx, commands)
	}
}

func openObserved(t *testing.T, addrs, ns string) (*redisstore.Store, *observer) {
	t.Helper()
	db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addrs})
	if err != nil {
		t.Fatal(err)
	}
	o := &observer{}
	db.AddHook(o)
	s, err := redisstore.Open(t.Context(), db, redisstore.Options{Namespace: ns, Own: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, o
}

// TestExportNoticesWhoInterferes changes a bucket between the look at it and the reading.
func TestExportNoticesWhoInterferes(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		ns := dbtest.Namespace()
		s, o := openObserved(t, addrs, ns)
		other := open(t, addrs, redisstore.Options{Namespace: ns}).Participant()
		p := s.Participant()
		f := flight(3, 1)
		b := bucket.Of(f.FlightID)
		apply(t, s, 1, f)
		version := records.Flight{FlightID: f.FlightID, Version: 2}.Encode(nil)
		for name, c := range map[string]struct {
			fence     string
			interfere func()
			code      errs.Code
		}{
			"nobody":      {"ro 2", func() {}, ""},
			"reactivate":  {"ro 2", func() { order(t, other, handover.Reactivate, 3, b) }, errs.Misdirected},
			"seal source": {"ro 2", func() { order(t, other, handover.SealSource, 2, b) }, errs.Misdirected},
			"purge":       {"sealed 2", func() { order(t, other, handover.Purge, 2, b) }, errs.Conflict},
			"copy": {"sealed 2", func() {
				if refused, err := other.Copy(t.Context(), 2, []handover.Part{{Bucket: b, Seq: 1, Records: [][]byte{version}}}); refused != nil || err != nil {
					t.Fatal(refused, err)
				}
			}, errs.Conflict},
		} {
			setFence(t, addrs, ns, b, "active 1")
			sub, decide := claim(f, "ann", "h"+name, "1A", 0)
			update(t, s, sub, decide)
			setFence(t, addrs, ns, b, c.fence)
			once := false
			o.before = func(names []string) {
				if slices.Contains(names, "hgetall") && !once {
					once = true
					c.interfere()
				}
			}
			got := 0
			err := p.Export(t.Context(), 2, []int{b}, func(handover.Part) error { got++; return nil })
			if errs.CodeOf(err) != c.code || (got > 0) != (c.code == "") || !once {
				t.Errorf("%s: %d parts, %v; want %q", name, got, err, c.code)
			}
			o.before = nil
			client(t, addrs, func(ctx context.Context, db *redisdb.DB) error {
				return db.HDel(ctx, ns+":"+redisdb.Tag(b)+":flights", "# seq").Err()
			})
		}
	})
}

func TestManyEmptyBucketsCostFewTrips(t *testing.T) {
	s, o := openObserved(t, dbtest.RedisAddr(t), dbtest.Namespace())
	buckets := make([]int, handover.MaxBuckets)
	for i := range buckets {
		buckets[i] = i * 10
	}
	const most = 5
	o.pipelines = 0
	if got := parts(t, s.Participant(), 1, buckets...); len(got) != 0 || o.pipelines > most {
		t.Errorf("%d parts of empty buckets in %d trips, at most %d wanted", len(got), o.pipelines, most)
	}
	o.pipelines = 0
	order(t, s.Participant(), handover.Freeze, 2, buckets...)
	if o.pipelines > most {
		t.Errorf("an order cost %d trips, at most %d wanted", o.pipelines, most)
	}
}

// TestLargeBucket has hashes that are read page by page, and records of many sizes.
func TestLargeBucket(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		ns := dbtest.Namespace()
		s := open(t, addrs, redisstore.Options{Namespace: ns, Own: true})
		p, r := s.Participant(), openRaw(t, addrs, ns)
		const b, holds = 42, 2500
		values := make([]any, 0, 2*holds)
		for n := range holds {
			answer := strings.Repeat("x", n)
			values = append(values, fmt.Sprintf("ikey-%d", n), fmt.Sprintf("1:53:=fp%d:%s", len(answer), answer))
		}
		values = append(values, "ihuge", "1:53:=fp"+fmt.Sprintf("%d:", 2*handover.MaxPartBytes)+strings.Repeat("x", 2*handover.MaxPartBytes))
		for chunk := range slices.Chunk(values, 1000) {
			if err := r.db.HSet(t.Context(), r.key(b, "day"), chunk...).Err(); err != nil {
				t.Fatal(err)
			}
		}
		order(t, p, handover.Freeze, 2, b)
		list := parts(t, p, 2, b)
		for i, part := range list {
			size := 0
			for _, line := range part.Records {
				size += len(line)
			}
			if n := len(part.Records); part.Seq != int64(i+1) || n == 0 || n > handover.MaxPartRecords || size > handover.MaxPartBytes && n > 1 {
				t.Errorf("part %d has number %d, %d records, %d bytes", i, part.Seq, n, size)
			}
		}
		all := lines(list)
		if len(all) != holds+1 || !slices.IsSorted(all) || len(slices.Compact(all)) != holds+1 {
			t.Errorf("%d records in %d parts, want %d in order", len(all), len(list), holds+1)
		}
		to := open(t, addrs, redisstore.Options{}).Participant()
		order(t, to, handover.Seal, 2, b)
		if refused, err := to.Copy(t.Context(), 2, list); err != nil || refused != nil {
			t.Fatal(refused, err)
		}
		had, _ := p.Digest(t.Context(), 2, []int{b})
		has, err := to.Digest(t.Context(), 2, []int{b})
		if err != nil || !slices.Equal(had, has) || has[0].Records != holds+1 {
			t.Errorf("%v became %v, %v", had, has, err)
		}
	})
}
