package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	migrations "banyan/migrations/reservations"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/store"
)

const flightID = "AA34-JFK-20261121"

// each runs a test on both dialects, with one flight in the store.
func each(t *testing.T, run func(t *testing.T, db *sqldb.DB, s *store.SQL)) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"SQLite": dbtest.SQLite, "MariaDB": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			migrate(t, db)
			s, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: true})
			if err != nil {
				t.Fatal(err)
			}
			known := []store.Flight{{FlightID: flightID, Designator: "9E12", Date: "2026-11-21", Configuration: "A-2.1", Open: true, Seq: 2}}
			if err := s.Apply(t.Context(), "flights", 2, []store.Configuration{{ID: "A-2.1", Seats: []string{"1A", "1B"}}}, known); err != nil {
				t.Fatal(err)
			}
			run(t, db, s)
		})
	}
}

func migrate(t *testing.T, db *sqldb.DB) {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func exec(t *testing.T, db *sqldb.DB, query string, args ...any) {
	t.Helper()
	if err := db.Do(t.Context(), func(tx *sqldb.Tx) error { return tx.Run(t.Context(), sqldb.S(query, args...)) }); err != nil {
		t.Fatal(err)
	}
}

func subject(seats ...string) store.Subject {
	return store.Subject{Bucket: bucket.Of(flightID), FlightID: flightID, Seats: seats}
}

// block is the simplest change.
func block(seat string) func(store.State) (store.Change, error) {
	return func(store.State) (store.Change, error) {
		return store.Change{Put: []string{seat}, As: store.Seat{Kind: store.Blocked, Ref: "test"}, Event: "blocked"}, nil
	}
}

func setFence(t *testing.T, db *sqldb.DB, mode string) {
	t.Helper()
	exec(t, db, "UPDATE fences SET epoch=epoch+1, mode=? WHERE route=? AND bucket=?", mode, store.Route, bucket.Of(flightID))
}

func TestFence(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		for _, mode := range []string{store.ModeReadOnly, store.ModeSealed, "absent"} {
			setFence(t, db, store.ModeActive)
			if mode == "absent" {
				exec(t, db, "DELETE FROM fences WHERE bucket=?", bucket.Of(flightID))
			} else {
				setFence(t, db, mode)
			}
			if err := s.Update(t.Context(), subject("1A"), block("1A")); errs.CodeOf(err) != errs.Misdirected {
				t.Errorf("%s: update gives %v", mode, err)
			}
			_, err := s.Seats(t.Context(), flightID)
			if readable := mode == store.ModeReadOnly; (err == nil) != readable {
				t.Errorf("%s: seats gives %v", mode, err)
			}
			if _, err := s.Read(t.Context(), subject()); (err == nil) != (mode == store.ModeReadOnly) {
				t.Errorf("%s: read gives %v", mode, err)
			}
		}
		var n int
		if err := db.Reader().GetContext(t.Context(), &n, "SELECT (SELECT COUNT(*) FROM seats)+(SELECT COUNT(*) FROM events)"); err != nil || n != 0 {
			t.Errorf("%d rows were written (%v)", n, err)
		}
	})
}

// A fence that closes between a decision and its write stops the write.
func TestFenceClosesWhileDeciding(t *testing.T) {
	db := dbtest.MySQL(t)
	migrate(t, db)
	s, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), "flights", 1, nil, []store.Flight{{FlightID: flightID, Designator: "AA34", Date: "2026-11-21", Configuration: "A-2.1", Open: true, Seq: 1}}); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	err = s.Update(t.Context(), subject("1A"), func(st store.State) (store.Change, error) {
		once.Do(func() { setFence(t, db, store.ModeReadOnly) })
		return block("1A")(st)
	})
	if errs.CodeOf(err) != errs.Misdirected {
		t.Errorf("update gives %v", err)
	}
	if st, err := s.Seats(t.Context(), flightID); err != nil || len(st.Seats) != 0 {
		t.Errorf("the seats are %v (%v)", st.Seats, err)
	}
}

// Freezing waits until every write under way is in or out: the database drains.
func TestFreezeDrains(t *testing.T) {
	db := dbtest.MySQL(t)
	migrate(t, db)
	s, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), "flights", 1, nil, []store.Flight{{FlightID: flightID, Designator: "AA34", Date: "2026-11-21", Configuration: "A-2.1", Open: true, Seq: 1}}); err != nil {
		t.Fatal(err)
	}
	// Another session holds the row that the writer's second statement wants, so the
	// writer is stopped between its fence check and its commit.
	exec(t, db, "INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at) VALUES(?,?,'1A','H','x','',0)", bucket.Of(flightID), flightID)
	blocker, err := db.Writer().BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blocker.ExecContext(t.Context(), "UPDATE seats SET ref='y' WHERE seat='1A'"); err != nil {
		t.Fatal(err)
	}
	wrote, froze := make(chan error, 1), make(chan time.Time, 1)
	go func() { wrote <- s.Update(t.Context(), subject("1A"), block("1A")) }()
	time.Sleep(200 * time.Millisecond)
	go func() {
		setFence(t, db, store.ModeReadOnly)
		froze <- time.Now()
	}()
	select {
	case <-froze:
		t.Fatal("the fence closed while a write was under way")
	case <-time.After(300 * time.Millisecond):
	}
	if err := blocker.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err != nil {
		t.Errorf("the write under way: %v", err)
	}
	<-froze
	if err := s.Update(t.Context(), subject("1B"), block("1B")); errs.CodeOf(err) != errs.Misdirected {
		t.Errorf("a write after the freeze: %v", err)
	}
}

// Many writers of one flight each see the version that the one before left.
func TestVersionsHaveNoGapsAndNoTwins(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		const writers = 24
		var done sync.WaitGroup
		for i := range writers {
			done.Go(func() {
				if err := s.Update(t.Context(), subject("1A"), block("1A")); err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
			})
		}
		done.Wait()
		if st, err := s.Seats(t.Context(), flightID); err != nil || st.Flight.Version != writers {
			t.Errorf("version %d after %d writes (%v)", st.Flight.Version, writers, err)
		}
		var n int
		if err := db.Reader().GetContext(t.Context(), &n, "SELECT COUNT(*) FROM events"); err != nil || n != writers {
			t.Errorf("%d events (%v)", n, err)
		}
	})
}

func TestRefusalChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, _ *sqldb.DB, s *store.SQL) {
		no := errs.E(errs.SeatTaken, "no")
		err := s.Update(t.Context(), subject("1A"), func(st store.State) (store.Change, error) {
			c, _ := block("1A")(st)
			return c, no
		})
		if !errors.Is(err, no) {
			t.Errorf("the decision's error came back as %v", err)
		}
		if st, err := s.Seats(t.Context(), flightID); err != nil || len(st.Seats) != 0 || st.Flight.Version != 0 {
			t.Errorf("state %+v (%v)", st, err)
		}
	})
}

func TestCatalogue(t *testing.T) {
	each(t, func(t *testing.T, _ *sqldb.DB, s *store.SQL) {
		f := store.Flight{FlightID: flightID, Designator: "9E12", Date: "2026-11-21", Configuration: "B-1.1", Open: false, Seq: 1}
		if err := s.Apply(t.Context(), "flights", 1, nil, []store.Flight{f}); err != nil {
			t.Fatal(err)
		}
		st, err := s.Read(t.Context(), subject())
		if err != nil || !st.Flight.Open || st.Flight.Configuration != "A-2.1" || st.Flight.Designator != "9E12" {
			t.Errorf("an older event won: %+v (%v)", st.Flight, err)
		}
		if seq, err := s.Cursor(t.Context(), "flights"); err != nil || seq != 2 {
			t.Errorf("the cursor went back to %d (%v)", seq, err)
		}
		if id, err := s.FlightByNumber(t.Context(), "9E12", "2026-11-21"); err != nil || id != flightID {
			t.Errorf("by number: %q (%v)", id, err)
		}
		if id, err := s.FlightByNumber(t.Context(), "9000000000000", "2026-11-21"); err != nil || id != "" {
			t.Errorf("9E12 is taken for a number: %q (%v)", id, err)
		}
		f.FlightID, f.Seq = "9E12-LGA-20261121", 3
		if err := s.Apply(t.Context(), "flights", 3, nil, []store.Flight{f}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.FlightByNumber(t.Context(), "9E12", "2026-11-21"); errs.CodeOf(err) != errs.Conflict {
			t.Errorf("two origins: %v", err)
		}
		if g, err := s.Geometry(t.Context(), "A-2.1"); err != nil || fmt.Sprint(g) != "[1A 1B]" {
			t.Errorf("geometry %v (%v)", g, err)
		}
		if g, err := s.Geometry(t.Context(), "nonsense"); err != nil || g != nil {
			t.Errorf("unknown geometry %v (%v)", g, err)
		}
	})
}

// sweepAll goes once around all buckets.
func sweepAll(t *testing.T, s *store.SQL) (gone int) {
	t.Helper()
	for range 30 {
		n, err := s.Sweep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		gone += n
	}
	return gone
}

func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		b := bucket.Of(flightID)
		old, live := bucket.NewID(bucket.HoldPrefix, b), bucket.NewID(bucket.HoldPrefix, b)
		put := func(id, seat, key string, lasts time.Duration) {
			sub := subject(seat)
			sub.Key = key
			err := s.Update(t.Context(), sub, func(st store.State) (store.Change, error) {
				h := store.Hold{HoldID: id, FlightID: flightID, Seats: []string{seat}, Status: "HELD", CreatedAt: st.Now, ExpiresAt: st.Now + lasts.Microseconds()}
				return store.Change{
					Put: []string{seat}, As: store.Seat{Kind: store.Held, Ref: id, ExpiresAt: h.ExpiresAt},
					Hold: &h, Event: "held", Record: &idempotency.Record{Fingerprint: key, Answer: []byte(`{}`)},
				}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		put(old, "1A", "k1", -time.Second)
		put(live, "1B", "k2", time.Hour)
		setFence(t, db, store.ModeReadOnly)
		if n := sweepAll(t, s); n != 0 {
			t.Errorf("%d rows went from a bucket that is being moved", n)
		}
		setFence(t, db, store.ModeActive)
		if n := sweepAll(t, s); n != 1 {
			t.Errorf("%d rows went, want the expired seat", n)
		}
		st, err := s.Seats(t.Context(), flightID)
		if _, there := st.Seats["1B"]; err != nil || len(st.Seats) != 1 || !there {
			t.Errorf("seats %v (%v)", st.Seats, err)
		}
		exec(t, db, "UPDATE events SET created_at=created_at-?", 25*time.Hour.Microseconds())
		exec(t, db, "UPDATE holds SET expires_at=expires_at-? WHERE hold_id=?", 25*time.Hour.Microseconds(), old)
		if n := sweepAll(t, s); n != 2 {
			t.Errorf("%d rows went, want a hold and an event", n)
		}
		st, err = s.Read(t.Context(), store.Subject{Bucket: b, HoldID: live, Key: "k2"})
		if err != nil || st.Hold == nil || st.Flight.Version != 2 || st.Recorded == nil {
			t.Errorf("state %+v (%v)", st, err)
		}
		if st, err := s.Read(t.Context(), store.Subject{Bucket: b, HoldID: old, Key: "k1"}); err != nil || st.Hold != nil || st.Recorded != nil {
			t.Errorf("state %+v (%v)", st, err)
		}
	})
}

func TestRefusesAnotherHash(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, _ *store.SQL) {
		exec(t, db, "UPDATE meta SET value='crc32/100/v0'")
		if _, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: true}); errs.CodeOf(err) != errs.Unsafe {
			t.Errorf("got %v", err)
		}
	})
}

func TestRefusesAServerThatLosesData(t *testing.T) {
	server := dbtest.StartMariaDB(t)
	db, err := sqldb.OpenMySQL(t.Context(), server.DSN)
	if err != nil {
		t.Skipf("no schema to work in: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	migrate(t, db)
	if _, err := db.Writer().ExecContext(t.Context(), "SET GLOBAL innodb_flush_log_at_trx_commit=2"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: true}); errs.CodeOf(err) != errs.Unsafe {
		t.Errorf("got %v", err)
	}
	if _, err := store.NewSQL(t.Context(), db, store.SQLOptions{AcceptDataLoss: true}); err != nil {
		t.Errorf("told to accept it: %v", err)
	}
}

func TestMigrationsGoDownAndUpAgain(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"SQLite": dbtest.SQLite, "MariaDB": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			migrate(t, db)
			m, err := sqldb.NewMigrator(db, migrations.FS)
			if err != nil {
				t.Fatal(err)
			}
			if name, err := m.Down(t.Context()); err != nil || name == "" {
				t.Fatalf("down: %q, %v", name, err)
			}
			if n, err := m.Up(t.Context()); err != nil || n != 1 {
				t.Fatalf("up again: %d, %v", n, err)
			}
		})
	}
}

// TestTablesByKeyKeepTheirRows takes a SQLite database back to tables with row ids and
// forth again.
func TestTablesByKeyKeepTheirRows(t *testing.T) {
	db := dbtest.SQLite(t)
	migrate(t, db)
	exec(t, db, "INSERT INTO fences(route,bucket,epoch,mode,seq) VALUES('r',7,3,'ro',9),('r',3,1,'active',0)")
	exec(t, db, "INSERT INTO flights(flight_id,designator,departure_date,configuration,is_open,seq) VALUES(?,'AA34','2026-11-21','C.1',1,5)", flightID)
	exec(t, db, "INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at) VALUES(7,?,'1B','R','r','ann',0),(7,?,'1A','H','h','',12)", flightID, flightID)
	rows := func() string {
		t.Helper()
		var all string
		err := db.Reader().GetContext(t.Context(), &all, "SELECT (SELECT group_concat(route||bucket||','||epoch||mode||seq) FROM fences)"+
			"||(SELECT group_concat(flight_id||designator||departure_date||configuration||is_open||seq) FROM flights INDEXED BY flights_number WHERE designator='AA34')"+
			"||(SELECT group_concat(bucket||flight_id||seat||kind||ref||customer_id||expires_at) FROM seats)")
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	byKey := func() (n int) {
		t.Helper()
		if err := db.Reader().GetContext(t.Context(), &n, "SELECT COUNT(*) FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID'"); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := rows()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	const tables = 3
	if n := byKey(); n != tables {
		t.Errorf("%d tables by key, want %d", n, tables)
	}
	if name, err := m.Down(t.Context()); err != nil || name != "00003_by_key.sqlite.sql" || byKey() != 0 || rows() != before {
		t.Errorf("down: %q, %v; %d tables by key, rows %s, before %s", name, err, byKey(), rows(), before)
	}
	if n, err := m.Up(t.Context()); err != nil || n != 1 || byKey() != tables || rows() != before {
		t.Errorf("up again: %d, %v; %d tables by key, rows %s, before %s", n, err, byKey(), rows(), before)
	}
}

// Several replicas start at once on a fresh database.
func TestReplicasStartAtOnce(t *testing.T) {
	db := dbtest.MySQL(t)
	migrate(t, db)
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			if _, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: true}); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	var n int
	if err := db.Reader().GetContext(t.Context(), &n, "SELECT COUNT(*) FROM fences WHERE mode='active' AND epoch=1"); err != nil || n != bucket.Count {
		t.Errorf("%d fences (%v)", n, err)
	}
}
