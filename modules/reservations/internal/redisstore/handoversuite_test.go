package redisstore_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handovertest"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/records"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
)

// TestConformance compares the store with the model of all participants.
func TestConformance(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		s := open(t, addrs, redisstore.Options{})
		flights := map[int]store.Flight{}
		var buckets []int
		for n := range 10 {
			f := flight(n, 1)
			apply(t, s, 1, f)
			flights[bucket.Of(f.FlightID)] = f
			buckets = append(buckets, bucket.Of(f.FlightID))
		}
		handovertest.Run(t, s.Participant(), handovertest.Options{
			Buckets: buckets, Epoch: 1,
			Records: func(b int) [][]byte { return recordsOf(flights[b].FlightID, b == buckets[3]) },
		})
	})
}

// recordsOf has some records of each kind; more than a part has, if large.
func recordsOf(flightID string, large bool) [][]byte {
	list := []records.Record{records.Flight{FlightID: flightID, Version: 7}}
	answers := 3
	if large {
		answers = handover.MaxPartRecords + 20
	}
	for n := range answers {
		list = append(list, records.Answer{Key: fmt.Sprintf("key %04d\x00", n), Fingerprint: "00ff", CreatedAt: int64(n), Answer: `{"ü":"\u0000"}`})
	}
	for n := range 12 {
		seat, customer := fmt.Sprintf("%dA", n+1), odd()[n%3]
		list = append(list,
			records.Hold{HoldID: fmt.Sprint("h", n), FlightID: flightID, CustomerID: customer, Token: "t", Seats: []string{seat, "90F"}, Status: "HELD", ExpiresAt: 5, Extensions: n},
			records.Reservation{ReservationID: fmt.Sprint("r", n), FlightID: flightID, CustomerID: customer, Seats: []string{seat}, Status: "CONFIRMED"},
			records.Seat{FlightID: flightID, Seat: seat, Kind: []string{"H", "R", "B"}[n%3], Ref: "x", CustomerID: customer, ExpiresAt: int64(5 * (n % 2))})
	}
	lines := make([][]byte, len(list))
	for i, r := range list {
		lines[i] = r.Encode(nil)
	}
	slices.SortFunc(lines, bytes.Compare)
	return lines
}

// TestOrdersAreNotRepeated keeps a server busy until the client loses patience: what the
// server does afterwards must have been sent a single time.
func TestOrdersAreNotRepeated(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		const b = 77
		r := openRaw(t, addrs, dbtest.Namespace())
		db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addrs, Timeout: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		s, err := redisstore.Open(t.Context(), db, redisstore.Options{Namespace: r.ns, AcceptDataLoss: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		p := s.Participant()
		for epoch := int64(1); epoch < 100; epoch++ {
			if _, err := p.Order(t.Context(), handover.Order{Op: handover.Seal, Epoch: epoch, Buckets: []int{b}}); err == nil {
				break // the server knows the script now
			}
		}
		before := scriptsRun(t, r.db)
		busy := make(chan error, 1)
		go func() {
			const loop = `local function now() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end
				local t = now() while now() - t < 500 do end return 1`
			busy <- r.db.Eval(context.WithoutCancel(t.Context()), loop, []string{r.key(b, "x")}).Err()
		}()
		sent := int64(0)
		for err = nil; err == nil && sent < 5000; {
			sent++
			_, err = p.Order(t.Context(), handover.Order{Op: handover.Seal, Epoch: 1000 + sent, Buckets: []int{b}})
		}
		if errs.CodeOf(err) != errs.Unavailable {
			t.Fatalf("the server was busy, but the order's outcome was %v", err)
		}
		if err := <-busy; err != nil {
			t.Fatal(err)
		}
		// The last one, whose outcome is unknown, may not have arrived.
		if got := scriptsRun(t, r.db) - before; got > sent || got < sent-1 {
			t.Errorf("%d orders were carried out %d times", sent, got)
		}
	})
}

// scriptsRun counts, on all servers, the scripts that were run by digest.
func scriptsRun(t *testing.T, db *redisdb.DB) int64 {
	t.Helper()
	var total atomic.Int64
	err := db.EachMaster(t.Context(), func(ctx context.Context, c *redis.Client) error {
		info, err := c.Info(ctx, "commandstats").Result()
		if err != nil {
			return err
		}
		if _, rest, ok := strings.Cut(info, "cmdstat_evalsha:calls="); ok {
			calls, _, _ := strings.Cut(rest, ",")
			n, err := strconv.ParseInt(calls, 10, 64)
			total.Add(n)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return total.Load()
}
