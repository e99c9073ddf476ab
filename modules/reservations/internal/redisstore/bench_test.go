package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/rules"
	"banyan/modules/reservations/internal/store"
)

// Both benchmarks run on the same Redis, which syncs every write, over 16 connections.
const (
	benchCallers = 16
	benchFlights = 2000
)

// callers runs b.N operations on 16 goroutines.
func callers(b *testing.B, op func(n int64) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range benchCallers {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := op(n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

func benchDB(b *testing.B) *redisdb.DB {
	b.Helper()
	db, err := redisdb.Open(b.Context(), redisdb.Options{Addrs: dbtest.RedisAddr(b), Connections: benchCallers})
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// seatOf walks through flights first, then seats, so that neighbours in time are on
// different flights.
func seatOf(n int64) (flight int, seat string) {
	at := n / benchFlights
	return int(n % benchFlights), strconv.FormatInt(1+at/6, 10) + string("ABCDEF"[at%6])
}

// BenchmarkHSETNX is the least that a durable claim can cost.
func BenchmarkHSETNX(b *testing.B) {
	db := benchDB(b)
	defer func() { _ = db.Close() }()
	ns := dbtest.Namespace()
	callers(b, func(n int64) error {
		f, seat := seatOf(n)
		return db.HSetNX(context.Background(), ns+":flights:"+strconv.Itoa(f), seat, "customer-"+strconv.FormatInt(n, 10)).Err()
	})
}

// BenchmarkHoldRedis is a hold with all its rules.
func BenchmarkHoldRedis(b *testing.B) {
	db := benchDB(b)
	s, err := redisstore.Open(b.Context(), db, redisstore.Options{Namespace: dbtest.Namespace(), Own: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	flights := make([]store.Flight, benchFlights)
	for i := range flights {
		flights[i] = flight(i+1, 1)
	}
	all := geometry
	all.Seats = nil
	for row := 1; row <= 900; row++ {
		for _, c := range "ABCDEF" {
			all.Seats = append(all.Seats, fmt.Sprintf("%d%c", row, c))
		}
	}
	if err := s.Apply(b.Context(), "flights", 1, []store.Configuration{all}, flights); err != nil {
		b.Fatal(err)
	}
	g := rules.Geometry(sortedCopy(all.Seats))
	for _, f := range flights {
		read(b, s, store.Subject{Bucket: bucket.Of(f.FlightID), FlightID: f.FlightID})
	}
	p := rules.Policy{HeldPerFlight: 9}
	callers(b, func(n int64) error {
		f, seat := seatOf(n)
		id := flights[f].FlightID
		r := reservations.HoldRequest{FlightID: id, CustomerID: "customer-" + strconv.FormatInt(n, 10), Seats: []string{seat}}
		key := "bench-" + strconv.FormatInt(n, 10)
		bk := bucket.Of(id)
		in := rules.HoldInput{
			Step:   rules.Step{Key: key, Fingerprint: idempotency.Fingerprint("hold", r)},
			HoldID: bucket.NewID("h", bk), Token: bucket.NewID("t", bk), FlightID: id, CustomerID: r.CustomerID, Seats: r.Seats, TTL: 10 * time.Minute,
		}
		sub := store.Subject{Bucket: bk, FlightID: id, Seats: r.Seats, CustomerID: r.CustomerID, Key: key}
		return s.Update(context.Background(), sub, func(st store.State) (store.Change, error) {
			_, c, err := p.Hold(st, g, in)
			return c, err
		})
	})
}

func sortedCopy(seats []string) []string {
	c := slices.Clone(seats)
	slices.Sort(c)
	return c
}
