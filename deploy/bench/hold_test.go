package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	migrations "banyan/migrations/reservations"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations"
	"banyan/modules/reservations/reservationslocal"
)

// Flights to sell on, enough that callers spread over them as in real life.
const (
	flightCount = 20_000
	seatRows    = 60
	seatColumns = "ABCDEFGHJK"
)

// BenchmarkHoldSQLite holds one seat a call, against durable autocommit inserts of one
// row by as many callers.
func BenchmarkHoldSQLite(b *testing.B) {
	db := dbtest.SQLite(b)
	contest{base: insertOneByOne(b, db), product: hold(b, onSQL(b, db)), atLeast: 3}.run(b)
}

// BenchmarkHoldMariaDB is the same against single-row autocommit inserts in MariaDB.
func BenchmarkHoldMariaDB(b *testing.B) {
	db := dbtest.MySQL(b)
	contest{base: insertOneByOne(b, db), product: hold(b, onSQL(b, db)), atLeast: 0.5}.run(b)
}

// BenchmarkHoldRedis is against raw HSETNX, which claims a seat and nothing else.
func BenchmarkHoldRedis(b *testing.B) {
	db, namespace := redisFor(b), dbtest.Namespace()
	raw := func(ctx context.Context, n int) error {
		flight, seat := place(n)
		return db.HSetNX(ctx, namespace+":raw:"+flight, seat, "c-1").Err()
	}
	contest{base: raw, product: hold(b, onRedis(b, db)), atLeast: 0.7}.run(b)
}

func redisFor(b *testing.B) *redisdb.DB {
	b.Helper()
	db, err := redisdb.Open(b.Context(), redisdb.Options{Addrs: dbtest.RedisAddr(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

func onRedis(b *testing.B, db *redisdb.DB) *reservationslocal.Service {
	b.Helper()
	svc, err := reservationslocal.NewRedis(b.Context(), db, reservationslocal.Options{Namespace: dbtest.Namespace(), Own: true})
	if err != nil {
		b.Fatal(err)
	}
	return svc
}

func onSQL(b *testing.B, db *sqldb.DB) *reservationslocal.Service {
	b.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err == nil {
		_, err = m.Up(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	svc, err := reservationslocal.NewSQL(b.Context(), db, reservationslocal.Options{Own: true})
	if err != nil {
		b.Fatal(err)
	}
	return svc
}

// insertOneByOne claims a seat the plain way: one row, one commit.
func insertOneByOne(b *testing.B, db *sqldb.DB) func(context.Context, int) error {
	b.Helper()
	const table = "CREATE TABLE bare (flight_id VARCHAR(32) NOT NULL, seat VARCHAR(4) NOT NULL, customer_id VARCHAR(64) NOT NULL, PRIMARY KEY (flight_id, seat))"
	pool := db.Writer()
	pool.SetMaxIdleConns(2 * callers) // a connection for each caller, kept
	if _, err := pool.ExecContext(b.Context(), table); err != nil {
		b.Fatal(err)
	}
	return func(ctx context.Context, n int) error {
		flight, seat := place(n)
		_, err := pool.ExecContext(ctx, "INSERT INTO bare(flight_id,seat,customer_id) VALUES(?,?,?)", flight, seat, "c-1")
		return err
	}
}

// hold calls the service as its HTTP edge does.
func hold(b *testing.B, svc *reservationslocal.Service) func(context.Context, int) error {
	b.Helper()
	if err := svc.Feed("bench", schedule{}).CatchUp(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	return func(ctx context.Context, n int) error {
		flight, seat := place(n)
		_, err := svc.Hold(ctx, reservations.HoldRequest{
			FlightID: flight, CustomerID: fmt.Sprint("c-", n), Seats: []string{seat}, Key: fmt.Sprint("k-", n),
		})
		return err
	}
}

// place gives each number a seat of its own, flight after flight.
func place(n int) (flight, seat string) {
	n, f := n/flightCount, n%flightCount
	return flightID(f), fmt.Sprintf("%d%c", n/len(seatColumns)%seatRows+1, seatColumns[n%len(seatColumns)])
}

func flightID(n int) string { return fmt.Sprintf("BN%d-JFK-202701%02d", n/28+1, n%28+1) }

// schedule publishes the benchmark's flights: a configuration, then a thousand flights
// an event.
type schedule struct{}

func (schedule) Events(_ context.Context, since int64, _ int) ([]reservationslocal.FlightEvent, error) {
	if since > 0 {
		return nil, nil
	}
	const batch = 1000
	list := []reservationslocal.FlightEvent{
		event(1, "configuration.published", map[string]any{"configuration": "BENCH-600.1", "seats": seats()}),
	}
	for first := 0; first < flightCount; first += batch {
		facts := make([]map[string]string, batch)
		for i := range facts {
			facts[i] = fact(first + i)
		}
		list = append(list, event(int64(len(list)+1), "flight.scheduled", map[string]any{"flights": facts}))
	}
	return list, nil
}

func fact(n int) map[string]string {
	return map[string]string{
		"flight_id": flightID(n), "designator": fmt.Sprintf("BN%d", n/28+1), "date": fmt.Sprintf("2027-01-%02d", n%28+1),
		"configuration": "BENCH-600.1", "status": "SCHEDULED",
	}
}

func event(seq int64, kind string, data any) reservationslocal.FlightEvent {
	body, err := json.Marshal(data)
	if err != nil {
		panic(err) // maps of strings always marshal
	}
	return reservationslocal.FlightEvent{Seq: seq, ID: fmt.Sprint(seq), Type: kind, Data: body}
}

func seats() []string {
	var list []string
	for row := range seatRows {
		for _, column := range seatColumns {
			list = append(list, fmt.Sprintf("%d%c", row+1, column))
		}
	}
	return list
}
