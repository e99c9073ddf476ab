package reservationslocal_test

import (
	"context"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations"
	"banyan/modules/reservations/reservationshttp"
	"banyan/modules/reservations/reservationslocal"
	"banyan/modules/reservations/reservationstest"
)

// owners says which of two services owns each bucket.
type owners [bucket.Count]int

// spread asks for each flight the service that owns it, as a router does.
type spread struct {
	owners  *owners
	to      [2]reservations.Service
	self    int           // who asks, -1 if it is none of the two
	crossed *atomic.Int64 // calls to the other one
}

var _ reservations.Service = spread{}

func (s spread) at(b int) reservations.Service {
	if s.self >= 0 && s.self != s.owners[b] {
		s.crossed.Add(1)
	}
	return s.to[s.owners[b]]
}

func (s spread) flight(id string) reservations.Service { return s.at(bucket.Of(id)) }

// named is the owner of what the id names; whoever is asked refuses one that names nothing.
func (s spread) named(prefix, id string) reservations.Service {
	b, _ := bucket.Parse(prefix, id)
	return s.at(b)
}

func (s spread) hold(id string) reservations.Service    { return s.named(bucket.HoldPrefix, id) }
func (s spread) booking(id string) reservations.Service { return s.named(bucket.ReservationPrefix, id) }

func (s spread) Hold(ctx context.Context, r reservations.HoldRequest) (reservations.Hold, error) {
	return s.flight(r.FlightID).Hold(ctx, r)
}

func (s spread) GetHold(ctx context.Context, id, token string) (reservations.Hold, error) {
	return s.hold(id).GetHold(ctx, id, token)
}

func (s spread) Extend(ctx context.Context, r reservations.HoldAction) (reservations.Hold, error) {
	return s.hold(r.HoldID).Extend(ctx, r)
}

func (s spread) Confirm(ctx context.Context, r reservations.HoldAction) (reservations.Reservation, error) {
	return s.hold(r.HoldID).Confirm(ctx, r)
}

func (s spread) Release(ctx context.Context, r reservations.HoldAction) (reservations.Hold, error) {
	return s.hold(r.HoldID).Release(ctx, r)
}

func (s spread) Reserve(ctx context.Context, r reservations.ReserveRequest) (reservations.Reservation, error) {
	return s.flight(r.FlightID).Reserve(ctx, r)
}

func (s spread) GetReservation(ctx context.Context, id string) (reservations.Reservation, error) {
	return s.booking(id).GetReservation(ctx, id)
}

func (s spread) Cancel(ctx context.Context, id string) (reservations.Reservation, error) {
	return s.booking(id).Cancel(ctx, id)
}

func (s spread) ChangeSeat(ctx context.Context, r reservations.ChangeSeatRequest) (reservations.Reservation, error) {
	return s.booking(r.ReservationID).ChangeSeat(ctx, r)
}

func (s spread) Rebook(ctx context.Context, r reservations.RebookRequest) (reservations.Reservation, error) {
	return s.booking(r.ReservationID).Rebook(ctx, r)
}

func (s spread) Seats(ctx context.Context, id string) (reservations.SeatStates, error) {
	return s.flight(id).Seats(ctx, id)
}

func (s spread) Occupants(ctx context.Context, id string) (map[string]string, error) {
	return s.flight(id).Occupants(ctx, id)
}

func (s spread) Block(ctx context.Context, r reservations.BlockRequest) (reservations.SeatStates, error) {
	return s.flight(r.FlightID).Block(ctx, r)
}

func (s spread) Unblock(ctx context.Context, id, seat string) (reservations.SeatStates, error) {
	return s.flight(id).Unblock(ctx, id, seat)
}

// system is two services, each of which owns a random half of the buckets.
type system struct {
	spread   // from outside
	sides    [2]side
	services [2]*reservationslocal.Service
}

// newSystem gives half of the first side's buckets to the second. peers makes what the
// services ask each other through; without it they are left alone.
func newSystem(t *testing.T, sides [2]side, peers func(*testing.T, *reservationslocal.Service) reservations.Service) *system {
	t.Helper()
	y := &system{sides: sides, spread: spread{owners: &owners{}, self: -1, crossed: &atomic.Int64{}}}
	given := rand.Perm(bucket.Count)[:bucket.Count/2]
	for some := range slices.Chunk(given, handover.MaxBuckets) {
		for _, step := range []struct {
			side int
			op   handover.Op
		}{{1, handover.Seal}, {0, handover.Freeze}, {0, handover.SealSource}, {1, handover.Activate}} {
			o := handover.Order{Op: step.op, Epoch: 2, Buckets: some}
			if step.op == handover.Activate {
				o.Seqs = make([]int64, len(some))
			}
			if refused, err := sides[step.side].Order(t.Context(), o); err != nil || refused != nil {
				t.Fatal(step.op, refused, err)
			}
		}
		for _, b := range some {
			y.owners[b] = 1
		}
	}
	to := [2]reservations.Service{}
	for i, side := range sides {
		y.services[i] = reservationslocal.New(side.Store, reservationslocal.Options{MinTTL: time.Second})
		y.to[i] = y.services[i]
		if peers != nil {
			to[i] = peers(t, y.services[i])
		}
	}
	for i, s := range y.services {
		if peers != nil {
			s.Peers(spread{owners: y.owners, to: to, self: i, crossed: y.crossed})
		}
	}
	return y
}

func direct(_ *testing.T, s *reservationslocal.Service) reservations.Service { return s }

func overHTTP(t *testing.T, s *reservationslocal.Service) reservations.Service {
	t.Helper()
	router := web.NewRouter()
	reservationshttp.Mount(router, s)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	return reservationshttp.NewClient(server.URL, web.NewTransport(web.TransportOptions{}))
}

// splits are pairs of stores, and how their services ask each other.
func splits() map[string]func(*testing.T) *system {
	return map[string]func(*testing.T) *system{
		"sqlite and redis": func(t *testing.T) *system {
			return newSystem(t, [2]side{sqlSide(t, dbtest.SQLite(t), true), redisSide(t, dbtest.RedisAddr(t), false)}, direct)
		},
		"redis and sqlite over HTTP": func(t *testing.T) *system {
			return newSystem(t, [2]side{redisSide(t, dbtest.RedisAddr(t), true), sqlSide(t, dbtest.SQLite(t), false)}, overHTTP)
		},
		"mysql and redis over HTTP": func(t *testing.T) *system {
			return newSystem(t, [2]side{sqlSide(t, dbtest.MySQL(t), true), redisSide(t, dbtest.RedisAddr(t), false)}, overHTTP)
		},
	}
}

// TestContractOfASplitSystem runs the whole contract where each of two stores owns half of
// the buckets: whoever finds the owners must not notice that there are two.
func TestContractOfASplitSystem(t *testing.T) {
	for name, start := range splits() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reservationstest.Run(t, func(t *testing.T) reservationstest.Harness {
				y := start(t)
				return reservationstest.Harness{
					Service: y.spread,
					CatchUp: func(ctx context.Context, flights reservationslocal.FlightEvents) error {
						for _, s := range y.services {
							if err := s.Feed("flights", flights).CatchUp(ctx, nil); err != nil {
								return err
							}
						}
						return nil
					},
				}
			})
		})
	}
}
