package reservationshttp_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations"
	"banyan/modules/reservations/reservationshttp"
	"banyan/modules/reservations/reservationslocal"
	"banyan/modules/reservations/reservationstest"

	migrations "banyan/migrations/reservations"
)

// TestContract asks over HTTP what the contract promises, on both dialects.
func TestContract(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reservationstest.Run(t, func(t *testing.T) reservationstest.Harness {
				local := newLocal(t, open(t), true)
				server := serve(t, local)
				client := reservationshttp.NewClient(server.URL, web.NewTransport(web.TransportOptions{}))
				return reservationstest.Harness{Service: unmasked{client, local}, CatchUp: catchUp(local)}
			})
		})
	}
}

// unmasked asks in process for what HTTP does not tell: the names of customers.
type unmasked struct {
	*reservationshttp.Client
	local *reservationslocal.Service
}

func (u unmasked) Occupants(ctx context.Context, flightID string) (map[string]string, error) {
	masked, err := u.Client.Occupants(ctx, flightID)
	if err != nil {
		return nil, err
	}
	told, err := u.local.Occupants(ctx, flightID)
	for seat := range told {
		if masked[seat] != "***" {
			return masked, err
		}
	}
	return told, err
}

// newLocal makes a service over a new schema; it allows holds of a second.
func newLocal(t *testing.T, db *sqldb.DB, own bool) *reservationslocal.Service {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := reservationslocal.NewSQL(t.Context(), db, reservationslocal.Options{MinTTL: time.Second, Own: own})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func catchUp(s *reservationslocal.Service) func(context.Context, reservationslocal.FlightEvents) error {
	return func(ctx context.Context, events reservationslocal.FlightEvents) error {
		return s.Feed("flights", events).CatchUp(ctx, nil)
	}
}

func serve(t *testing.T, svc reservations.Service) *httptest.Server {
	t.Helper()
	r := web.NewRouter()
	reservationshttp.Mount(r, svc)
	server := httptest.NewServer(web.RequestIDs(r))
	t.Cleanup(server.Close)
	return server
}
