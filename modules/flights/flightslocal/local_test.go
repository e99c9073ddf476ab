package flightslocal_test

import (
	"testing"

	"banyan/modules/flights"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/flights/flightstest"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"

	migrations "banyan/migrations/flights"
)

func TestContract(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			flightstest.Run(t, func(t *testing.T) flights.Service { return newService(t, open(t)) })
		})
	}
}

// newService makes a service over a new schema with the suite's airports.
func newService(t testing.TB, db *sqldb.DB) *flightslocal.Service {
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
