// Package reservationslocal is the reservations context in this process: it checks
// what callers send, makes ids and tokens, and lets the rules decide inside the store's
// atomic step. It keeps nothing but a cache of seat maps, which never change.
package reservationslocal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations"
	"banyan/modules/reservations/internal/rules"
	"banyan/modules/reservations/internal/store"
)

// Options of a service; the zero value is what production runs with.
type Options struct {
	// MinTTL is the shortest life of a hold that may be asked for, in whole seconds;
	// 0 stands for reservations.MinTTL. Tests of expiry lower it to a second.
	MinTTL time.Duration
	// HeldPerFlight caps the seats a customer may hold on one flight; 0 stands for
	// reservations.MaxSeats.
	HeldPerFlight int
	// AcceptDataLoss lets the service run on a server that acknowledges writes before
	// they are on disk.
	AcceptDataLoss bool
	// Namespace prefixes every Redis key; "" is "r".
	Namespace string
	// Own makes a store that was never used the owner of every bucket. Without it, buckets
	// are handed over to the store, or its schema is shared with who owns them.
	Own bool
}

// Service implements reservations.Service on a store.
type Service struct {
	store  store.Store
	policy rules.Policy
	maps   *geometries
	peer   reservations.Service // does a rebooking's steps on other flights
}

var _ reservations.Service = (*Service)(nil)

// NewSQL runs on a migrated database. errs: Unsafe when the database was made with
// another bucket hash, or may lose acknowledged writes.
func NewSQL(ctx context.Context, db *sqldb.DB, o Options) (*Service, error) {
	st, err := store.NewSQL(ctx, db, store.SQLOptions{Own: o.Own, AcceptDataLoss: o.AcceptDataLoss})
	if err != nil {
		return nil, err
	}
	return New(st, o), nil
}

// New runs on a store.
func New(st store.Store, o Options) *Service {
	p := rules.Policy{MinTTL: o.MinTTL, HeldPerFlight: o.HeldPerFlight}
	if p.MinTTL == 0 {
		p.MinTTL = reservations.MinTTL
	}
	if p.HeldPerFlight == 0 {
		p.HeldPerFlight = reservations.MaxSeats
	}
	s := &Service{store: st, policy: p, maps: newGeometries(st)}
	s.peer = s
	return s
}

// Peers names who is asked for the steps of a rebooking on the new flights: in a system
// whose flights are spread over several stores, a client of whatever finds their owners.
// Without it the service asks itself. To be called before the service is used.
func (s *Service) Peers(p reservations.Service) { s.peer = p }

// Ping asks the store for a sign of life.
func (s *Service) Ping(ctx context.Context) error { return s.store.Ping(ctx) }

// Close frees the store's connections.
func (s *Service) Close() error { return s.store.Close() }

// Sweep removes records that nobody needs any more, a bounded number, and says how
// many. Nothing depends on it: expiry is judged whenever a seat is looked at.
func (s *Service) Sweep(ctx context.Context) (int, error) { return s.store.Sweep(ctx) }

// Tidy sweeps until ctx ends: at once again while there is much to do, else after
// every. Failures go to report, and sweeping goes on.
func (s *Service) Tidy(ctx context.Context, every time.Duration, report func(error)) {
	for {
		pause := every
		gone, err := s.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			report(err)
		}
		if err == nil && gone > 0 {
			pause = min(every, 50*time.Millisecond)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// update lets decide choose within the store's atomic step, with the seat map of the
// flight as it is in that step. A map that is not in memory is fetched in between.
func (s *Service) update(ctx context.Context, sub store.Subject, decide func(store.State, rules.Geometry) (store.Change, error)) error {
	const tries = 3 // the aircraft would have to change again and again
	for range tries {
		err := s.store.Update(ctx, sub, func(st store.State) (store.Change, error) {
			if st.Flight == nil {
				return decide(st, nil)
			}
			g, known := s.maps.cached(st.Flight.Configuration)
			if !known {
				return store.Change{}, errs.E(errs.Unavailable, "the seat map is being fetched").Because(wanted(st.Flight.Configuration))
			}
			return decide(st, g)
		})
		if err == nil {
			return nil
		}
		var configuration wanted
		if !errors.As(err, &configuration) {
			return err
		}
		if _, err := s.maps.get(ctx, string(configuration)); err != nil {
			return err
		}
	}
	return errs.E(errs.Unavailable, "the flight's aircraft changes too often; try again")
}

// wanted is the configuration whose seat map a decision lacks.
type wanted string

func (w wanted) Error() string { return "the seat map " + string(w) + " is not in memory" }

// geometryOf gives the seat map of a flight that was read; nil for no flight.
func (s *Service) geometryOf(ctx context.Context, f *store.Flight) (rules.Geometry, error) {
	if f == nil {
		return nil, nil
	}
	return s.maps.get(ctx, f.Configuration)
}

// newToken makes the secret of a hold: 128 random bits.
func newToken() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand aborts the process instead
	var digits [2 * len(random)]byte
	hex.Encode(digits[:], random[:])
	return string(digits[:])
}

// holdBucket reads the bucket from a hold's id.
func holdBucket(id string) (int, error) {
	b, err := bucket.Parse(bucket.HoldPrefix, id)
	if err != nil {
		return 0, rules.HoldUnknown(id)
	}
	return b, nil
}

// reservationBucket reads the bucket from a reservation's id.
func reservationBucket(id string) (int, error) {
	b, err := bucket.Parse(bucket.ReservationPrefix, id)
	if err != nil {
		return 0, rules.ReservationUnknown(id)
	}
	return b, nil
}
