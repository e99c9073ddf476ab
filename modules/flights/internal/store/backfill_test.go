package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"banyan/modules/flights/internal/store"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"

	migrations "banyan/migrations/flights"
)

// A database of the time before there were buckets is taken over, events, keys and all.
func TestOldRowsGetTheirBucket(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			const flightCount = 2300 // more than are filled in at once
			old(t, db, flightCount)
			s := store.New(db, store.Options{})
			p := plain(7) // its answer was kept before
			if got, err := s.Schedule(t.Context(), p); err != nil || !got.Replayed {
				t.Errorf("the old key: %v, %v", got.Replayed, err)
			}
			if _, _, err := s.Flight(t.Context(), "AA8-JFK-20261121"); err != nil {
				t.Errorf("a flight before it has its bucket: %v", err)
			}
			b := bucket.Of(p.Row.FlightID)
			given, stop := context.WithCancel(t.Context())
			stop()
			if err := s.Fill(given); err == nil {
				t.Error("a fill that was given up is done")
			}
			want := int64(1) // the answer
			for i := range flightCount {
				if bucket.Of(fmt.Sprintf("AA%d-JFK-20261121", i)) == b {
					want++
				}
			}
			d, err := s.Participant().Digest(t.Context(), 1, []int{b})
			if err != nil || d[0].Records != want {
				t.Errorf("the bucket has %v, %v; want %d", d, err, want)
			}
			var wrong []string
			rows, err := db.Reader().QueryContext(t.Context(), "SELECT flight_id, bucket FROM flights")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = rows.Close() }()
			n := 0
			for ; rows.Next(); n++ {
				var id string
				var got int
				if err := rows.Scan(&id, &got); err != nil {
					t.Fatal(err)
				}
				if got != bucket.Of(id) {
					wrong = append(wrong, fmt.Sprintf("%s in %d", id, got))
				}
			}
			if rows.Err() != nil || n != flightCount || len(wrong) > 0 {
				t.Errorf("of %d flights, %d are in the wrong bucket: %.200v", n, len(wrong), wrong)
			}
			target := store.New(fresh(t), store.Options{Empty: true})
			move(t, s.Participant(), target.Participant(), 2, b)
			if moved, ok, err := target.Flight(t.Context(), p.Row.FlightID); err != nil || !ok || moved.Version != 3 {
				t.Errorf("moved: %+v, %v", moved, err)
			}
		})
	}
}

func fresh(t *testing.T) *sqldb.DB {
	t.Helper()
	db := dbtest.SQLite(t)
	migrate(t, db)
	return db
}

// beforeBuckets takes the schema back to the time before there were buckets.
func beforeBuckets(t *testing.T, db *sqldb.DB) {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	for name := ""; err == nil && name != "00003_handover.sql"; {
		if name, err = m.Down(t.Context()); name == "" && err == nil {
			t.Fatal("there is no such migration")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// old writes flights as they were before there were buckets, and brings them here.
func old(t *testing.T, db *sqldb.DB, n int) {
	t.Helper()
	migrate(t, db)
	beforeBuckets(t, db)
	err := db.Do(t.Context(), func(tx *sqldb.Tx) error {
		for i := range n {
			tx.Finally(sqldb.S("INSERT INTO flights VALUES (?,?,'AA','JFK','ATL',20261121,900,1000,20261121,1000,4600,60,0,'A320-24.1','EUR',100,100,NULL,NULL,NULL,0,0,3)",
				fmt.Sprintf("AA%d-JFK-20261121", i), fmt.Sprintf("AA%d", i)))
		}
		tx.Finally(
			sqldb.S("INSERT INTO idempotency VALUES ('key-7','f',?,?)", `{"flight_id":"AA7-JFK-20261121"}`, int64(4e15)),
			sqldb.S("UPDATE outbox_counter SET seq=77 WHERE id=1"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	migrate(t, db)
}

// What is taken back keeps its answers.
func TestMigrationBackKeepsAnswers(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		schedule(t, store.New(db, store.Options{}), 34)
		beforeBuckets(t, db)
		var n int
		if err := db.Reader().GetContext(t.Context(), &n, "SELECT COUNT(*) FROM idempotency WHERE idem_key='key-34'"); err != nil || n != 1 {
			t.Errorf("%d answers are left, %v", n, err)
		}
		migrate(t, db)
		s := store.New(db, store.Options{})
		if got, err := s.Schedule(t.Context(), plain(34)); err != nil || !got.Replayed {
			t.Errorf("after the way back and forth: %v, %v", got.Replayed, err)
		}
	})
}

// A flight that is in the way of one that arrives gives way if it was handed over, and
// stops the copy if it is here.
func TestNamesInTheWay(t *testing.T) {
	pairs(t, func(t *testing.T, home, away *store.Store) {
		here, arrives := schedule(t, givenTo(t, away, home, 34), 34), schedule(t, home, 35)
		renamed := arrives
		renamed.Designator = here.Designator
		if _, err := home.Change(t.Context(), arrives, renamed, nil); err != nil {
			t.Fatal(err)
		}
		b := bucket.Of(arrives.FlightID)
		give(t, away.Participant(), handover.Seal, 9, b)
		give(t, home.Participant(), handover.Freeze, 9, b)
		copyAll := func(epoch int64) error {
			return home.Participant().Export(t.Context(), epoch, []int{b}, func(p handover.Part) error {
				refused, err := away.Participant().Copy(t.Context(), epoch, []handover.Part{p})
				if len(refused) > 0 {
					err = errors.New("refused")
				}
				return err
			})
		}
		if err := copyAll(9); err == nil {
			t.Fatal("two flights of one name are served by one store")
		}
		give(t, away.Participant(), handover.Freeze, 10, bucket.Of(here.FlightID))
		give(t, away.Participant(), handover.SealSource, 10, bucket.Of(here.FlightID))
		if err := copyAll(9); err != nil {
			t.Errorf("a flight that was handed over is in the way: %v", err)
		}
	})
}

// givenTo hands the bucket of a flight to be over to away, before there is any.
func givenTo(t *testing.T, away, home *store.Store, n int) *store.Store {
	t.Helper()
	move(t, home.Participant(), away.Participant(), 5, bucket.Of(plain(n).Row.FlightID))
	return away
}
