package reservationslocal_test

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations"
	"banyan/modules/reservations/reservationslocal"
)

// callers share a benchmark's work, as in the targets: a hold on MariaDB against a bare
// autocommit insert with 16 connections, and the same on SQLite.
const callers = 16

func BenchmarkHold(b *testing.B) {
	for name, open := range databases() {
		b.Run(name, func(b *testing.B) { benchmarkHold(b, open(b)) })
	}
}

func BenchmarkBareInsert(b *testing.B) {
	for name, open := range databases() {
		b.Run(name, func(b *testing.B) { benchmarkInsert(b, open(b)) })
	}
}

func databases() map[string]func(testing.TB) *sqldb.DB {
	return map[string]func(testing.TB) *sqldb.DB{"SQLite": dbtest.SQLite, "MariaDB": dbtest.MySQL}
}

const (
	benchFlights = 5000
	benchSeats   = 180
)

// benchmarkHold holds one seat a call, each call on another flight than the one before.
func benchmarkHold(b *testing.B, db *sqldb.DB) {
	s := newService(b, db)
	if err := s.Feed("flights", benchLog(b)).CatchUp(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	b.SetParallelism(callers / 2) // times GOMAXPROCS, which -cpu 2 makes 16
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(n.Add(1))
			_, err := s.Hold(b.Context(), reservations.HoldRequest{
				FlightID: benchFlight(i % benchFlights), CustomerID: fmt.Sprint("customer-", i),
				Seats: []string{benchSeat(i / benchFlights % benchSeats)}, Key: fmt.Sprint("key-", i),
			})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// benchmarkInsert is what the database does at best: one durable row a call.
func benchmarkInsert(b *testing.B, db *sqldb.DB) {
	pool := db.Writer()
	if _, err := pool.ExecContext(b.Context(), "CREATE TABLE bare (id VARCHAR(32) NOT NULL PRIMARY KEY, value VARCHAR(64) NOT NULL)"); err != nil {
		b.Fatal(err)
	}
	pool.SetMaxOpenConns(callers)
	pool.SetMaxIdleConns(callers)
	var n atomic.Int64
	b.SetParallelism(callers / 2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			if _, err := pool.ExecContext(b.Context(), "INSERT INTO bare(id,value) VALUES(?,?)", fmt.Sprint("key-", i), "customer"); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func benchFlight(i int) string { return fmt.Sprintf("BB%d-JFK-20261121", i+1) }

func benchSeat(i int) string { return fmt.Sprintf("%d%c", i/6+1, "ABCDEF"[i%6]) }

// benchLog publishes a configuration and the flights.
func benchLog(b *testing.B) staticLog {
	b.Helper()
	var seats []string
	for i := range benchSeats {
		seats = append(seats, benchSeat(i))
	}
	var facts []map[string]string
	for i := range benchFlights {
		facts = append(facts, map[string]string{
			"flight_id": benchFlight(i), "designator": fmt.Sprintf("BB%d", i+1), "date": "2026-11-21",
			"configuration": "BENCH-180.1", "status": "SCHEDULED",
		})
	}
	return staticLog{
		event(b, 1, "configuration.published", map[string]any{"configuration": "BENCH-180.1", "seats": seats}),
		event(b, 2, "flight.scheduled", map[string]any{"flights": facts}),
	}
}

func event(tb testing.TB, seq int64, kind string, data any) reservationslocal.FlightEvent {
	tb.Helper()
	body, err := json.Marshal(data)
	if err != nil {
		tb.Fatal(err)
	}
	return reservationslocal.FlightEvent{Seq: seq, Type: kind, Data: body}
}
