package reservationslocal_test

import (
	"context"
	"testing"
	"time"

	migrations "banyan/migrations/reservations"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/reservationslocal"
	"banyan/modules/reservations/reservationstest"
)

func TestContractOnSQLite(t *testing.T) {
	reservationstest.Run(t, func(t *testing.T) reservationstest.Harness { return harness(t, dbtest.SQLite(t)) })
}

func TestContractOnMySQL(t *testing.T) {
	reservationstest.Run(t, func(t *testing.T) reservationstest.Harness { return harness(t, dbtest.MySQL(t)) })
}

func harness(t *testing.T, db *sqldb.DB) reservationstest.Harness {
	t.Helper()
	s := newService(t, db)
	return reservationstest.Harness{
		Service: s,
		CatchUp: func(ctx context.Context, flights reservationslocal.FlightEvents) error {
			return s.Feed("flights", flights).CatchUp(ctx, nil)
		},
	}
}

// newService migrates the database and allows holds of a second.
func newService(t testing.TB, db *sqldb.DB) *reservationslocal.Service {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := reservationslocal.NewSQL(t.Context(), db, reservationslocal.Options{MinTTL: time.Second, Own: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
