package store_test

import (
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/store"
)

// A database is owned by who says so, once: not by a service that waits for flights to be
// handed over, and not again after they were handed on.
func TestOwnsOnlyWhenTold(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"SQLite": dbtest.SQLite, "MariaDB": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			migrate(t, db)
			fences := func(own bool, want int) {
				t.Helper()
				s, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: own})
				if err != nil {
					t.Fatal(err)
				}
				var n int
				if err := db.Reader().GetContext(t.Context(), &n, "SELECT COUNT(*) FROM fences WHERE mode='active'"); err != nil || n != want {
					t.Errorf("own %t: %d active fences, not %d (%v)", own, n, want, err)
				}
				if _, err := s.Seats(t.Context(), flightID); (errs.CodeOf(err) == errs.Misdirected) != (want == 0) {
					t.Errorf("own %t: seats give %v", own, err)
				}
			}
			fences(false, 0)
			fences(true, bucket.Count)
			exec(t, db, "UPDATE fences SET mode='sealed'")
			fences(true, 0)
			exec(t, db, "DELETE FROM fences WHERE bucket>0")
			fences(true, 0)
		})
	}
}
