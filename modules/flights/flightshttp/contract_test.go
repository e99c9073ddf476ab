package flightshttp_test

import (
	"net/http/httptest"
	"testing"

	"banyan/modules/flights"
	"banyan/modules/flights/flightshttp"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/flights/flightstest"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/kernel/web"

	migrations "banyan/migrations/flights"
)

// TestContract asks over HTTP what the contract promises, on both dialects.
func TestContract(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flightstest.Run(t, func(t *testing.T) flights.Service {
				server := serve(t, newLocal(t, open(t)))
				return flightshttp.NewClient(server.URL, web.NewTransport(web.TransportOptions{}))
			})
		})
	}
}

// newLocal makes a service over a new schema with the suite's airports.
func newLocal(t *testing.T, db *sqldb.DB) *flightslocal.Service {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := flightslocal.New(db)
	if err := s.PutAirports(t.Context(), flightstest.Airports()); err != nil {
		t.Fatal(err)
	}
	return s
}

func serve(t *testing.T, svc flights.Service) *httptest.Server {
	t.Helper()
	r := web.NewRouter()
	flightshttp.Mount(r, svc)
	server := httptest.NewServer(web.RequestIDs(r))
	t.Cleanup(server.Close)
	return server
}
