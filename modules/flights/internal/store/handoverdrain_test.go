package store_test

import (
	"testing"
	"time"

	"banyan/modules/flights/internal/store"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
)

// Freeze waits for whoever writes, and an import keeps all fences.
func TestFreezeWaitsForWritesUnderWay(t *testing.T) {
	for name, write := range map[string]func(*store.Store, *testing.T) error{
		"agent": func(s *store.Store, t *testing.T) error { _, err := s.Schedule(t.Context(), plain(34)); return err },
		"import": func(s *store.Store, t *testing.T) error {
			row := plain(34).Row
			row.Configuration = "x"
			_, err := s.InsertFlights(t.Context(), []store.Row{row}, &store.Run{ID: "r"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := dbtest.MySQL(t)
			migrate(t, db)
			s := store.New(db, store.Options{})
			if _, err := s.Ensure(t.Context(), seatMap("A320", 20, 4, 0)); err != nil {
				t.Fatal(err)
			}
			blocker, err := db.Writer().BeginTxx(t.Context(), nil) // whoever writes needs the outbox
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = blocker.Rollback() })
			if _, err := blocker.ExecContext(t.Context(), "UPDATE outbox_counter SET seq=seq WHERE id=1"); err != nil {
				t.Fatal(err)
			}
			wrote, frozen := make(chan error, 1), make(chan error, 1)
			go func() { wrote <- write(s, t) }()
			waiting(t, db, "UPDATE outbox_counter%")
			b := bucket.Of(plain(34).Row.FlightID)
			go func() {
				_, err := s.Participant().Order(t.Context(), handover.Order{Op: handover.Freeze, Epoch: 2, Buckets: []int{b}})
				frozen <- err
			}()
			waiting(t, db, map[string]string{"agent": "SELECT bucket%FOR UPDATE%", "import": "UPDATE counters%"}[name])
			select {
			case err := <-frozen:
				t.Fatalf("frozen while a write was under way (%v)", err)
			default:
			}
			if err := blocker.Rollback(); err != nil {
				t.Fatal(err)
			}
			if err := <-wrote; err != nil {
				t.Errorf("the write under way: %v", err)
			}
			if err := <-frozen; err != nil {
				t.Fatal(err)
			}
			d, err := s.Participant().Digest(t.Context(), 2, []int{b})
			if err != nil || d[0].Records == 0 {
				t.Errorf("the write under way is not in the export: %v, %v", d, err)
			}
		})
	}
}

// waiting polls the server until a transaction with such a statement waits for a lock.
func waiting(t *testing.T, db *sqldb.DB, like string) {
	t.Helper()
	for range 60 {
		var n int
		err := db.Reader().GetContext(t.Context(), &n, "SELECT COUNT(*) FROM information_schema.innodb_trx"+
			" WHERE trx_state='LOCK WAIT' AND trx_query LIKE ? AND trx_mysql_thread_id IN (SELECT id FROM information_schema.processlist WHERE db=DATABASE())", like)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return
		}
		time.Sleep(150 * time.Millisecond) // the server renews this view every 100 ms
	}
	t.Fatalf("nobody waits with %s", like)
}
