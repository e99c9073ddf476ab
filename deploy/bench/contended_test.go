package bench_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/reservations"
	"banyan/modules/reservations/reservationslocal"
)

// Contention, against holds of as many callers that are spread over all flights.

func BenchmarkContendedSQLite(b *testing.B)  { contended(b, onSQL(b, dbtest.SQLite(b))) }
func BenchmarkContendedMariaDB(b *testing.B) { contended(b, onSQL(b, dbtest.MySQL(b))) }
func BenchmarkContendedRedis(b *testing.B)   { contended(b, onRedis(b, redisFor(b))) }

func contended(b *testing.B, svc *reservationslocal.Service) {
	spread := hold(b, svc)
	var hot atomic.Int64
	// Seats that no spread hold reaches, flight after flight.
	one := func(ctx context.Context, _ int) error {
		const seats = 500
		n := int(hot.Add(1))
		return holdSeat(ctx, svc, n, flightID(n/seats), fmt.Sprintf("%d%c", n%seats/10+11, seatColumns[n%10]))
	}
	taken := func(ctx context.Context, n int) error {
		if err := holdSeat(ctx, svc, n, flightID(flightCount-1-n%10), "60K"); err == nil {
			return fmt.Errorf("%d held a seat that is taken", n)
		}
		return nil
	}
	for n := range 10 {
		if err := holdSeat(b.Context(), svc, -1-n, flightID(flightCount-1-n), "60K"); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("OneFlight", func(b *testing.B) { contest{base: spread, product: one, atLeast: 0.7}.run(b) })
	b.Run("Refused", func(b *testing.B) { contest{base: spread, product: taken, atLeast: 0.7}.run(b) })
}

func holdSeat(ctx context.Context, svc *reservationslocal.Service, n int, flight, seat string) error {
	_, err := svc.Hold(ctx, reservations.HoldRequest{
		FlightID: flight, CustomerID: fmt.Sprint("d-", n), Seats: []string{seat}, Key: fmt.Sprint("d-", n),
	})
	return err
}
